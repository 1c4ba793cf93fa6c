"""The simulated side of a run: the datasets that it trains on, and a demo's stand-in recordings."""

import shutil
from pathlib import Path

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
