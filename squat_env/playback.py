"""Kinematic playback: what the sensors of a model read along a given course of movement, without its physics.

MuJoCo's own sensors are evaluated at given positions, velocities and accelerations; no force is worked out, so
nothing says whether a person could move so.
"""

import mujoco
import numpy as np

from squat_env.coordinates import Course
from squat_env.simulate import Simulation, reset_data

_STAGES = (
    mujoco.mj_kinematics,
    mujoco.mj_comPos,
    mujoco.mj_comVel,
    mujoco.mj_sensorPos,
    mujoco.mj_sensorVel,
    mujoco.mj_rnePostConstraint,  # accelerations of the bodies from `qacc`
    mujoco.mj_sensorAcc,
)


def play(model: mujoco.MjModel, course: Course, data: mujoco.MjData | None = None) -> Simulation:
    """Plays a course (N rows, one a physics step); its time begins at 0. `data`, if given, is overwritten."""
    return play_states(model, course.qpos, course.qvel, course.qacc, data)


def play_states(
    model: mujoco.MjModel, qpos: np.ndarray, qvel: np.ndarray, qacc: np.ndarray, data: mujoco.MjData | None = None
) -> Simulation:
    """Plays given positions (N, nq), velocities and accelerations (N, nv), one row a physics step."""
    own = reset_data(model, data)
    sensors = np.empty((len(qpos), model.nsensordata))
    for row, position, velocity, acceleration in zip(sensors, qpos, qvel, qacc, strict=True):
        own.qpos[:], own.qvel[:], own.qacc[:] = position, velocity, acceleration
        for stage in _STAGES:
            stage(model, own)
        row[:] = own.sensordata
    return Simulation(time=np.arange(len(qpos)) * model.opt.timestep, qpos=qpos, sensors=sensors)
