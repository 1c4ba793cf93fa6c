"""Where the feet are in many poses at once: what `mj_kinematics` finds, for the legs alone and without a loop."""

import mujoco
import numpy as np

from squat_env.placement import SIDES
from squat_env.rotations import about, euler_yxz, of_quaternions


def foot_sites(model: mujoco.MjModel, qpos: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    """World positions of places on both feet.

    Args:
        model: The wearer.
        qpos: (T, nq) poses.
        names: P sites of a foot, without the side.

    Returns:
        (T, 2, P, 3) left and right [m].
    """
    root, turn = qpos[:, :3], of_quaternions(qpos[:, 3:7])
    return np.stack([_foot(model, qpos, root, turn, side, names) for side in range(2)], axis=1)


def _foot(
    model: mujoco.MjModel, qpos: np.ndarray, place: np.ndarray, turn: np.ndarray, side: int, names: tuple[str, ...]
) -> np.ndarray:
    first = int(model.joint(f"{SIDES[side]}_hip_flexion").qposadr[0])
    signs = (-1, 1 - 2 * side, 1 - 2 * side)
    hip, knee = euler_yxz(qpos[:, first : first + 3], signs), about("y", qpos[:, first + 3])
    ankle = euler_yxz(qpos[:, first + 4 : first + 7], signs)
    for part, bend in (("thigh", hip), ("shank", knee), ("foot", ankle)):
        place, turn = place + turn @ model.body(f"{SIDES[side]}_{part}").pos, turn @ bend
    sites = np.array([model.site(f"{SIDES[side]}_{name}").pos for name in names])
    return place[:, None] + sites @ turn.transpose(0, 2, 1)
