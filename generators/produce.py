"""Make a dataset, or what is missing or damaged of one; the result does not depend on where it is made.

The workers write the shards themselves, a shard that is whole is never made again, and the manifest comes
last: running again goes on with an interrupted run, with more repetitions it extends a finished one.
"""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from tqdm import tqdm

from generators.attempts import TRIES, Limits, default_limits
from generators.engines import Engine, Loky, Task
from generators.ownership import agree, locked, sweep
from generators.rounds import make_all
from generators.shards import Maker, RecipeT, missing_shards, plan_of
from generators.store import Dataset, DatasetError, Manifest, Plan, Shard, write_manifest
from generators.store.integrity import spans
from generators.store.manifest import MANIFEST, sidecar_of

READERS = 4
"""How many files are read at once when shards are checked."""


def produce(
    recipe: RecipeT,
    folder: Path | str,
    *,
    make: Maker[RecipeT],
    jobs: int = 2,
    engine: Engine | None = None,
    limits: Limits | None = None,
    part: tuple[int, int] = (1, 1),
    progress: bool = True,
) -> Dataset:
    """Make all shards that are missing or damaged in a folder, then the manifest.

    Args:
        recipe: what to make.
        folder: new, or with shards of the same recipe; their number may grow.
        make: `make(recipe, start, stop)` gives the repetitions of these indices, in order; each depends on
            the recipe, without its number of repetitions, and its index alone.
        jobs: processes on this machine, where no engine is given.
        engine: where the shards are made.
        limits: what a try to make a shard may take.
        part: (k, n) to make the k-th of n parts only, from 1; `merge` joins them.
        progress: show a bar where standard error is a terminal.

    Returns:
        The finished dataset; its digest is the same for any engine and number of jobs.

    Raises:
        DatasetError: the folder cannot be written, is being written by another process or holds another
            recipe, or shards were given up. Finished shards stay.
        KeyboardInterrupt: as ever, and it says how far the run came.
    """
    plan = plan_of(recipe, part=part)
    return fulfil(
        plan,
        recipe,
        Path(folder),
        make=make,
        engine=engine or Loky(jobs=jobs),
        limits=limits or default_limits(recipe.shard_repetitions),
        progress=progress,
    )


def fulfil(
    plan: Plan, recipe: RecipeT, folder: Path, *, make: Maker[RecipeT], engine: Engine, limits: Limits, progress: bool
) -> Dataset:
    """Make what a folder lacks of a plan, as `produce` does of a recipe."""
    folder = folder.resolve()
    with locked(folder) as owner:
        agree(plan, folder)
        sweep(folder)
        pending = missing_shards(plan, folder, listed=_listed(folder), threads=READERS)
        if pending:
            (folder / MANIFEST).unlink(missing_ok=True)
        plan.write(folder)
        for number in pending:  # from here on, a sidecar stands for a shard that is finished
            sidecar_of(folder, number).unlink(missing_ok=True)
        task = Task(recipe=recipe, folder=folder, make=make, limits=limits, owner=owner)
        try:
            _make(task, plan, pending, engine, progress=progress)
        except KeyboardInterrupt:
            left = [number for number in pending if not sidecar_of(folder, number).exists()]
            raise KeyboardInterrupt(
                f"stopped with {len(plan.shards) - len(left)} of {len(plan.shards)} shards finished in {folder}; run "
                "the same command again to make the rest"
            ) from None
        finally:
            sweep(folder, keep_given_up=True)
        write_manifest(folder, plan.shards, threads=READERS)
    return Dataset(folder)


def repair(
    folder: Path | str,
    *,
    recipe_of: Callable[[dict[str, Any]], RecipeT],
    make: Maker[RecipeT],
    jobs: int = 2,
    engine_of: Callable[[RecipeT], Engine] | None = None,
    progress: bool = True,
) -> Dataset:
    """Make what is missing or damaged in a dataset again, from the recipe in its folder.

    Args:
        folder: of a dataset that `produce` made, finished or not.
        recipe_of: gives the recipe that its JSON describes.
        make: as for `produce`.
        jobs: processes on this machine, where no `engine_of` is given.
        engine_of: says where the shards of a recipe are made.
        progress: show a bar where standard error is a terminal.

    Returns:
        The dataset, with the digest that it had.

    Raises:
        DatasetError: no recipe is left in the folder, shards were given up, or this machine makes other contents
            than those that were lost; then the dataset is whole, with another digest.
    """
    folder = Path(folder).resolve()
    plan = Plan.of_folder(folder)
    try:
        recipe = recipe_of(plan.recipe | {"repetitions": plan.repetitions})
    except (ValueError, TypeError) as error:
        raise DatasetError(
            f"{folder} was made by a recipe that is not known here ({error}), expected one of `squat generate`; "
            "repair it where it was made"
        ) from error
    before = {shard.number: shard for shard in _listed(folder)}
    limits = default_limits(plan.shard_repetitions)
    engine = engine_of(recipe) if engine_of else Loky(jobs=jobs)
    dataset = fulfil(plan, recipe, folder, make=make, engine=engine, limits=limits, progress=progress)
    if others := [shard.number for shard in dataset.shards if before.get(shard.number, shard).digest != shard.digest]:
        raise DatasetError(
            f"the shards {spans(others)} in {folder} were made again with other contents, expected those that were "
            "lost; the dataset is whole, but its digest is another: its manifest lists the versions that made it"
        )
    return dataset


def _make(task: Task, plan: Plan, pending: list[int], engine: Engine, *, progress: bool) -> None:
    """Make shards with a bar, and name those that were given up."""
    total = sum(len(plan.indices(number)) for number in plan.shards)
    initial = total - sum(len(plan.indices(number)) for number in pending)
    with tqdm(total=total, initial=initial, unit="rep", disable=None if progress else True) as bar:
        given_up = make_all(
            task, pending, engine, made=lambda shard: bar.update(shard.repetitions), hopeful=initial > 0
        )
    if given_up:
        told = "; ".join(
            f"shard {number} (repetitions {plan.indices(number)[0]}-{plan.indices(number)[-1]}): {why}"
            for number, why in given_up.items()
        )
        raise DatasetError(
            f"{len(given_up)} of {len(plan.shards)} shards in {task.folder} were given up after {TRIES} tries, "
            f"expected all to be made: {told}; the others are finished, the reports are in shard-*.try-*.txt, and the "
            "same command tries again"
        )


def _listed(folder: Path) -> tuple[Shard, ...]:
    """The shards that a sound manifest in a folder lists."""
    with suppress(DatasetError):
        return Manifest.read(folder / MANIFEST).shards
    return ()
