"""Recipes and the repetitions made from them."""

import itertools
import json
from dataclasses import replace

import numpy as np
import pytest

from generators.recipe import PRESETS, Recipe, counting, posture, randomised, stand_in
from generators.repetition import REDRAW_REASONS, draw_set, make_repetitions, measure_set, simulate_set
from generators.store import FIELDS
from squat_env.devices import Devices, ImuErrors
from squat_env.exercises import EXERCISES
from squat_env.faults import FAULTS, FaultRanges, sample_faults, severities
from squat_env.model import build_model
from squat_env.motion import MotionRanges
from squat_env.population import MOTIONS_A_FAULT, Population, Seeds, prepare
from squat_env.sensors import observe_scene, observe_scenes, read_sensors
from squat_env.simulate import simulate
from squat_env.surroundings import Surroundings
from squat_env.wobble import Looseness


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_a_recipe_survives_json(preset):
    recipe = PRESETS[preset](repetitions=12, seed=3)
    assert Recipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe


@pytest.mark.parametrize(
    "change",
    [
        {"repetitions": 0},
        {"rate_hz": 33.0},
        {"range_hz": 100.0},
        {"repetitions_a_set": 7},
        {"exercises": ()},
        {"exercises": (("burpee", 1.0),)},
        {"exercises": (("squat", 0.0),)},
        {"correct_below": 0.0},
        {"mountings": 0},
        {"population": Population(motion=MotionRanges()), "exercises": (("squat", 1.0), ("lunge", 1.0))},
    ],
    ids=lambda change: f"{next(reversed(change))}={next(reversed(change.values()))}"[:40],
)
def test_absurd_recipes_are_refused(change):
    with pytest.raises(ValueError, match="expected"):
        Recipe(**change)


@pytest.mark.parametrize(
    "change",
    [{"correct": 1.5}, {"at_once": ((0, 1.0),)}, {"severity": (0.0, 0.5)}, {"names": ("lazy",)}],
    ids=lambda change: next(iter(change)),
)
def test_absurd_faults_are_refused(change):
    with pytest.raises(ValueError, match="expected"):
        FaultRanges(**change)


def test_the_recipe_of_an_old_file_is_read():
    """Before there were several exercises, faults, mountings and surroundings."""
    values = json.loads(json.dumps(randomised().to_dict()))
    for later in ("exercises", "faults", "correct_below", "mountings", "physics"):
        del values[later]
    del values["population"]["surroundings"]
    assert Recipe.from_dict(values) == randomised(population=Population())


def test_counting_sets_hold_more_than_repetitions():
    recipe = counting(repetitions=20, exercises=(("squat", 1.0),), mountings=2)
    made = list(make_repetitions(recipe, 0, 20))
    activity = np.concatenate([repetition.sample["activity"] for repetition in made])
    dynamics = np.concatenate([repetition.sample["dynamics"] for repetition in made])
    assert {0, 1, 2} <= set(activity.tolist()) <= {0, 1, 2, 3}
    assert 0.05 < (activity != 0).mean() < 0.8
    assert np.array_equal(dynamics == 1, activity == 0)
    for repetition in made:
        exercising = repetition.sample["activity"] == 0
        assert {0, 1} == set(repetition.sample["phase"][exercising].tolist()), repetition
        for number in range(2):
            seen = repetition.seen_by(number)
            assert len(seen.sample["watch_accel"]) == len(exercising)
            assert (np.diff(seen.range["range_time"]) > 0).all()
    walking = np.concatenate([repetition.sample["watch_gyro"] for repetition in made])[activity == 2]
    assert np.nanstd(walking) > 0.05


def test_unknown_keys_are_refused():
    with pytest.raises(ValueError, match="weather"):
        Recipe.from_dict({"weather": 1})


@pytest.fixture(scope="module")
def made():
    return list(make_repetitions(randomised(repetitions=12), 0, 6))


def test_a_repetition_depends_on_its_index_alone(made):
    (again,) = make_repetitions(randomised(repetitions=12), 3, 4)
    for name, values in made[3].sample.items():
        assert np.array_equal(values, again.sample[name], equal_nan=True), name
    assert made[3].drawn == again.drawn


def test_what_goes_wrong_with_a_set_is_raised_in_its_place(monkeypatch):
    def draw(recipe, number, **given):
        if number == 2:
            raise RuntimeError("set 2 cannot be drawn")
        return draw_set(recipe, number, **given)

    monkeypatch.setattr("generators.repetition.draw_set", draw)
    made = make_repetitions(randomised(repetitions=12), 0, 6)
    assert [next(made).index, next(made).index] == [0, 1]
    with pytest.raises(RuntimeError, match="set 2"):
        next(made)


