"""The simulated side of a run: the datasets that it trains on, a demo's stand-in recordings, and what is validated."""

import shutil
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from generators.store import Dataset
from real2sim.recordings import Recording

STAND_IN_SEED = 1_000_003  # far from the seeds that people give to a run


SIMULATIONS = {
    "randomised": "everything randomised: mounting, arms, tempo, sway and devices",
    "paper": "places at random, one mounting and arm posture, no device errors",
    "fixed-mounting": "randomised but for the mounting, which is one for all",
    "ideal-devices": "randomised but for the devices, which make no errors",
}
"""The simulated datasets that methods are trained on."""

DEFAULT_SPOTS = (("front_pocket", 1.0),)


def recipe_of(
    name: str,
    *,
    reps: int,
    seed: int,
    rate_hz: float,
    exercises: Any = (("squat", 1.0),),
    phone_spots: Any = DEFAULT_SPOTS,
    like: Mapping[str, Any] | None = None,
) -> Any:
    """The recipe of a simulated dataset that matches recordings.

    Args:
        name: Key of `SIMULATIONS`.
        reps: Repetitions.
        seed: Of every draw.
        rate_hz: Of the streams [Hz].
        exercises: (exercise, share) pairs.
        phone_spots: (place of the phone, share) pairs.
        like: Recipe of the randomised dataset, if it was made before; its variants are made from it then.
    """
    from generators.recipe import PRESETS, Recipe

    pairs = tuple((str(key), float(share)) for key, share in exercises)
    spots = tuple((str(key), float(share)) for key, share in phone_spots)
    preset = "paper" if name == "paper" else "randomised"
    recipe = PRESETS[preset](repetitions=reps, seed=seed, rate_hz=rate_hz)
    if like is not None and name != "paper":
        recipe = replace(Recipe.from_dict(dict(like)), repetitions=reps)
    else:
        population = replace(recipe.population, placement=replace(recipe.population.placement, phone_spots=spots))
        if pairs != recipe.exercises:  # the paper's ranges of motion are those of squats
            population = replace(population, motion=None)
        recipe = replace(recipe, exercises=pairs, population=population)
    return replace(recipe, name=name, population=_varied(name, recipe.population))


def _varied(name: str, population: Any) -> Any:
    if name == "fixed-mounting":
        return replace(population, placement=replace(population.placement, orientation="fixed"))
    if name == "ideal-devices":
        return replace(population, devices=replace(population.devices, level=0.0))
    return population


def exercises_of(recordings: Iterable[Recording]) -> list[tuple[str, float]]:
    """The exercises of recordings and their shares, to simulate the same.

    Raises:
        ValueError: One cannot be simulated.
    """
    from squat_env.exercises import EXERCISES

    counts = Counter(recording.exercise or "squat" for recording in recordings)
    if unknown := sorted(set(counts) - set(EXERCISES)):
        raise ValueError(
            f"the recordings are of {', '.join(unknown)}, expected exercises that can be simulated: "
            f"{', '.join(EXERCISES)}; choose --exercise"
        )
    return [(name, count / counts.total()) for name, count in sorted(counts.items())]


def phone_spots_of(recordings: Iterable[Recording], groups: Iterable[str]) -> list[tuple[str, float]]:
    """The places of the phone in recordings and their shares, where phone or range is looked at.

    A place is told by the name of a spot in what the recording says ("left_front_pocket"); another pocket counts as
    the front one, and where nothing is said the front pocket is taken.

    Raises:
        ValueError: A place is none that can be simulated.
    """
    from squat_env.spots import PHONE_SPOTS

    if not {"phone", "range"} & set(groups):
        return list(DEFAULT_SPOTS)
    counts: Counter[str] = Counter()
    for recording in recordings:
        said = recording.phone_placement.replace(" ", "_")
        found = [spot for spot in PHONE_SPOTS if spot in said] or ["front_pocket"] * ("pocket" in said or not said)
        if not found:
            known = ", ".join(PHONE_SPOTS)
            raise ValueError(f"the phone of {recording.name} is at {said}, expected {known}; choose --placement")
        counts[found[0]] += 1
    return [(name, count / counts.total()) for name, count in sorted(counts.items())]


def make_dataset(folder: Path, recipe: Any, *, jobs: int, progress: bool) -> None:
    """Makes a dataset of a recipe in a folder, or what is missing of it."""
    from generators.produce import produce
    from generators.repetition import make_repetitions

    produce(recipe, folder, make=make_repetitions, jobs=jobs, progress=progress)


