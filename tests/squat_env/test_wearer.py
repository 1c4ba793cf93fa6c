"""Body, placement, model and reference."""

import itertools

import mujoco
import numpy as np
import pytest
from wearers import BODY, STILL, mounted

from squat_env.arms import ARM_POSTURES
from squat_env.body import Body, BodyRanges, hip_width, sample_body, segments, shoulder_centres
from squat_env.feet import foot_sites
from squat_env.geometry import InfeasibleMotion
from squat_env.model import build_model, foot_size, joint_names
from squat_env.motion import Cycle, Motion, MotionRanges, sample_motion
from squat_env.placement import SIDES, PlacementRanges, sample_placement
from squat_env.population import Population, Seeds, prepare
from squat_env.reference import plan
from squat_env.timeline import PEAK_ACCELERATION, SWING_PEAK, minimum_jerk, peak_acceleration, timeline


@pytest.mark.parametrize("sex", ["female", "male"])
def test_masses_add_up(sex):
    body = Body(height_m=1.6, mass_kg=61.0, sex=sex)
    model = build_model(body, mounted())
    assert np.isclose(model.body_mass.sum(), 61.0)


def test_longer_legs_leave_the_height():
    one, other = (segments(Body(leg_scale=scale)) for scale in (1.0, 1.06))
    assert np.isclose(other["thigh"].length / one["thigh"].length, 1.06)
    height = [
        sum(parts[name].length for name in ("thigh", "shank", "pelvis", "middle_trunk", "upper_trunk"))
        for parts in (one, other)
    ]
    assert np.isclose(*height)


@pytest.mark.parametrize(
    ("change", "one", "other"),
    [({"thigh_scale": 1.08}, "thigh", "shank"), ({"upper_arm_scale": 1.08}, "upper_arm", "forearm")],
    ids=["leg", "arm"],
)
def test_a_limb_divided_otherwise_is_as_long(change, one, other):
    plain, divided = segments(Body()), segments(Body(**change))
    assert np.isclose(divided[one].length / plain[one].length, 1.08)
    assert np.isclose(*(parts[one].length + parts[other].length for parts in (plain, divided)))


def test_hip_and_shoulder_joints_are_as_far_apart_as_peoples():
    bodies = [sample_body(BodyRanges(), np.random.default_rng(seed)) for seed in range(300)]
    hips = np.percentile([hip_width(body) for body in bodies], (5, 50, 95))
    assert np.allclose(hips, [0.147, 0.176, 0.208], atol=0.008)  # m; 0.17-0.18 in adults (Bell et al. 1989)
    assert all(1.4 < shoulder_centres(body) / hip_width(body) < 2.6 for body in bodies)


@pytest.mark.parametrize("change", [{"height_m": 5.0}, {"mass_kg": 10.0}, {"sex": "x"}, {"leg_scale": 2.0}])
def test_absurd_bodies_are_refused(change):
    with pytest.raises(ValueError, match=f"{next(iter(change))} is"):
        Body(**change)


def test_sampled_bodies_lie_in_their_ranges():
    bodies = [sample_body(BodyRanges(), np.random.default_rng(seed)) for seed in range(300)]
    assert {body.sex for body in bodies} == {"female", "male"}
    assert all(1.45 <= body.height_m <= 2.0 and 17 <= body.bmi <= 35 for body in bodies)


def test_everything_has_a_name():
    model = build_model(BODY, mounted())
    counts = {"BODY": model.nbody, "JOINT": model.njnt, "GEOM": model.ngeom, "SITE": model.nsite}
    counts |= {"SENSOR": model.nsensor, "ACTUATOR": model.nu}
    for kind, count in counts.items():
        for number in range(count):
            assert mujoco.mj_id2name(model, getattr(mujoco.mjtObj, f"mjOBJ_{kind}"), number), (kind, number)
    assert [mujoco.mj_id2name(model, mujoco.mjtObj.mjOBJ_JOINT, k) for k in range(1, model.njnt)] == list(joint_names())


def test_only_soles_and_floor_collide():
    model = build_model(BODY, mounted())
    names = [model.geom(k).name for k in range(model.ngeom) if model.geom_contype[k]]
    assert all(name == "floor" or name.endswith("_sole") for name in names)
    assert len(names) == 13


