"""The physics gives the same bits however its ticks are grouped."""

import pickle

import numpy as np
import pytest

from squat_env.population import Population, Seeds, prepare
from squat_env.simulate import initial_state, simulate
from squat_env.stepping import Controller, Lanes, Moment, Stepper

EXERCISES = ("squat", "lunge")  # without and with feedback of the centre of mass
RESIDUAL = np.random.default_rng(0).normal(0.0, 0.01, 29)


def started(exercise, seed=0):
    """Model, a controller of its own, and the moment at which a random set starts."""
    prepared = prepare(Population(), Seeds(seed=seed, index=0), exercise=exercise)
    start = Moment.of(prepared.model, initial_state(prepared.model, prepared.reference)[1])
    return prepared.model, prepared.reference, start


@pytest.mark.parametrize("exercise", EXERCISES)
def test_a_simulation_is_the_same_stepped_in_any_groups(exercise):
    model, reference, start = started(exercise)
    whole = simulate(model, reference)
    for groups in ([1], [20], [3, 1, 7], [4], [50, 2]):
        stepper, sensors, qpos = Stepper(model, Controller(model, reference), start), [], [start.qpos(model)]
        while stepper.tick < 400:
            for count in groups:
                sensors.append(stepper.advance(count).copy())
                qpos.append(stepper.states[:, 1 : 1 + model.nq].copy())
        sensors, qpos = np.vstack(sensors), np.vstack(qpos)
        assert np.array_equal(sensors, whole.sensors[: len(sensors)]), groups
        assert np.array_equal(qpos, whole.qpos[: len(qpos)]), groups
        assert not stepper.warned


@pytest.mark.parametrize("exercise", EXERCISES)
def test_a_pickled_stepper_goes_on_with_the_same_bits(exercise):
    model, reference, start = started(exercise)
    stepper = Stepper(model, Controller(model, reference), start)
    stepper.advance(10, RESIDUAL)
    other = pickle.loads(pickle.dumps(stepper))
    assert np.array_equal(stepper.advance(90, RESIDUAL), other.advance(90, RESIDUAL))
    assert np.array_equal(stepper.qpos, other.qpos)
    assert np.array_equal(stepper.qvel, other.qvel)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("exercise", EXERCISES)
def test_lanes_at_different_ticks_do_what_steppers_do(exercise, threads):
    wearers = [started(exercise, seed) for seed in range(3)]
    steppers = [Stepper(model, Controller(model, reference), start) for model, reference, start in wearers]
    lanes = Lanes(wearers[0][0], len(wearers), threads=threads)
    for lane, (model, reference, start) in enumerate(wearers):
        lanes.put(lane, model, Controller(model, reference), start)
    for turn, (present, count) in enumerate(
        [([0, 1, 2], 10), ([1], 7), ([0, 2], 10), ([0, 1, 2], 20), ([2], 3), ([0, 1, 2], 1), ([0, 1, 2], 30)]
    ):
        residuals = np.outer(np.arange(len(present)), RESIDUAL)
        readings = lanes.advance(present, count, residuals)
        for row, lane in enumerate(present):
            assert np.array_equal(readings[row], steppers[lane].advance(count, residuals[row])), (turn, lane)
            assert np.array_equal(lanes.qpos[lane], steppers[lane].qpos), (turn, lane)
            assert np.array_equal(lanes.qvel[lane], steppers[lane].qvel), (turn, lane)
    model, reference, start = started(exercise, 9)
    lanes.put(1, model, Controller(model, reference), start)
    fresh = Stepper(model, Controller(model, reference), start)
    assert np.array_equal(lanes.advance([1], 30, RESIDUAL[None])[0], fresh.advance(30, RESIDUAL))
    assert not lanes.warned.any()


@pytest.mark.parametrize("exercise", EXERCISES)
def test_a_lane_that_breaks_stays_as_a_stepper_does_and_the_others_go_on(exercise, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # MuJoCo writes its log there
    model, reference, start = started(exercise)
    steppers = [Stepper(model, Controller(model, reference), start) for _ in range(2)]
    lanes = Lanes(model, 2, threads=2)
    for lane in range(2):
        lanes.put(lane, model, Controller(model, reference), start)
    steppers[0].qvel[:] = lanes.qvel[0] = 1e9
    readings = lanes.advance([0, 1], 20, np.zeros((2, 29)))
    for lane, stepper in enumerate(steppers):
        assert np.array_equal(readings[lane], stepper.advance(20), equal_nan=True), lane
    assert lanes.warned.tolist() == [stepper.warned for stepper in steppers] == [True, False]


def test_feedback_holds_who_falls_without_it():
    model, reference, start = started("lunge")
    lowest = {}
    for fed_back in (True, False):
        controller = Controller(model, reference)
        if not fed_back:
            controller._balance = None
        stepper = Stepper(model, controller, start)
        stepper.advance(len(controller))
        lowest[fed_back] = stepper.states[:, 3].min()
    assert lowest[True] > 0.9 * reference.qpos[:, 2].min()
    assert lowest[False] < lowest[True]
