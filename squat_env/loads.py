"""What a planned set asks of the joints and the ground, by inverse dynamics."""

import mujoco
import numpy as np

from squat_env.model import SIDES, joint_names
from squat_env.reference import Reference
from squat_env.timeline import GRAVITY

# load -> joint, and the sign of its torque that carries the body
_JOINTS = {
    "knee_torque": ("knee_flexion", -1.0),
    "hip_torque": ("hip_flexion", -1.0),
    "ankle_torque": ("ankle_flexion", -1.0),
}
FORCE_HZ = 50.0  # at which the ground force is computed


def peak_loads(model: mujoco.MjModel, reference: Reference) -> dict[str, float]:
    """Largest loads over a set.

    Returns:
        `knee_torque`, `hip_torque` (extension) and `ankle_torque` (plantarflexion) of the side that bears more, over
        body mass [N m/kg]; `ground_force`, vertical, of both feet over body weight; `ankle_flexion`, largest
        dorsiflexion [deg].
    """
    mass = float(model.body_subtreemass[1])
    names = joint_names()

    def columns(joint: str) -> list[int]:
        return [names.index(f"{side}_{joint}") for side in SIDES]

    loads = {
        name: float((sign * reference.torque[:, columns(joint)]).max() / mass)
        for name, (joint, sign) in _JOINTS.items()
    }
    loads["ground_force"] = float(1.0 + _centre_of_mass_acceleration(model, reference).max() / GRAVITY)
    loads["ankle_flexion"] = float(np.rad2deg(reference.qpos[:, 7:][:, columns("ankle_flexion")].max()))
    return loads


def _centre_of_mass_acceleration(model: mujoco.MjModel, reference: Reference) -> np.ndarray:
    """Vertical [m/s^2], at `FORCE_HZ`."""
    every = max(1, round(1.0 / (FORCE_HZ * model.opt.timestep)))
    data = mujoco.MjData(model)
    height = np.empty(len(reference.qpos[::every]))
    for k, pose in enumerate(reference.qpos[::every]):
        data.qpos[:] = pose
        mujoco.mj_kinematics(model, data)
        mujoco.mj_comPos(model, data)
        height[k] = data.subtree_com[1, 2]
    return np.diff(height, 2) / (every * model.opt.timestep) ** 2
