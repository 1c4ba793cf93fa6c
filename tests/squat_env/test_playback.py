"""Courses of movement and their playback through MuJoCo's sensors."""

import mujoco
import numpy as np
import pytest

from squat_env.coordinates import Course, coordinates_of, moved
from squat_env.model import build_model
from squat_env.playback import play, play_states
from squat_env.sensors import read_sensors
from tests.squat_env.wearers import BODY, mounted, rms

STEP_S = 0.0025


@pytest.fixture(scope="module")
def model():
    return build_model(BODY, mounted())


@pytest.fixture(scope="module")
def course():
    """Three seconds of wild but smooth movement, upright enough for the angles."""
    rng = np.random.default_rng(0)
    knots = np.linspace(0.0, 3.0, 16)
    value = 0.3 * rng.standard_normal((16, 35))
    value[:, 2] += 1.0
    return Course.splined(knots, value, np.arange(0.0, 3.0, STEP_S))


def test_a_body_at_rest_reads_gravity_upwards(model):
    still = Course(value=np.zeros((3, 35)), rate=np.zeros((3, 35)), curve=np.zeros((3, 35)))
    ideal = read_sensors(model, play(model, still))
    data = mujoco.MjData(model)
    data.qpos[:] = still.qpos[0]
    mujoco.mj_kinematics(model, data)
    for device in ("watch", "phone"):
        up = data.site(device).xmat.reshape(3, 3) @ getattr(ideal, f"{device}_accel")[0]
        assert np.allclose(up, [0.0, 0.0, 9.81], atol=1e-9), device
        assert np.abs(getattr(ideal, f"{device}_gyro")).max() < 1e-12, device


def test_coordinates_come_back_from_positions(course):
    assert np.allclose(coordinates_of(course.qpos), course.value, atol=1e-12)


def test_acceleration_is_the_derivative_of_velocity(course):
    finite = np.gradient(course.qvel, STEP_S, axis=0)[1:-1]
    assert np.abs(finite - course.qacc[1:-1]).max() < 1e-2 * np.abs(course.qacc).max()


def test_readings_agree_with_finite_differences_of_the_devices(model, course):
    played = play(model, course)
    ideal, data = read_sensors(model, played), mujoco.MjData(model)
    place, turn = np.empty((2, len(played.time), 3)), np.empty((2, len(played.time), 3, 3))
    for k, pose in enumerate(played.qpos):
        data.qpos[:] = pose
        mujoco.mj_kinematics(model, data)
        for row, device in enumerate(("watch", "phone")):
            place[row, k], turn[row, k] = data.site(device).xpos, data.site(device).xmat.reshape(3, 3)
    distance = np.linalg.norm(place[1] - place[0], axis=1)
    assert np.abs(distance - ideal.distance).max() < 1e-9
    for row, device in enumerate(("watch", "phone")):
        felt = (place[row, 2:] - 2 * place[row, 1:-1] + place[row, :-2]) / STEP_S**2 + [0.0, 0.0, 9.81]
        felt = np.einsum("kji,kj->ki", turn[row, 1:-1], felt)
        assert rms(felt - getattr(ideal, f"{device}_accel")[1:-1]) < 0.05, device
        spin = np.einsum("kji,kjl->kil", turn[row, 1:-1], (turn[row, 2:] - turn[row, :-2]) / (2 * STEP_S))
        spin = np.stack([spin[:, 2, 1], spin[:, 0, 2], spin[:, 1, 0]], axis=1)
        assert rms(spin - getattr(ideal, f"{device}_gyro")[1:-1]) < 0.01, device


def test_playback_reads_what_inverse_dynamics_reads(model, course):
    qpos, qvel, qacc = course.qpos[::100], course.qvel[::100], course.qacc[::100]
    played, data = play_states(model, qpos, qvel, qacc), mujoco.MjData(model)
    for row, states in zip(played.sensors, zip(qpos, qvel, qacc, strict=True), strict=True):
        data.qpos[:], data.qvel[:], data.qacc[:] = states
        mujoco.mj_inverse(model, data)
        assert np.array_equal(row, data.sensordata)


def test_devices_do_not_feel_where_a_body_is_and_which_way_it_faces(model, course):
    shifted = moved(course.qpos, np.array([3.0, -2.0]), 2.0)
    rows = coordinates_of(shifted)
    assert np.allclose(rows[:, 3:5], course.value[:, 3:5], atol=1e-9)
    assert np.allclose(np.diff(rows[:, 5]), np.diff(course.value[:, 5]), atol=1e-9)
    assert np.allclose(
        np.linalg.norm(rows[0, :2] - rows[-1, :2]), np.linalg.norm(course.value[0, :2] - course.value[-1, :2])
    )
