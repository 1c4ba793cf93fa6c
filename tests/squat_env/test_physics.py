"""Simulation, sensors and labels: what is read against what is known."""

import mujoco
import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from wearers import BODY, STILL, mounted, performed, rms

from squat_env.crossing import Solids, body_shapes
from squat_env.labels import Phases, halfway, upright
from squat_env.landmarks import joint_angles
from squat_env.model import LANDMARKS, build_model
from squat_env.motion import Cycle, Motion
from squat_env.population import Population, Seeds, prepare
from squat_env.reference import controls, plan
from squat_env.sensors import Surveyor, read_sensors
from squat_env.simulate import SimulationFailed, initial_state, judge, refuse_warnings, simulate


@pytest.mark.parametrize("index", range(20))
def test_random_wearers_squat_fully_and_stay_upright(index):
    prepared = prepare(Population(), Seeds(seed=77, index=index))
    done = simulate(prepared.model, prepared.reference)
    outcome = judge(prepared.model, prepared.reference, done)
    assert outcome.success, outcome
    phase = Phases.of(prepared.reference).phase(done.qpos, prepared.reference.repetition)
    assert list(np.diff(phase)[np.diff(phase) != 0]) == [-1, 1]
    assert (phase[0], phase[-1]) == (1, 1)


def test_a_plain_loop_gives_the_same():
    model, reference, done = performed()
    _, data = initial_state(model, reference)
    for k, target in enumerate(controls(model, reference)[:400]):
        assert np.allclose(data.qpos, done.qpos[k], atol=1e-12), k
        data.ctrl[:] = target
        mujoco.mj_step(model, data)
        assert np.allclose(data.sensordata, done.sensors[k], atol=1e-9), k


def test_a_broken_state_is_noticed():
    model = build_model(BODY, mounted())
    data = mujoco.MjData(model)
    data.qvel[:] = 1e12
    for _ in range(20):
        mujoco.mj_step(model, data)
    with pytest.raises(SimulationFailed, match="warned"):
        refuse_warnings(data)


def test_nobody_holds_a_person_up():
    model, reference, _ = performed()
    _, data = initial_state(model, reference)
    model.actuator_gainprm[:] = 0
    model.actuator_biasprm[:] = 0
    for _ in range(600):
        mujoco.mj_step(model, data)
    assert data.qpos[2] < 0.6 * reference.qpos[0, 2]


def test_at_rest_the_accelerometer_reads_gravity_upwards():
    still = Motion(knee_flexion_deg=21.0, cycles=(Cycle(before_s=1.5, descent_s=3.0, ascent_s=3.0),))
    model, _, done = performed(still)
    ideal, now = read_sensors(model, done), 500
    data = mujoco.MjData(model)
    data.qpos[:] = done.qpos[now]
    mujoco.mj_kinematics(model, data)
    for device in ("watch", "phone"):
        world = data.site(device).xmat.reshape(3, 3) @ getattr(ideal, f"{device}_accel")[now]
        assert np.allclose(world, [0, 0, 9.81], atol=0.01), device


def test_falling_freely_it_reads_nothing():
    model = build_model(BODY, mounted())
    model.opt.gravity[:] = 0, 0, -9.81
    data = mujoco.MjData(model)
    data.qpos[2] = 50.0
    data.ctrl[:] = data.qpos[7:]
    mujoco.mj_forward(model, data)
    assert np.abs(data.sensor("phone_accel").data).max() < 1e-9


def test_a_known_spin_is_read_in_the_axes_of_each_device():
    model, spin = build_model(BODY, mounted()), np.array([0.3, -1.2, 2.0])
    data = mujoco.MjData(model)
    data.qpos[2], data.qvel[3:6] = 50.0, spin
    mujoco.mj_forward(model, data)
    world = data.body("pelvis").xmat.reshape(3, 3) @ spin
    for device in ("watch", "phone"):
        read = data.site(device).xmat.reshape(3, 3) @ data.sensor(f"{device}_gyro").data
        np.testing.assert_allclose(read, world, atol=1e-9, err_msg=device)


def test_the_accelerometer_is_the_movement_of_its_site():
    model, _, done = performed(Motion(sway_deg=3.0))
    ideal, step = read_sensors(model, done), done.time[1]
    data, place, turn = mujoco.MjData(model), {}, {}
    for device in ("watch", "phone"):
        place[device], turn[device] = np.empty((len(done.time), 3)), np.empty((len(done.time), 3, 3))
    for k, pose in enumerate(done.qpos):
        data.qpos[:] = pose
        mujoco.mj_kinematics(model, data)
        for device in place:
            place[device][k], turn[device][k] = data.site(device).xpos, data.site(device).xmat.reshape(3, 3)
    for device, bound in (("phone", 0.01), ("watch", 0.05)):
        moved = np.diff(place[device], 2, axis=0)[100:-100] / step**2 + [0, 0, 9.81]
        read = np.einsum("tij,tj->ti", turn[device], getattr(ideal, f"{device}_accel"))
        stepped = read[101:-101]  # the acceleration of step k+1 makes the velocity between k+1 and k+2 of that before
        assert rms(moved - stepped) < bound, device
        relative = Rotation.from_matrix(np.einsum("tji,tjk->tik", turn[device][:-2], turn[device][2:]))
        gyro = getattr(ideal, f"{device}_gyro")[1:-1]
        assert rms((relative.as_rotvec() / (2 * step) - gyro)[100:-100]) < 0.01, device


