"""Where the feet are in many poses at once: what `mj_kinematics` finds, for the legs alone."""

import mujoco
import numpy as np

from squat_env.limbs import foot_places
from squat_env.placement import SIDES
from squat_env.rotations import of_quaternions


def foot_sites(model: mujoco.MjModel, qpos: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    """World positions of places on both feet.

    Args:
        model: The wearer.
        qpos: (T, nq) poses.
        names: P sites of a foot, without the side.

    Returns:
        (T, 2, P, 3) left and right [m].
    """
    both, pelvis = [], of_quaternions(qpos[:, 3:7])
    for number, side in enumerate(SIDES):
        first = int(model.joint(f"{side}_hip_flexion").qposadr[0])
        joints = np.array([model.body(f"{side}_{part}").pos for part in ("thigh", "shank", "foot")])
        sites = np.array([model.site(f"{side}_{name}").pos for name in names])
        both.append(foot_places(qpos[:, :3], pelvis, qpos[:, first : first + 7], joints, sites, 1.0 - 2.0 * number))
    return np.stack(both, axis=1)
