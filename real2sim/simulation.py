"""The simulated side of a run: the datasets that it trains on, a demo's stand-in recordings, and what is validated."""

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from generators.store import Dataset

STAND_IN_SEED = 1_000_003  # far from the seeds that people give to a run


def make_dataset(folder: Path, preset: str, *, reps: int, seed: int, rate_hz: float, jobs: int, progress: bool) -> None:
    """Makes a dataset of a preset in a folder, or what is missing of it."""
    from generators.produce import produce
    from generators.recipe import PRESETS
    from generators.repetition import make_repetitions

    recipe = PRESETS[preset](repetitions=reps, seed=seed, rate_hz=rate_hz)
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
EXERCISES = ("squat",)  # what can be simulated


def validation_recipe(*, reps: int, seed: int, arms: tuple[str, ...] = ()) -> Any:
    """The randomised population in sets of several repetitions, at the rate at which people's signals are compared.

    Args:
        reps: Repetitions.
        seed: Of every draw.
        arms: Arm postures to draw from, equally likely; all of the population's if empty.

    Raises:
        ValueError: A posture is unknown.
    """
    from generators.recipe import randomised
    from squat_env.arms import ARM_POSTURES
    from squat_env.exercises import exercise_named

    if unknown := sorted(set(arms) - set(ARM_POSTURES)):
        raise ValueError(f"arms are {unknown}, expected some of {sorted(ARM_POSTURES)}; choose them")
    recipe = randomised(repetitions=reps, seed=seed, rate_hz=50.0, repetitions_a_set=VALIDATED_SET)
    if not arms:
        return recipe
    ranges = recipe.population.motion or exercise_named("squat").ranges
    motion = replace(ranges, arms=tuple((name, 1.0) for name in arms))
    return replace(recipe, population=replace(recipe.population, motion=motion))


def make_validated(folder: Path, recipe: Any, *, jobs: int, progress: bool) -> Dataset:
    """Makes the dataset of a recipe in a folder."""
    from generators.produce import produce
    from generators.repetition import make_repetitions

    return produce(recipe, folder, make=make_repetitions, jobs=jobs, progress=progress)


def peak_loads(recipe: Any, sets: int) -> Mapping[str, np.ndarray]:
    """Peak loads of the first sets of a recipe by inverse dynamics of their plans, by name: (sets,) each.

    Joint torques are the larger of both sides, over body mass [N m/kg]; the ground force is over body weight.
    """
    from squat_env.loads import peak_loads as loads_of
    from squat_env.population import Seeds, prepare

    rows = []
    for number in range(sets):
        seeds = Seeds(seed=recipe.seed, index=number)
        prepared = prepare(recipe.population, seeds, repetitions=recipe.repetitions_a_set)
        rows.append(loads_of(prepared.model, prepared.reference))
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}