def test_the_range_is_the_distance():
    model, _, done = performed()
    data, ideal = mujoco.MjData(model), read_sensors(model, done)
    for k in range(0, len(done.time), 100):
        data.qpos[:] = done.qpos[k]
        mujoco.mj_kinematics(model, data)
        assert abs(np.linalg.norm(data.site("watch").xpos - data.site("phone").xpos) - ideal.distance[k]) < 1e-9


def test_body_crossed_against_points_along_the_line():
    model = build_model(BODY, mounted())
    reference = plan(model, BODY, STILL)
    data, shapes, rng = mujoco.MjData(model), body_shapes(model), np.random.default_rng(0)
    data.qpos[:] = reference.qpos[600]
    mujoco.mj_kinematics(model, data)
    start, end = rng.uniform([-0.6, -0.6, 0.0], [0.6, 0.6, 1.7], (2, 60, 3))
    centres, turns = data.geom_xpos[shapes], data.geom_xmat[shapes].reshape(-1, 3, 3)
    solids = Solids.of(model, shapes)
    found = np.array([solids.crossed(data, *ends) for ends in zip(start, end, strict=True)])
    share = np.linspace(0, 1, 4001)[:, None]
    for row in range(60):
        points, inside = start[row] + share * (end[row] - start[row]), np.zeros(4001, bool)
        for centre, turn, shape in zip(centres, turns, shapes, strict=True):
            local, size = (points - centre) @ turn, model.geom_size[shape]
            if model.geom_type[shape] == mujoco.mjtGeom.mjGEOM_ELLIPSOID:
                inside |= ((local / size) ** 2).sum(1) < 1
            else:
                local[:, 2] -= np.clip(local[:, 2], -size[1], size[1])
                inside |= (local**2).sum(1) < size[0] ** 2
        assert abs(found[row] - inside.mean() * np.linalg.norm(end[row] - start[row])) < 2e-3, row
    assert (found > 0.05).any()
    assert (found == 0).any()


def crossed_by_rays(model, data, start, end) -> float:
    """The same by MuJoCo's rays, from surface to surface until none is left."""
    length, at = float(np.linalg.norm(end - start)), 0.0
    along = (end - start) / length
    shapes, geom, normal = set(body_shapes(model).tolist()), np.zeros(1, np.int32), np.zeros(3)
    chords, entered = [], {}
    while (step := mujoco.mj_ray(model, data, start + at * along, along, None, False, -1, geom, normal)) >= 0:
        at += step
        if geom.item() in shapes:
            if normal @ along < 0:
                entered[geom.item()] = at
            else:
                chords.append((entered.pop(geom.item(), 0.0), at))
        at += 1e-10
    total = reached = 0.0
    for enter, leave in sorted(chords):
        total += max(0.0, min(leave, length) - max(enter, reached))
        reached = max(reached, leave)
    return total


def test_rays_find_the_same_body_in_the_way():
    model = build_model(BODY, mounted())
    reference, surveyor, rng = plan(model, BODY, STILL), Surveyor(model), np.random.default_rng(0)
    poses, solids = reference.qpos[::100], Solids.of(model, body_shapes(model))
    scene = surveyor.scene(poses)
    for k, pose in enumerate(poses):
        assert surveyor.sight(pose) == pytest.approx((scene.distance[k], scene.thickness[k]), abs=1e-12)
        data = surveyor.data
        for start, end in rng.uniform([-0.3, -0.3, 0.0], [0.3, 0.3, 1.7], (20, 2, 3)):
            assert solids.crossed(data, start, end) == pytest.approx(crossed_by_rays(model, data, start, end), abs=1e-9)
    inside = data.geom("left_thigh").xpos
    assert solids.crossed(data, inside, inside + np.array([0.0, 0.0, 0.03])) == pytest.approx(0.03, abs=1e-9)


def test_angles_of_a_known_pose():
    model = build_model(BODY, mounted())
    data = mujoco.MjData(model)
    data.joint("left_knee_flexion").qpos[0] = np.deg2rad(90)
    data.joint("right_elbow_flexion").qpos[0] = np.deg2rad(60)
    mujoco.mj_kinematics(model, data)
    marks = np.array([data.site(name).xpos for name in LANDMARKS])
    angles = joint_angles(marks)
    assert np.isclose(angles[3], 90.0)
    assert np.isclose(angles[8], 180.0)
    assert np.isclose(angles[5], 120.0)
    turned = 2.5 * marks @ Rotation.from_euler("xyz", [0.3, 1.0, -2.0]).as_matrix()
    assert np.allclose(joint_angles(turned), angles)


def test_the_phase_flips_halfway():
    height = np.array([1.0, 0.8, 0.4, 0.9, 1.0, 0.9, 0.6, 0.8])
    repetition = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    threshold = halfway(height, repetition)
    assert np.allclose(threshold, [0.7, 0.8])
    assert upright(height, threshold[repetition]).tolist() == [1, 1, 0, 1, 1, 1, 0, 0]
