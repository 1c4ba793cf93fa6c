"""A loose device: one movement in both signals, the same in pieces, and that of a pendulum in MuJoCo."""

from dataclasses import replace

import mujoco
import numpy as np
import pytest
from wearers import rms

from squat_env.wobble import Looseness, mirrored_looseness, wobble

STEP_S = 0.0025
TIME = np.arange(0, 6, STEP_S)
POCKET = Looseness(play_deg=12.0, natural_hz=4.0, damping=0.3, axis=(1.0, 0.0, 0.0), arm_m=(0.0, 0.06, 0.0))
STRAP = Looseness(play_deg=8.0, natural_hz=8.0, damping=0.4, axis=(0.8, 0.6, 0.0), arm_m=(0.0, 0.0, 0.035))


def moving(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Slow sums of sines about gravity, as on a squatting thigh."""
    rng = np.random.default_rng(seed)
    f, phase = rng.uniform(0.3, 5.0, (2, 6, 3))
    waves = np.sin(2 * np.pi * f * TIME[:, None, None] + phase).sum(1)
    return waves + np.array([0.0, 9.81, 0.0]), 0.5 * waves[:, ::-1]


def felt(looseness: Looseness, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    accel, gyro, _ = wobble(*moving(seed), looseness, timestep_s=STEP_S)
    return accel, gyro


def test_a_tight_device_is_left_alone():
    accel, gyro = moving()
    before = accel.copy(), gyro.copy()
    same, turning, _ = wobble(accel, gyro, Looseness(), timestep_s=STEP_S)
    assert np.array_equal(same, accel)
    assert np.array_equal(turning, gyro)
    wobble(accel, gyro, POCKET, timestep_s=STEP_S)
    assert np.array_equal(accel, before[0])
    assert np.array_equal(gyro, before[1])


@pytest.mark.parametrize("looseness", [POCKET, STRAP], ids=["pocket", "strap"])
def test_at_rest_it_sags_and_reads_gravity(looseness):
    rest = np.tile([3.0, 8.0, 4.0], (400, 1))
    accel, gyro, _ = wobble(rest, 0 * rest, looseness, timestep_s=STEP_S)
    assert np.allclose(np.linalg.norm(accel, axis=1), np.linalg.norm(rest[0]), atol=1e-9)
    assert np.abs(gyro).max() < 1e-9
    assert np.ptp(accel, axis=0).max() < 1e-9
    sag = np.arccos(accel[0] @ rest[0] / (rest[0] @ rest[0]))
    assert 0.0 < np.rad2deg(sag) <= looseness.play_deg


@pytest.mark.parametrize("looseness", [POCKET, STRAP], ids=["pocket", "strap"])
def test_pieces_with_their_state_are_the_whole(looseness):
    accel, gyro = moving()
    whole, state = felt(looseness), None
    pieces = []
    for piece in np.array_split(np.arange(len(TIME)), [1, 2, 7, 27, 1000]):
        *part, state = wobble(accel[piece], gyro[piece], looseness, timestep_s=STEP_S, state=state)
        pieces.append(part)
    for k in range(2):
        assert np.allclose(np.concatenate([part[k] for part in pieces]), whole[k], rtol=0, atol=1e-12)


def test_the_future_has_no_effect():
    accel, gyro = moving()
    early, _, _ = wobble(accel[:500], gyro[:500], POCKET, timestep_s=STEP_S)
    assert np.allclose(early, felt(POCKET)[0][:500], rtol=0, atol=1e-12)


@pytest.mark.parametrize("change", ["play", "natural"])
def test_a_looser_device_moves_more(change):
    loosened = {
        "play": [replace(POCKET, play_deg=play) for play in (0.0, 3.0, 6.0, 12.0)],
        "natural": [Looseness(), *(replace(POCKET, natural_hz=hz) for hz in (16.0, 8.0, 4.0))],
    }[change]
    gyro = moving()[1]
    energy = [rms(felt(looseness)[1] - gyro) for looseness in loosened]
    assert energy[0] == 0.0
    assert (np.diff(energy) > 0.01).all()


@pytest.mark.parametrize("looseness", [POCKET, STRAP], ids=["pocket", "strap"])
def test_the_extra_angular_velocity_adds_up_to_the_turn(looseness):
    accel, gyro = np.tile([2.0, 9.0, 3.0], (len(TIME), 1)), np.zeros((len(TIME), 3))
    accel += np.sin(2 * np.pi * 2.0 * TIME)[:, None] * [3.0, -3.0, 4.0]
    axis = np.array(looseness.axis)
    turned, turning, _ = wobble(accel, gyro, looseness, timestep_s=STEP_S)
    assert np.allclose(turning, (turning @ axis)[:, None] * axis, atol=1e-12)
    speed = turning @ axis
    swing = np.concatenate([[0.0], np.cumsum(0.5 * (speed[1:] + speed[:-1])) * STEP_S])
    assert np.abs(swing).max() > np.deg2rad(2.0)
    arm = np.array(looseness.arm_m)
    outward, tangent = arm / np.linalg.norm(arm), np.cross(axis, arm) / np.linalg.norm(arm)
    # what the swing itself adds lies in its plane; taken away, the acceleration is the tight one's, turned
    own = np.linalg.norm(arm) * (np.gradient(speed, STEP_S)[:, None] * tangent - (speed**2)[:, None] * outward)
    plane = (turned - own) @ np.column_stack([outward, tangent])
    tight = accel @ np.column_stack([outward, tangent])
    seen = np.unwrap(np.arctan2(tight[:, 1], tight[:, 0]) - np.arctan2(plane[:, 1], plane[:, 0]))
    assert np.abs((seen - seen[0]) - swing)[5:-5].max() < 0.01
    assert np.allclose(turned @ axis, accel @ axis)


def test_it_is_the_pendulum_of_mujoco():
    """A point mass on a sprung arm, on a carriage that is shaken along the arc; gravity lies along the axis."""
    mass, arm, natural_hz, damping = 0.2, 0.06, 4.0, 0.3
    inertia, omega = mass * arm**2, 2 * np.pi * natural_hz
    model = mujoco.MjModel.from_xml_string(f"""
    <mujoco><option timestep="0.0005" integrator="RK4" gravity="-9.81 0 0"/>
      <worldbody><body name="segment"><joint name="shaken" type="slide" axis="0 0 1"/>
        <geom name="carriage" size="0.1" mass="1e6"/><site name="tight" pos="0 {arm} 0"/>
        <body name="loose"><joint name="swing" axis="1 0 0" stiffness="{inertia * omega**2}"
            damping="{2 * damping * omega * inertia}"/>
          <geom name="phone" size="0.002" pos="0 {arm} 0" mass="{mass}"/><site name="loose" pos="0 {arm} 0"/>
      </body></body></worldbody>
      <sensor><accelerometer name="tight" site="tight"/><accelerometer name="loose" site="loose"/>
        <gyro name="loose_gyro" site="loose"/></sensor></mujoco>""")
    data, rows = mujoco.MjData(model), []
    for k in range(4000):
        data.qfrc_applied[0] = 1e6 * 3.0 * np.sin(2 * np.pi * 1.5 * k * model.opt.timestep) * min(1.0, k / 1000)
        mujoco.mj_step(model, data)
        rows.append(data.sensordata.copy())
    tight, loose, turning = np.split(np.array(rows), [3, 6], axis=1)
    looseness = Looseness(play_deg=45.0, natural_hz=natural_hz, damping=damping, axis=(1, 0, 0), arm_m=(0, arm, 0))
    accel, gyro, _ = wobble(tight, 0 * tight, looseness, timestep_s=model.opt.timestep)
    assert rms(turning) > 0.3
    assert rms(gyro - turning) < 0.05 * rms(turning)
    assert rms(accel - loose) < 0.05 * rms(loose - tight)


def test_a_mirrored_device_feels_the_mirror_image():
    accel, gyro = moving()
    mirror = np.array([-1.0, 1.0, 1.0])
    looseness = replace(STRAP, axis=(0.6, 0.0, 0.8), arm_m=(0.04, 0.0, -0.03))
    one, turning = felt(looseness)
    other, turned, _ = wobble(accel * mirror, -gyro * mirror, mirrored_looseness(looseness), timestep_s=STEP_S)
    assert np.allclose(other, one * mirror, atol=1e-12)
    assert np.allclose(turned, -turning * mirror, atol=1e-12)


@pytest.mark.parametrize(
    "change",
    [{"play_deg": 90.0}, {"natural_hz": 0.0}, {"damping": 1.0}, {"arm_m": (0.1, 0.0, 0.0)}, {"axis": (0.0, 0.0, 0.0)}],
    ids=lambda change: next(iter(change)),
)
def test_absurd_holds_are_refused(change):
    with pytest.raises(ValueError, match="expected"):
        replace(POCKET, **change)
