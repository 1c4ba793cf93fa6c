"""The unit of work: a shard is a function of a recipe, without its number of repetitions, and of its own number."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

from generators.store import DatasetError, DiskError, Manifest, Plan, Repetition, Shard, write_shard
from generators.store.documents import as_json
from generators.store.integrity import check_shards


class ShardedRecipe(Protocol):
    """What making a dataset needs to know of a recipe."""

    @property
    def repetitions(self) -> int:
        """How many repetitions to make."""
        ...

    @property
    def shard_repetitions(self) -> int:
        """How many repetitions a file holds."""
        ...

    def to_dict(self) -> dict[str, Any]:
        """Everything that the repetitions depend on, the seed included, as JSON holds it."""
        ...


RecipeT = TypeVar("RecipeT", bound=ShardedRecipe)
Maker = Callable[[RecipeT, int, int], Iterable[Repetition]]
"""Gives the repetitions of a recipe from one index to before another, in order."""


class RepetitionError(DatasetError):
    """A repetition cannot be made; the message names it."""


def origin(recipe: ShardedRecipe) -> dict[str, Any]:
    """What every repetition of a recipe depends on, as JSON gives it back: all of it but their number."""
    return as_json({name: value for name, value in recipe.to_dict().items() if name != "repetitions"})


def plan_of(recipe: ShardedRecipe, *, part: tuple[int, int] = (1, 1)) -> Plan:
    """The shards of a recipe, or of one of several parts of it that are made apart.

    Args:
        recipe: what to make.
        part: (k, n) for the k-th of n parts, from 1.

    Raises:
        DatasetError: there is no such part.
    """
    k, n = part
    count = -(-recipe.repetitions // recipe.shard_repetitions)
    if not 1 <= k <= n <= count:
        raise DatasetError(f"part {k} of {n} cannot be made, expected a part of at most {count}, one shard each")
    return Plan(
        recipe=origin(recipe),
        repetitions=recipe.repetitions,
        shard_repetitions=recipe.shard_repetitions,
        first_shard=(k - 1) * count // n,
        end_shard=k * count // n,
    )


def repetitions_of(recipe: RecipeT, number: int, make: Maker[RecipeT]) -> list[Repetition]:
    """The repetitions of a shard.

    Raises:
        RepetitionError: `make` failed, or gave others.
    """
    first = number * recipe.shard_repetitions
    indices = range(first, min(first + recipe.shard_repetitions, recipe.repetitions))
    repetitions: list[Repetition] = []
    try:
        for repetition in make(recipe, indices.start, indices.stop):
            repetitions.append(repetition)  # one by one: an error names the next
    except DiskError:
        raise
    except Exception as error:
        raise RepetitionError(
            f"repetition {indices.start + len(repetitions)} in shard {number} cannot be made "
            f"({type(error).__name__}: {error}), expected one for every index; correct it and run again, "
            "finished shards are kept"
        ) from error
    found = [repetition.index for repetition in repetitions]
    if found != list(indices):
        raise RepetitionError(f"shard {number} was given the repetitions {found}, expected {indices}; correct `make`")
    return repetitions


def make_shard(recipe: RecipeT, folder: Path | str, number: int, *, make: Maker[RecipeT]) -> Shard:
    """Make one shard of a recipe in this process.

    Raises:
        DatasetError: a repetition cannot be made or stored; it names the repetition.
    """
    return write_shard(folder, number, repetitions_of(recipe, number, make), recipe=origin(recipe))


def missing_shards(plan: Plan, folder: Path | str, *, listed: Sequence[Shard] = (), threads: int = 1) -> list[int]:
    """Numbers of the shards that are not in a folder as they were planned, by their bytes.

    Args:
        plan: what the folder is to hold.
        folder: of the dataset.
        listed: shards as a sound manifest has them; those in the folder must be the same.
        threads: how many files are read at once.
    """
    wanted = {shard.number: shard for shard in listed}

    def is_sound(number: int, sidecar: Manifest | DatasetError) -> bool:
        if isinstance(sidecar, DatasetError) or not plan.is_met_by(sidecar):
            return False
        return wanted.get(number, sidecar.shards[0]) == sidecar.shards[0]

    checked = check_shards(Path(folder), plan.shards, threads=threads)
    return [number for number, sidecar in zip(plan.shards, checked, strict=True) if not is_sound(number, sidecar)]