def make_stand_ins(folder: Path, *, people: int, seed: int, jobs: int, progress: bool) -> None:
    """Makes stand-in recordings of so many simulated people in a folder, unless they are there."""
    from generators.produce import produce
    from generators.recipe import stand_in
    from generators.repetition import make_repetitions
    from real2sim.stand_in import write_stand_ins

    if folder.exists():
        return
    recipe = stand_in(seed=STAND_IN_SEED + seed)
    recipe = stand_in(seed=recipe.seed, repetitions=people * recipe.repetitions_a_set, shard_repetitions=10)
    source = folder.with_name(f"{folder.name}-source")
    produce(recipe, source, make=make_repetitions, jobs=jobs, progress=progress)
    write_stand_ins(folder, Dataset(source))
    shutil.rmtree(source)


VALIDATED_SET = 5  # repetitions a set; enough to tell a set's own variation
VALIDATED = ("squat", "sit_to_stand")  # exercises whose quantities make sense: the pelvis goes down and up


def validation_recipe(*, exercise: str = "squat", reps: int, seed: int, arms: tuple[str, ...] = ()) -> Any:
    """The randomised population in sets of several repetitions, at the rate at which people's signals are compared.

    Args:
        exercise: One of `VALIDATED`; chair rises follow each other without a walk between them.
        reps: Repetitions.
        seed: Of every draw.
        arms: Arm postures to draw from, equally likely; all of the population's if empty.

    Raises:
        ValueError: A posture is unknown.
    """
    from generators.recipe import randomised
    from squat_env.arms import ARM_POSTURES
    from squat_env.exercises import exercise_named
    from squat_env.surroundings import CHAIRS

    if unknown := sorted(set(arms) - set(ARM_POSTURES)):
        raise ValueError(f"arms are {unknown}, expected some of {sorted(ARM_POSTURES)}; choose them")
    recipe = randomised(
        exercises=((exercise, 1.0),), repetitions=reps, seed=seed, rate_hz=50.0, repetitions_a_set=VALIDATED_SET
    )
    recipe = replace(
        recipe, population=replace(recipe.population, surroundings=replace(CHAIRS, from_seat=0.0, exercised=0.0))
    )
    if not arms:
        return recipe
    ranges = exercise_named(exercise).ranges
    motion = replace(ranges, arms=tuple((name, 1.0) for name in arms))
    return replace(recipe, population=replace(recipe.population, motion=motion))


def make_validated(folder: Path, recipe: Any, *, jobs: int, progress: bool) -> Dataset:
    """Makes the dataset of a recipe in a folder."""
    from generators.produce import produce
    from generators.repetition import make_repetitions

    return produce(recipe, folder, make=make_repetitions, jobs=jobs, progress=progress)


def record_set(prepared: Any, simulation: Any, scene: Any, *, seed: int, rate_hz: float) -> Any:
    """What a set's own devices record of it, as a dataset of this seed would hold it (`generators.streams.Streams`).

    Args:
        prepared: The set (`squat_env.population.Prepared`).
        simulation: What was done (`squat_env.simulate.Simulation`).
        scene: The same looked at at `rate_hz` (`squat_env.sensors.Scene`).
        seed: Of the devices' noise.
        rate_hz: Of the streams.
    """
    from generators.recipe import Recipe
    from generators.streams import record
    from squat_env.population import Seeds
    from squat_env.sensors import read_sensors

    ideal = read_sensors(prepared.model, simulation)
    every = round(1 / (rate_hz * (ideal.time[1] - ideal.time[0])))
    seeds, wearing = Seeds(seed=seed, index=0), prepared.draw.worn[0]
    return record(Recipe(rate_hz=rate_hz), seeds, 0, wearing, ideal, scene, every)


def peak_loads(recipe: Any, sets: int) -> Mapping[str, np.ndarray]:
    """Peak loads of the first sets of a recipe by inverse dynamics of their plans, by name: (sets,) each.

    Joint torques are the larger of both sides, over body mass [N m/kg]; the ground force is over body weight.
    """
    from squat_env.loads import peak_loads as loads_of
    from squat_env.population import Seeds, prepare

    rows = []
    for number in range(sets):
        seeds = Seeds(seed=recipe.seed, index=number)
        exercise, _ = recipe.exercises[0]
        prepared = prepare(recipe.population, seeds, exercise=exercise, repetitions=recipe.repetitions_a_set)
        rows.append(loads_of(prepared.model, prepared.reference))
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}
