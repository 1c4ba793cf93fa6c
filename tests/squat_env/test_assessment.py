"""Faults measured in what was done, against what was asked for."""

import mujoco
import numpy as np
import pytest
from wearers import BODY, mounted

from squat_env.assessment import MEASURES, Performance, amounts, assess
from squat_env.exercises import EXERCISES
from squat_env.faults import FAULTS
from squat_env.model import build_model, joint_names
from squat_env.motion import Cycle, Motion
from squat_env.placement import SIDES
from squat_env.population import Population, Prepared, Seeds, prepare
from squat_env.sensors import observe_scene
from squat_env.simulate import simulate

PAIRS = [(exercise, fault) for exercise, kind in EXERCISES.items() for fault in kind.faults]
EVERY = 8  # physics steps from one look to the next


def performances(prepared: Prepared) -> list[Performance]:
    """The simulated repetitions of a set."""
    reference, done = prepared.reference, simulate(prepared.model, prepared.reference)
    qpos, repetition = done.qpos[::EVERY], reference.repetition[::EVERY]
    landmarks = observe_scene(prepared.model, qpos).landmarks
    return [
        Performance(
            exercise=prepared.draw.motion.exercise,
            lead=reference.lead,
            time=done.time[::EVERY][rows],
            qpos=qpos[rows],
            landmarks=landmarks[rows],
        )
        for rows in (repetition == number for number in range(repetition[-1] + 1))
    ]


def test_every_fault_is_measured():
    assert list(MEASURES) == list(FAULTS)


@pytest.mark.parametrize(("exercise", "fault"), PAIRS, ids=lambda pair: pair)
def test_measured_severity_follows_the_asked_one(exercise, fault):
    asked, measured = np.linspace(0.1, 0.9, 5), []
    for index, severity in enumerate(asked):
        prepared = prepare(Population(), Seeds(seed=61, index=index), exercise=exercise, faults={fault: severity})
        measured.append(assess(performances(prepared)[0])[fault])
    assert np.corrcoef(asked, measured)[0, 1] > 0.95, measured
    assert np.abs(measured - asked).mean() < 0.12, measured


@pytest.mark.parametrize(
    ("exercise", "faults"),
    [
        ("squat", {"shallow": 0.3, "knee_valgus": 0.7, "asymmetry": 0.6, "butt_wink": 0.5}),
        ("squat", {"heel_rise": 0.6, "excessive_lean": 0.2, "too_fast": 0.3}),
        ("lunge", {"shallow": 0.4, "excessive_lean": 0.6, "knee_valgus": 0.5}),
        ("overhead_press", {"partial_range": 0.5, "trunk_swing": 0.4, "uneven_arms": 0.6}),
        ("leg_raise", {"partial_range": 0.4, "bent_knees": 0.6}),
    ],
    ids=["squat", "squat_on_toes", "lunge", "press", "leg_raise"],
)
def test_faults_at_once_are_told_apart(exercise, faults):
    prepared = prepare(Population(), Seeds(seed=62, index=3), exercise=exercise, faults=faults)
    found = assess(performances(prepared)[0])
    for name, severity in faults.items():
        assert found[name] == pytest.approx(severity, abs=0.2), (name, found)


def test_each_repetition_is_measured_for_itself():
    motion = Motion(knee_flexion_deg=90.0, cycles=(Cycle(), Cycle(depth=0.7), Cycle(descent_s=0.8)))
    prepared = prepare(Population(), Seeds(seed=0, index=0), motion=motion, body=BODY, placement=mounted())
    first, shallow, fast = (amounts(done) for done in performances(prepared))
    assert first["shallow"] == pytest.approx(0.1, abs=0.01)
    assert shallow["shallow"] == pytest.approx(1.0 - (6.0 + 0.7 * 84.0) / 100.0, abs=0.01)
    assert fast["too_fast"] > 1.3 * first["too_fast"]


def test_axes_are_those_of_the_bodies():
    model, rng = build_model(BODY, mounted()), np.random.default_rng(0)
    data, pose = mujoco.MjData(model), np.zeros((1, model.nq))
    for _ in range(20):
        pitch = rng.uniform(-0.8, 0.8)
        pose[0, 3:7] = np.cos(0.5 * pitch), 0.0, np.sin(0.5 * pitch), 0.0
        pose[0, 7:] = rng.uniform(-0.6, 0.6, len(joint_names()))
        data.qpos[:] = pose[0]
        mujoco.mj_kinematics(model, data)
        done = Performance(exercise="squat", lead=0, time=np.zeros(1), qpos=pose, landmarks=np.zeros((1, 17, 3)))
        thorax = data.body("upper_trunk").xmat.reshape(3, 3)
        assert done.trunk_deg[0] == pytest.approx(np.rad2deg(np.arctan2(thorax[0, 2], thorax[2, 2])), abs=1e-9)
        assert done.pelvis_deg[0] == pytest.approx(np.rad2deg(pitch), abs=1e-9)
        for number, side in enumerate(SIDES):
            down = -data.body(f"{side}_foot").xmat.reshape(3, 3)[2, 0]
            assert done.foot_rise_deg(number)[0] == pytest.approx(np.rad2deg(np.arcsin(down)), abs=1e-9)


def test_a_person_who_faces_elsewhere_leans_as_far():
    prepared = prepare(Population(), Seeds(seed=63, index=0), faults={"excessive_lean": 0.5, "knee_valgus": 0.5})
    done = performances(prepared)[0]
    turn = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    qpos, half = done.qpos.copy(), np.sqrt(0.5)
    w, x, y, z = done.qpos[:, 3:7].T
    qpos[:, 3:7] = half * np.column_stack([w - z, x - y, x + y, w + z])
    other = Performance(exercise="squat", lead=done.lead, time=done.time, qpos=qpos, landmarks=done.landmarks @ turn.T)
    assert amounts(other) == pytest.approx(amounts(done), abs=1e-9)
