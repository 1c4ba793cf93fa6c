"""From landmarks to posture and tempo: the same functions for people and for the simulation.

Landmarks that stand for skin markers (lateral knees and ankles, raised shoulders) differ from joint centres by some
centimetres and degrees; differences between standing and bottom hardly do.

Landmarks are (T, 17, 3) world positions [m], z up, in the order of `real2sim.recordings.recording.LANDMARKS`.
"""

from dataclasses import dataclass, fields

import numpy as np

from real2sim.recordings.recording import LANDMARKS
from squat_env.landmarks import JOINT_ANGLES, joint_angles

LEVEL = 0.05  # share of the drop that counts as still standing, and as already at the bottom
SMALLEST_DROP_M = 0.05  # the pelvis of a repetition sinks further
SMALLEST_LENGTH_M = 1e-6  # below it a direction means nothing
CURVE_POINTS = 101

_UP = np.array([0.0, 0.0, 1.0])


@dataclass(frozen=True, kw_only=True, eq=False)
class Posture:
    """A body over time; (T,) each, or (T, 2) for left and right.

    Attributes:
        height: Middle of the hips over the ground [m].
        leg: Thigh and shank, mean of both sides [m].
        knee, hip, elbow: Flexion [deg], 0 straight; (T, 2).
        shank: Line from ankle to knee against the vertical [deg], forwards positive; (T, 2).
        lean: Line from hips to shoulders against the vertical [deg], forwards positive.
        upper_arm: Against straight down [deg]: 90 horizontal, 180 overhead; (T, 2).
        wrist: From the middle of the shoulders to the wrists [m], forwards, left and up; (T, 6).
        stance: Distance of the ankles [m].
        toe_out: Half the angle between both feet [deg].
        heel: Height of the heels [m]; (T, 2).
        knee_in: How far the knee is inside the line from ankle to hip, seen from the front [m]; (T, 2).
        sideways: Middle of the hips from the middle of the ankles, to the left [m].
    """

    height: np.ndarray
    leg: np.ndarray
    knee: np.ndarray
    hip: np.ndarray
    elbow: np.ndarray
    shank: np.ndarray
    lean: np.ndarray
    upper_arm: np.ndarray
    wrist: np.ndarray
    stance: np.ndarray
    toe_out: np.ndarray
    heel: np.ndarray
    knee_in: np.ndarray
    sideways: np.ndarray

    def __getitem__(self, rows: slice | np.ndarray) -> "Posture":
        """The samples of some rows."""
        return Posture(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})


def posture_of(landmarks: np.ndarray) -> Posture:
    """Describes a body whose directions (forwards, left) are those of its feet.

    Args:
        landmarks: (T, 17, 3) [m].
    """
    at = {name: landmarks[:, k] for k, name in enumerate(LANDMARKS)}
    middle = {name: 0.5 * (at[f"left_{name}"] + at[f"right_{name}"]) for name in ("shoulder", "hip", "ankle")}
    ahead, left = _directions(at)
    angles = joint_angles(landmarks)
    trunk = middle["shoulder"] - middle["hip"]
    wrists = [at[f"{side}_wrist"] - middle["shoulder"] for side in ("left", "right")]
    return Posture(
        height=middle["hip"][:, 2],
        leg=_leg_length(at),
        knee=180.0 - angles[:, _columns("knee")],
        hip=180.0 - angles[:, _columns("hip")],
        elbow=180.0 - angles[:, _columns("elbow")],
        shank=_both(lambda side: _tilt(at[f"{side}_knee"] - at[f"{side}_ankle"], ahead)),
        lean=_tilt(trunk, ahead),
        upper_arm=_both(lambda side: _angle(at[f"{side}_elbow"] - at[f"{side}_shoulder"], -_UP)),
        wrist=np.column_stack([_dot(wrist, axis) for wrist in wrists for axis in (ahead, left, _UP)]),
        stance=np.linalg.norm((at["left_ankle"] - at["right_ankle"])[:, :2], axis=1),
        toe_out=_toe_out(at),
        heel=_both(lambda side: at[f"{side}_heel"][:, 2]),
        knee_in=_both(lambda side: _inside(at, side, left)),
        sideways=_dot(middle["hip"] - middle["ankle"], left),
    )


def _columns(joint: str) -> list[int]:
    return [JOINT_ANGLES.index(f"{side}_{joint}") for side in ("left", "right")]


def _both(measure) -> np.ndarray:
    return np.column_stack([measure("left"), measure("right")])


def _dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a * b).sum(-1)


