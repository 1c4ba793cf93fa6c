"""What a plan's torques are worked out from, against MuJoCo's own functions."""

import mujoco
import numpy as np
import pytest
from wearers import BODY, STILL, mounted

from squat_env.dynamics import jacobians, moved_by
from squat_env.exercises import EXERCISES
from squat_env.model import build_model
from squat_env.population import Population, Seeds, prepare
from squat_env.reference import plan
from squat_env.rotations import of_quaternions
from squat_env.simulate import reset_data

SITES = ("left_sole", "right_toe", "pelvis_support", "back_support")


@pytest.mark.parametrize("exercise", ["squat", "leg_raise"])
def test_jacobians_are_those_of_mujoco(exercise):
    prepared = prepare(Population(), Seeds(seed=1, index=0), exercise=exercise)
    model, data = prepared.model, mujoco.MjData(prepared.model)
    sites = [k for name in SITES if (k := mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_SITE, name)) >= 0]
    assert len(sites) == (4 if EXERCISES[exercise].height == "floor" else 2)
    poses, wanted = prepared.reference.qpos[::100], []
    axes, places = np.empty((len(poses), model.nv, 6)), np.empty((len(poses), len(sites), 3))
    for k, pose in enumerate(poses):
        data.qpos[:] = pose
        mujoco.mj_kinematics(model, data)
        mujoco.mj_comPos(model, data)
        axes[k], places[k] = data.cdof, data.site_xpos[sites] - data.subtree_com[1]
        wanted.append(np.zeros((len(sites), 2, 3, model.nv)))
        for site, (moves, turns) in zip(sites, wanted[-1], strict=True):
            mujoco.mj_jacSite(model, data, moves, turns, site)
    assert np.allclose(jacobians(axes, places, moved_by(model, sites)), wanted, atol=1e-12)


def test_rotations_of_quaternions_are_those_of_mujoco():
    quat, wanted = np.random.default_rng(0).standard_normal((50, 4)), np.empty((50, 9))
    quat /= np.linalg.norm(quat, axis=1, keepdims=True)
    for one, matrix in zip(quat, wanted, strict=True):
        mujoco.mju_quat2Mat(matrix, one)
    assert np.allclose(of_quaternions(quat), wanted.reshape(-1, 3, 3), atol=1e-12)


def test_used_data_serve_a_model_of_the_same_layout_alone():
    model, other = build_model(BODY, mounted()), build_model(BODY, mounted("right"))
    used = mujoco.MjData(other)
    used.qpos[:], used.ctrl[:] = plan(other, BODY, STILL).qpos[500], 1.0
    mujoco.mj_step(other, used)
    again, new = reset_data(model, used), mujoco.MjData(model)
    assert again is used
    for data in (again, new):
        mujoco.mj_step(model, data)
    assert np.array_equal(again.qpos, new.qpos)
    assert np.array_equal(again.sensordata, new.sensordata)
    assert reset_data(build_model(BODY, mounted(), balance=True), used) is not used
