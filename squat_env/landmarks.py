"""Body landmarks and the joint angles computed from them, as a camera's pose estimator would give them."""

import numpy as np

from squat_env.model import LANDMARKS
from squat_env.placement import SIDES

JOINT_ANGLES = tuple(f"{side}_{name}" for side in SIDES for name in ("elbow", "shoulder", "hip", "knee", "ankle"))

# Each angle lies at the middle of three landmarks.
_TRIPLES = {
    "elbow": ("shoulder", "elbow", "wrist"),
    "shoulder": ("elbow", "shoulder", "hip"),
    "hip": ("shoulder", "hip", "knee"),
    "knee": ("hip", "knee", "ankle"),
    "ankle": ("knee", "ankle", "toe"),
}


def _index(angle: str, place: int) -> int:
    side, name = angle.split("_")
    return LANDMARKS.index(f"{side}_{_TRIPLES[name][place]}")


_COLUMNS = tuple([_index(name, place) for name in JOINT_ANGLES] for place in range(3))


def joint_angles(landmarks: np.ndarray) -> np.ndarray:
    """Angles between the segments that meet at a joint; 180 degrees is straight.

    Args:
        landmarks: (..., 17, 3) positions in the order of `LANDMARKS`, any unit and frame.

    Returns:
        (..., 10) degrees in the order of `JOINT_ANGLES`.
    """
    first, middle, last = (landmarks[..., columns, :] for columns in _COLUMNS)
    one, other = first - middle, last - middle
    cosine = (one * other).sum(-1) / (np.linalg.norm(one, axis=-1) * np.linalg.norm(other, axis=-1))
    return np.rad2deg(np.arccos(np.clip(cosine, -1.0, 1.0)))