def _angle(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Angle (T,) between vectors [deg]."""
    return np.rad2deg(np.arccos(np.clip(_dot(a, b) / np.linalg.norm(a, axis=-1) / np.linalg.norm(b), -1.0, 1.0)))


def _tilt(segment: np.ndarray, ahead: np.ndarray) -> np.ndarray:
    """Angle (T,) of an upright segment towards the front [deg]."""
    return np.rad2deg(np.arctan2(_dot(segment, ahead), segment[:, 2]))


def _foot(at: dict[str, np.ndarray], side: str) -> np.ndarray:
    """Horizontal direction (T, 3) from heel to toes."""
    foot = (at[f"{side}_foot_index"] - at[f"{side}_heel"]) * (1.0, 1.0, 0.0)
    return foot / np.maximum(np.linalg.norm(foot, axis=1, keepdims=True), SMALLEST_LENGTH_M)


def _directions(at: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Horizontal unit vectors (T, 3) forwards and to the left: forwards is midway between both feet."""
    ahead = _foot(at, "left") + _foot(at, "right")
    ahead /= np.maximum(np.linalg.norm(ahead, axis=1, keepdims=True), SMALLEST_LENGTH_M)
    return ahead, np.cross(_UP, ahead)


def _toe_out(at: dict[str, np.ndarray]) -> np.ndarray:
    left, right = _foot(at, "left"), _foot(at, "right")
    return 0.5 * np.rad2deg(np.arctan2(np.cross(right, left)[:, 2], _dot(left, right)))


def _leg_length(at: dict[str, np.ndarray]) -> np.ndarray:
    bones = [
        (f"{side}_{a}", f"{side}_{b}") for side in ("left", "right") for a, b in (("hip", "knee"), ("knee", "ankle"))
    ]
    return 0.5 * np.sum([np.linalg.norm(at[a] - at[b], axis=1) for a, b in bones], axis=0)


_BONES = {
    "hips": ("left_hip", "right_hip"),
    "shoulders": ("left_shoulder", "right_shoulder"),
    "thigh": ("left_hip", "left_knee"),
    "upper_arm": ("left_shoulder", "left_elbow"),
    "forearm": ("left_elbow", "left_wrist"),
}


def proportions(landmarks: np.ndarray) -> dict[str, float]:
    """Distances of landmarks (T, 17, 3) over leg length: hips, shoulders, thigh, upper arm, forearm, medians."""
    at = {name: landmarks[:, k] for k, name in enumerate(LANDMARKS)}
    leg = np.maximum(_leg_length(at), SMALLEST_LENGTH_M)
    return {
        f"{name}_length": float(np.median(np.linalg.norm(at[a] - at[b], axis=1) / leg))
        for name, (a, b) in _BONES.items()
    }


def _inside(at: dict[str, np.ndarray], side: str, left: np.ndarray) -> np.ndarray:
    hip, knee, ankle = (at[f"{side}_{name}"] for name in ("hip", "knee", "ankle"))
    share = (knee - ankle)[:, 2] / (hip - ankle)[:, 2]
    line = ankle + share[:, None] * (hip - ankle)
    return _dot(line - knee, left) * (1.0 if side == "left" else -1.0)


@dataclass(frozen=True, kw_only=True)
class Events:
    """When a repetition changes its phase [s]: it leaves standing, reaches and leaves the bottom, stands again."""

    descent: float
    bottom: float
    ascent: float
    stand: float


def find_events(time: np.ndarray, height: np.ndarray) -> Events | None:
    """Finds the phases of one repetition by the height of the pelvis.

    Standing ends where the pelvis has sunk by `LEVEL` of the drop, and begins where it has risen to as much; the
    bottom is what lies within `LEVEL` of the lowest point. The drop is that from the highest point before, and after.

    Args:
        time: (T,) increasing [s].
        height: (T,) of the pelvis [m].

    Returns:
        None where the pelvis does not sink by `SMALLEST_DROP_M` and rise again.
    """
    lowest = int(height.argmin())
    tops = (height[: lowest + 1].max(), height[lowest:].max())
    floor = height[lowest]
    if min(tops) - floor < SMALLEST_DROP_M:
        return None
    down, up = slice(lowest, None, -1), slice(lowest, None)
    return Events(
        descent=_crossing(time[down], height[down], tops[0] - LEVEL * (tops[0] - floor)),
        bottom=_crossing(time[down], height[down], floor + LEVEL * (tops[0] - floor)),
        ascent=_crossing(time[up], height[up], floor + LEVEL * (tops[1] - floor)),
        stand=_crossing(time[up], height[up], tops[1] - LEVEL * (tops[1] - floor)),
    )


def _crossing(time: np.ndarray, height: np.ndarray, level: float) -> float:
    """When the height first reaches a level, seen from the lowest point; linear between samples."""
    k = int(np.argmax(height >= level))
    low, high = height[k - 1], height[k]
    return float(time[k - 1] + (time[k] - time[k - 1]) * (level - low) / (high - low))


def curve(time: np.ndarray, values: np.ndarray, events: Events) -> np.ndarray:
    """Values (`CURVE_POINTS`,) at equal steps from the beginning of the descent to standing again."""
    return np.interp(np.linspace(events.descent, events.stand, CURVE_POINTS), time, values)