def test_a_mirrored_pose_is_a_mirror_image():
    left, right = (build_model(BODY, mounted(side)) for side in SIDES)
    rng, data = np.random.default_rng(0), []
    pose = rng.uniform(-0.5, 0.5, len(joint_names()))
    names = joint_names()
    for model, mirrored in ((left, False), (right, True)):
        state = mujoco.MjData(model)
        for name, value in zip(names, pose, strict=True):
            other = _mirror(name) if mirrored else name
            lateral = mirrored and name in ("lumbar_lateral", "lumbar_rotation")
            state.joint(other).qpos[0] = -value if lateral else value
        mujoco.mj_kinematics(model, state)
        data.append(state)
    for name in ("watch", "phone"):
        assert np.allclose(data[0].site(name).xpos * [1, -1, 1], data[1].site(name).xpos, atol=1e-12)
    for side in SIDES:
        mine, theirs = data[0].site(f"{side}_wrist").xpos, data[1].site(f"{_mirror(side)}_wrist").xpos
        assert np.allclose(mine * [1, -1, 1], theirs, atol=1e-12)


def _mirror(name: str) -> str:
    if name.startswith("left"):
        return name.replace("left", "right", 1)
    return name.replace("right", "left", 1)


def test_minimum_jerk_starts_and_ends_at_rest():
    x = np.linspace(0, 1, 1001)
    y = minimum_jerk(x)
    assert (y[0], y[-1]) == (0.0, 1.0)
    speed = np.gradient(y, x)
    assert speed[0] < 1e-4 > speed[-1]
    assert np.isclose(np.abs(np.gradient(speed, x)).max(), 5.77, atol=0.02)


@pytest.mark.parametrize("arms", sorted(ARM_POSTURES))
def test_the_centre_of_mass_stays_over_the_feet_and_the_feet_stay(arms):
    motion = Motion(arms=arms, balance=0.47, knee_flexion_deg=110.0, lean_deg=42.0, cycles=(Cycle(before_s=0.1),))
    model = build_model(BODY, mounted())
    reference = plan(model, BODY, motion)
    poses = reference.qpos[::40]
    names = [f"{side}_{place}" for side in SIDES for place in ("sole", "heel", "toe")]
    data, com, soles = mujoco.MjData(model), [], []
    for pose in poses:
        data.qpos[:] = pose
        mujoco.mj_kinematics(model, data)
        mujoco.mj_comPos(model, data)
        com.append(data.subtree_com[1].copy())
        soles.append([data.site(name).xpos.copy() for name in names])
    wanted = foot_size(BODY).along(0.47) * np.cos(np.deg2rad(motion.toe_out_deg))
    assert np.abs(np.array(com)[:, 0] - wanted).max() < 0.006
    soles = np.array(soles)
    assert np.abs(soles - soles[0]).max() < 1e-3
    assert np.abs(soles[..., 2]).max() < 1e-3
    knee = reference.qpos[:, 7 + joint_names().index("left_knee_flexion")]
    assert np.isclose(np.rad2deg(knee.max()), 110.0, atol=0.5)


def test_the_feet_are_where_mujoco_has_them():
    model = build_model(BODY, mounted())
    data, poses = mujoco.MjData(model), np.random.default_rng(0).uniform(-1.0, 1.0, (20, model.nq))
    poses[:, 3:7] /= np.linalg.norm(poses[:, 3:7], axis=1, keepdims=True)
    found = foot_sites(model, poses, ("sole", "heel"))
    for pose, both in zip(poses, found, strict=True):
        data.qpos[:] = pose
        mujoco.mj_kinematics(model, data)
        wanted = [[data.site(f"{side}_{place}").xpos for place in ("sole", "heel")] for side in SIDES]
        assert np.abs(both - wanted).max() < 1e-12


def test_velocities_are_those_of_the_positions():
    model = build_model(BODY, mounted())
    reference = plan(model, BODY, Motion(sway_deg=5.0, sway_seed=3))
    velocity = np.zeros(model.nv)
    for k in range(100, len(reference.time) - 1, 200):
        mujoco.mj_differentiatePos(model, velocity, 0.005, reference.qpos[k - 1], reference.qpos[k + 1])
        assert np.allclose(velocity, reference.qvel[k], atol=2e-3), k