def test_every_field_is_there_and_fits(made):
    for repetition in made:
        count = len(repetition.sample["time"])
        for name, field in FIELDS.items():
            if field.group == "sample":
                values = repetition.sample[name]
                assert values.shape == (count, *field.shape), name
                assert field.nullable or np.isfinite(values).all(), name
        assert np.allclose(np.diff(repetition.sample["time"]), 0.05)
        assert 0 < np.isfinite(repetition.sample["range"]).mean() <= 1
        assert (np.diff(repetition.range["range_time"]) > 0).all()


def test_everything_drawn_is_kept(made):
    drawn = made[0].drawn
    for name in ("body.height_m", "motion.arms", "motion.cycle.descent_s", "placement.watch.turn_deg"):
        assert name in drawn
    for name in ("devices.watch.accel_bias", "devices.range.calibration_m", "outcome.slip_m"):
        assert name in drawn
    assert {f"redraws.{reason}" for reason in REDRAW_REASONS} <= set(drawn)
    assert len({repetition.drawn["body.height_m"] for repetition in made}) == len(made)


def test_faults_are_drawn_as_often_and_as_severe_as_asked():
    ranges = FaultRanges(correct=0.3, at_once=((1, 0.5), (2, 0.5)), severity=(0.4, 0.8))
    rng = np.random.default_rng(0)
    drawn = [{name: s for name, s in sample_faults(ranges, "squat", rng).items() if s} for _ in range(1000)]
    counts = np.bincount([len(faults) for faults in drawn], minlength=3) / len(drawn)
    assert np.allclose(counts, [0.3, 0.35, 0.35], atol=0.05)
    found = [s for faults in drawn for s in faults.values()]
    assert 0.4 <= min(found) < 0.42
    assert 0.78 < max(found) <= 0.8
    assert {name for faults in drawn for name in faults} == set(EXERCISES["squat"].faults)
    assert not any({"shallow", "too_deep"} <= faults.keys() for faults in drawn)


def test_sets_are_of_the_exercises_and_faults_of_the_recipe():
    recipe = posture(repetitions=12, exercises=(("deadlift", 1.0), ("lunge", 1.0)))
    made = list(make_repetitions(recipe, 0, 12))
    assert {repetition.repetition["exercise"] for repetition in made} == {"deadlift", "lunge"}
    correct = [repetition.repetition["correct"] for repetition in made]
    assert 0 < sum(correct) < len(correct)
    for repetition in made:
        found = {name: repetition.drawn[f"severity.{name}"] for name in FAULTS}
        assert all(s == 0 or s >= 0.299 for s in found.values()), found
        assert repetition.repetition["correct"] == int(max(found.values()) == 0)
        assert not set(EXERCISES[repetition.repetition["exercise"]].faults).isdisjoint(found)


