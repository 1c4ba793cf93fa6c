"""Every exercise under physics, and its faults."""

import numpy as np
import pytest
from wearers import BODY, mounted

from squat_env.exercises import EXERCISES, exercise_named
from squat_env.faults import FAULTS, severities
from squat_env.labels import Phases
from squat_env.model import build_model
from squat_env.motion import Cycle, Motion
from squat_env.population import Population, Seeds, prepare
from squat_env.reference import plan
from squat_env.simulate import judge, simulate
from squat_env.timeline import BOTTOM, STAND

PAIRS = [(exercise, fault) for exercise, kind in EXERCISES.items() for fault in kind.faults]


@pytest.mark.parametrize("exercise", EXERCISES)
@pytest.mark.parametrize("index", range(3))
def test_random_people_do_it_without_falling(exercise, index):
    prepared = prepare(Population(), Seeds(seed=31, index=index), exercise=exercise)
    outcome = judge(prepared.model, prepared.reference, simulate(prepared.model, prepared.reference))
    assert outcome.success, outcome
    assert {0, 1, 2, 3} >= set(prepared.reference.phase4) >= {0, 1, 3}


def test_a_foot_with_little_weight_stays_flat():
    side_lunge = Motion(
        exercise="side_lunge",
        knee_flexion_deg=75.0,
        standing_knee_deg=10.0,
        stance=1.65,
        lean_deg=35.0,
        cycles=(Cycle(descent_s=1.2, bottom_s=0.5),),
    )
    model = build_model(BODY, mounted(), balance=True)
    reference = plan(model, BODY, side_lunge)
    assert judge(model, reference, simulate(model, reference)).heel_m < 0.0015


@pytest.mark.parametrize(("exercise", "fault"), PAIRS, ids=lambda pair: pair)
def test_a_fault_is_as_severe_as_asked(exercise, fault):
    for severity in (0.0, 0.7):
        drawn = prepare(Population(), Seeds(seed=32, index=1), exercise=exercise, faults={fault: severity}).draw
        assert np.isclose(severities(drawn.motion, drawn.body)[fault], severity, atol=1e-6)


def test_a_seat_levels_who_sits_down_askew():
    seeds = Seeds(seed=21, index=50)
    prepared = prepare(Population(), seeds, exercise="sit_to_stand", faults={"asymmetry": 0.9})
    reference = prepared.reference
    roll = np.rad2deg(2 * np.arcsin(np.abs(reference.qpos[:, 4])))
    assert roll.max() > 0.9 * prepared.draw.motion.pelvis_roll_deg
    assert roll[reference.depth > 0.999].max() < 0.1  # else one side would be pushed through the seat
    assert judge(prepared.model, reference, simulate(prepared.model, reference)).heel_m < 0.005


@pytest.mark.parametrize("exercise", EXERCISES)
def test_every_fault_of_an_exercise_is_known(exercise):
    assert set(EXERCISES[exercise].faults) <= set(FAULTS)
    for name in EXERCISES[exercise].faults:
        none, full = FAULTS[name].bounds(exercise)
        assert none < full


@pytest.mark.parametrize(
    ("faults", "complaint"),
    [
        ({"shallow": 0.5, "too_deep": 0.5}, "at most one"),
        ({"shallow": 1.5}, "0 to 1"),
        ({"shallow": float("nan")}, "0 to 1"),
        ({"trunk_swing": 0.5}, "faults of squat"),
    ],
    ids=["exclusive", "beyond", "nan", "foreign"],
)
def test_impossible_faults_are_refused(faults, complaint):
    with pytest.raises(ValueError, match=complaint):
        prepare(Population(), Seeds(seed=0, index=0), faults=faults)


def test_an_unknown_exercise_is_refused():
    with pytest.raises(ValueError, match="expected one of squat"):
        exercise_named("burpee")


@pytest.mark.parametrize("exercise", EXERCISES)
def test_the_binary_phase_is_down_around_the_turning_point_alone(exercise):
    prepared = prepare(Population(), Seeds(seed=33, index=0), exercise=exercise, repetitions=2)
    reference, done = prepared.reference, simulate(prepared.model, prepared.reference)
    phase = Phases.of(reference).phase(done.qpos, reference.repetition)
    assert list(np.diff(phase)[np.diff(phase) != 0]) == [-1, 1, -1, 1]
    assert (phase[reference.phase4 == STAND] == 1).all()
    assert (phase[reference.phase4 == BOTTOM] == 0).all()


@pytest.mark.parametrize("exercise", EXERCISES)
def test_the_phase_changes_where_what_it_is_read_from_is_halfway(exercise):
    prepared = prepare(Population(), Seeds(seed=33, index=1), exercise=exercise)
    reference, phases = prepared.reference, Phases.of(prepared.reference)
    moves = np.ptp(reference.qpos[:, 2]) > 0.05
    assert moves == (phases.columns == (2,))
    level = reference.qpos[:, phases.columns].mean(1)
    phase = phases.phase(reference.qpos, reference.repetition)
    changes = np.flatnonzero(np.diff(phase))
    assert np.allclose(level[changes], 0.5 * (level.max() + level.min()), atol=0.02)