@pytest.mark.parametrize(
    ("motion", "reason"),
    [
        (Motion(cycles=(Cycle(descent_s=0.35),)), "tempo"),
        (Motion(knee_flexion_deg=145.0, lean_deg=-5.0, stance=1.0), "ankle"),
        (Motion(knee_flexion_deg=135.0, stance=2.0), "stance"),
        (Motion(knee_flexion_deg=135.0, lean_deg=75.0, lumbar_share=0.0, stance=1.0), "hip"),
        (Motion(exercise="deadlift", lean_deg=70.0, cycles=(Cycle(descent_s=0.3, ascent_s=0.3),)), "tempo"),
        (Motion(stance=0.28, toe_out_deg=18.0), "feet"),
        (Motion(exercise="side_lunge", stance=1.75, knee_flexion_deg=77.0, cycles=(Cycle(descent_s=0.7),)), "balance"),
    ],
    ids=["tempo", "ankle", "stance", "hip", "leap", "feet", "light_foot"],
)
def test_what_a_body_cannot_do_is_refused(motion, reason):
    with pytest.raises(InfeasibleMotion) as refused:
        plan(build_model(BODY, mounted()), BODY, motion)
    assert refused.value.reason == reason
    assert "expected" in str(refused.value) or "cannot" in str(refused.value)


def test_phases_follow_each_other():
    motion = Motion(cycles=(Cycle(), Cycle(depth=0.9)))
    course = timeline(motion, (1.0,), 0.0025)
    order = [kind for kind, _ in itertools.groupby(course.phase4)]
    assert order == [0, 1, 2, 3, 0, 1, 2, 3, 0]
    assert np.isclose(course.path[course.repetition == 1].max(), 0.9)
    assert course.path.max() <= 1.0


def test_groups_of_draws_do_not_touch_each_other():
    seeds = Seeds(seed=1, index=5)
    one = prepare(Population(), seeds)
    other = prepare(Population(motion=MotionRanges(arms=(("hips", 1.0),))), seeds)
    assert one.draw.body == other.draw.body
    assert one.draw.placement == other.draw.placement
    assert other.draw.motion.arms == "hips"
    assert prepare(Population(), seeds).draw == one.draw
    assert prepare(Population(), Seeds(seed=1, index=6)).draw.body != one.draw.body


def test_sampled_motions_are_valid_and_cover_every_posture():
    motions = [sample_motion(MotionRanges(), np.random.default_rng(k), repetitions=2) for k in range(400)]
    assert {motion.arms for motion in motions} == {name for name, _ in MotionRanges().arms}
    assert all(len(motion.cycles) == 2 for motion in motions)


def test_given_values_are_kept():
    prepared = prepare(Population(), Seeds(seed=0, index=0), body=BODY, motion=STILL)
    assert prepared.draw.body is BODY
    assert prepared.draw.motion is STILL


def test_a_set_that_is_too_fast_is_slowed_and_counted():
    slowed = 0
    for index in range(30):
        prepared = prepare(Population(), Seeds(seed=5, index=index))
        refused = sum(count for reason, count in prepared.redraws.items() if not reason.endswith("_inside"))
        slowed += refused > prepared.attempt  # one redraw more than there were draws: the last was slowed
        drop = np.ptp(prepared.reference.qpos[:, 2])
        for cycle in prepared.draw.motion.cycles:
            peak = peak_acceleration(cycle) * drop * cycle.depth / min(cycle.descent_s, cycle.ascent_s) ** 2
            assert peak <= 1.02 * PEAK_ACCELERATION
    assert slowed >= 3


@pytest.mark.parametrize("bounce", [0.0, 0.5, 1.0])
def test_a_turn_without_a_pause_is_smooth_and_as_deep(bounce):
    cycle = Cycle(descent_s=1.2, bottom_s=0.0, ascent_s=0.9, bounce=bounce)
    course = timeline(Motion(cycles=(cycle,)), (1.0,), 0.0025)
    rise = np.diff(course.path, 2) / 0.0025**2
    turn = int(course.path.argmax())
    assert course.path[turn] == pytest.approx(1.0, abs=1e-4)
    assert abs(np.diff(rise)).max() < 0.6
    assert rise[turn - 1] == pytest.approx(-bounce * SWING_PEAK / (1.2 * 0.9), rel=0.05, abs=0.3)


def test_who_holds_something_has_no_phone_in_the_hand():
    ranges = PlacementRanges(phone_spots=(("hand", 1.0), ("back_pocket", 0.01)))
    rng = np.random.default_rng(0)
    assert {sample_placement(ranges, rng, hands_free=True).phone.spot for _ in range(20)} == {"back_pocket"}
    with pytest.raises(ValueError, match="leaves the hands"):
        sample_placement(PlacementRanges(phone_spots=(("hand", 1.0),)), rng, hands_free=True)