def test_faults_that_a_person_cannot_have_at_once_are_drawn_again():
    names = ("excessive_lean", "too_deep", "too_fast")
    ranges = FaultRanges(correct=0.0, at_once=((3, 1.0),), names=names)
    seeds = Seeds(seed=0, index=4)
    prepared = prepare(Population(), seeds, faults=ranges)
    assert prepared.attempt >= MOTIONS_A_FAULT
    found = severities(prepared.draw.motion, prepared.draw.body)
    asked = sample_faults(ranges, "squat", seeds.generator("faults", prepared.attempt // MOTIONS_A_FAULT))
    assert found == pytest.approx(asked)
    assert sample_faults(ranges, "squat", seeds.generator("faults", 0)) != pytest.approx(asked)


@pytest.fixture(scope="module")
def worn_three_times():
    return next(make_repetitions(randomised(mountings=3), 4, 5))


def test_the_first_of_several_mountings_is_as_if_it_were_alone(made, worn_three_times):
    alone = made[4]
    for name, values in alone.sample.items():
        assert np.array_equal(values, worn_three_times.sample[name], equal_nan=True), name
    assert np.array_equal(alone.range["range_reading"], worn_three_times.range["range_reading"], equal_nan=True)
    assert alone.drawn == worn_three_times.drawn


def test_every_mounting_reads_what_it_would_read_alone():
    done = simulate_set(randomised(mountings=3), 4)
    draw = done.prepared.draw
    for number, wearing in enumerate(draw.also, start=1):
        alone = build_model(draw.body, wearing.placement, draw.equipment)
        simulation = simulate(alone, done.prepared.reference)
        assert np.array_equal(simulation.qpos, done.simulation.qpos)
        found, expected = read_sensors(done.prepared.model, done.simulation, number), read_sensors(alone, simulation)
        for name in ("watch_accel", "phone_gyro", "distance"):
            assert np.array_equal(getattr(found, name), getattr(expected, name)), name
        poses = simulation.qpos[::200]
        scene = observe_scenes(done.prepared.model, poses)[number]
        assert np.array_equal(scene.thickness, observe_scene(alone, poses).thickness)


def test_mountings_differ_in_everything_that_is_theirs(worn_three_times):
    seen = [worn_three_times.seen_by(k) for k in range(3)]
    for name in ("watch_accel", "phone_gyro", "range_ideal"):
        for one, other in ((0, 1), (0, 2), (1, 2)):
            assert np.nanmax(np.abs(seen[one].sample[name] - seen[other].sample[name])) > 0.01, name
    for name in ("placement.phone.along", "devices.watch.accel_bias", "devices.range.calibration_m"):
        assert len({str(repetition.drawn[name]) for repetition in seen}) == 3, name
    assert all(repetition.drawn["body.height_m"] == seen[0].drawn["body.height_m"] for repetition in seen)


@pytest.fixture(scope="module")
def simulated():
    return simulate_set(randomised(), 3)


def measured(simulated, *, placement=None, devices=None):
    """The repetition of a simulated set with another hold or other devices."""
    drawn = simulated.prepared.draw
    drawn = replace(drawn, placement=placement or drawn.placement, devices=devices or drawn.devices)
    (repetition,) = measure_set(randomised(), 3, replace(simulated, prepared=replace(simulated.prepared, draw=drawn)))
    return repetition


def test_a_watch_that_stalls_leaves_its_own_samples_empty(simulated):
    stalling = Devices(watch=ImuErrors(stalls_per_s=0.4))
    sample = measured(simulated, devices=stalling).sample
    lost = np.isnan(sample["watch_accel"]).any(axis=1)
    assert 0 < lost.mean() <= 1
    assert np.isnan(sample["watch_gyro"][lost]).all()
    assert np.isfinite(sample["watch_gyro"][~lost]).all()
    assert np.isfinite(sample["phone_accel"]).all()


def test_ideal_devices_on_tight_holds_read_the_body(simulated):
    tight = replace(
        simulated.prepared.draw.placement,
        **{
            name: replace(getattr(simulated.prepared.draw.placement, name), looseness=Looseness())
            for name in ("watch", "phone")
        },
    )
    sample = measured(simulated, placement=tight, devices=Devices()).sample
    ideal = read_sensors(simulated.prepared.model, simulated.simulation)
    for name in ("watch_accel", "phone_gyro"):
        assert np.abs(sample[name] - getattr(ideal, name)[::20])[5:-5].max() < 0.3, name


def test_a_loose_phone_moves_more_than_a_tight_one(simulated):
    placement = simulated.prepared.draw.placement
    turning = [
        measured(
            simulated,
            placement=replace(placement, phone=replace(placement.phone, looseness=Looseness(play_deg=play))),
            devices=Devices(),
        ).sample["phone_gyro"]
        for play in (0.0, 12.0)
    ]
    assert np.abs(turning[1] - turning[0]).max() > 0.05


def test_a_set_goes_on_from_repetition_to_repetition():
    recipe = stand_in(repetitions=20, repetitions_a_set=2, shard_repetitions=10, rate_hz=20.0)
    first, second = make_repetitions(recipe, 0, 2)
    assert (first.repetition["set"], second.repetition["set"]) == (0, 0)
    assert (first.repetition["repetition"], second.repetition["repetition"]) == (0, 1)
    assert first.drawn["body.height_m"] == second.drawn["body.height_m"]
    jump = np.abs(second.sample["landmarks"][0] - first.sample["landmarks"][-1]).max()
    assert jump < 0.1
    assert 0 <= second.sample["time"][0] < 0.05


def test_arms_at_the_same_motion_read_the_range_that_is_true(made):
    for repetition in made:
        sample = repetition.sample
        clear = (sample["line_of_sight"] == 1) & np.isfinite(sample["range"])
        if clear.sum() > 20:
            assert np.median(np.abs(sample["range"] - sample["range_ideal"])[clear]) < 0.25


def test_what_surrounds_repetitions_is_kept_with_them_and_marked():
    around = Surroundings(before=1.0, between=1.0, after=1.0)
    recipe = randomised(
        repetitions=6, repetitions_a_set=3, shard_repetitions=6, population=Population(surroundings=around)
    )
    bare = list(make_repetitions(replace(recipe, population=Population()), 0, 3))
    made = list(make_repetitions(recipe, 0, 3))
    (again,) = make_repetitions(recipe, 1, 2)
    assert np.array_equal(again.sample["watch_accel"], made[1].sample["watch_accel"], equal_nan=True)
    for repetition, plain in zip(made, bare, strict=True):
        sample = repetition.sample
        assert len(sample["time"]) > len(plain.sample["time"])
        assert np.array_equal(sample["activity"] == 0, sample["dynamics"] == 1)
        assert (sample["phase"][sample["activity"] == 2] == 1).all()
        assert 0 <= sample["time"][0] < 0.05
        assert np.allclose(np.diff(sample["time"]), 0.05)
        assert repetition.drawn["surroundings.played_s"] > 0
        assert plain.drawn["surroundings.played_s"] == 0
    jumps = [np.abs(b.sample["landmarks"][0] - a.sample["landmarks"][-1]).max() for a, b in itertools.pairwise(made)]
    assert max(jumps) < 0.15
