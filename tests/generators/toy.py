"""A dataset without physics: every field of the vocabulary, drawn from the seed and the index alone."""

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from generators.store import FIELDS, Repetition

DRAWN_NUMBERS = 30
RECIPE = {"name": "toy", "seed": 0}
SHARD = 4


@dataclass(frozen=True, kw_only=True)
class ToyRecipe:
    repetitions: int = 12
    shard_repetitions: int = 4
    seed: int = 0
    fault_index: int = -1
    fault_flag: str = ""
    pause_s: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """The contents depend on these alone; faults and pauses are the test's own."""
        return {k: v for k, v in asdict(self).items() if k in ("repetitions", "shard_repetitions", "seed")}


def toy_repetition(index: int, seed: int = 0, samples: int | None = None) -> Repetition:
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(index,)))
    length = {"sample": samples or int(rng.integers(60, 101)), "range": int(rng.integers(15, 26))}
    arrays: dict[str, dict[str, np.ndarray]] = {"sample": {}, "range": {}}
    for name, field in FIELDS.items():
        if field.group in arrays:
            values = rng.normal(size=(length[field.group], *field.shape))
            if np.dtype(field.dtype).kind != "f":
                values = (values > 0).astype(np.int64)
            elif field.nullable:
                values[rng.random(values.shape) < 0.2] = np.nan
            arrays[field.group][name] = values
    arrays["sample"]["time"] = np.arange(length["sample"]) / 20.0
    arrays["range"]["range_time"] = np.arange(length["range"]) / 5.0
    drawn: dict[str, Any] = {f"body.part{i}_m": float(rng.normal()) for i in range(DRAWN_NUMBERS)}
    drawn |= {
        "placement.watch.wrist": str(rng.choice(["left", "right"])),
        "placement.phone.offset_m": rng.normal(size=3),
        "motion.count": int(rng.integers(5)),
        "device.lossy": bool(rng.integers(2)),
    }
    labels = {"set": index // 4, "repetition": index % 4, "subject": 3}
    return Repetition(index=index, **arrays, repetition=labels, drawn=drawn)


def make_toy(recipe: ToyRecipe, start: int, stop: int) -> Iterator[Repetition]:
    for index in range(start, stop):
        time.sleep(recipe.pause_s)
        yield toy_repetition(index, recipe.seed)


def make_with_one_death(recipe: ToyRecipe, start: int, stop: int) -> Iterator[Repetition]:
    """Kills its own process at one index, the first time that it gets there."""
    for repetition in make_toy(recipe, start, stop):
        flag = Path(recipe.fault_flag)
        if repetition.index == recipe.fault_index and not flag.exists():
            flag.write_text("died here")
            os.kill(os.getpid(), signal.SIGKILL)
        yield repetition


def make_with_many_deaths(recipe: ToyRecipe, start: int, stop: int) -> Iterator[Repetition]:
    """Kills its own process at one index, whenever it gets there, and counts how often."""
    for repetition in make_toy(recipe, start, stop):
        if repetition.index == recipe.fault_index:
            with open(recipe.fault_flag, "a") as flag:
                flag.write("x")
            os.kill(os.getpid(), signal.SIGKILL)
        yield repetition


def make_hanging(recipe: ToyRecipe, start: int, stop: int) -> Iterator[Repetition]:
    """Never returns from native code at one index, and keeps the interpreter to itself."""
    for repetition in make_toy(recipe, start, stop):
        if repetition.index == recipe.fault_index:
            sum(range(10**15))
        yield repetition


def make_eating(recipe: ToyRecipe, start: int, stop: int) -> Iterator[Repetition]:
    """Takes all the memory that there is at one index."""
    eaten = []
    for repetition in make_toy(recipe, start, stop):
        while repetition.index == recipe.fault_index:
            eaten.append(np.ones(1_000_000))
        yield repetition


def make_with_error(recipe: ToyRecipe, start: int, stop: int) -> Iterator[Repetition]:
    for repetition in make_toy(recipe, start, stop):
        if repetition.index == recipe.fault_index:
            raise ArithmeticError("the body fell over")
        yield repetition


def make_with_infinity(recipe: ToyRecipe, start: int, stop: int) -> Iterator[Repetition]:
    for repetition in make_toy(recipe, start, stop):
        if repetition.index == recipe.fault_index:
            repetition.sample["watch_gyro"][7, 1] = np.inf
        yield repetition
