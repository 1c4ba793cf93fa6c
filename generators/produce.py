"""Make a dataset with several processes; the result does not depend on how many.

A shard is a function of the recipe and its number alone. The workers write the shards themselves, a shard
that is whole is never made again, and the manifest comes last: running again resumes an interrupted run.
"""

import fcntl
import json
import math
import os
import platform
import signal
import threading
import time
import warnings
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from functools import cache, partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

from joblib import Parallel, delayed, parallel_config
from joblib.externals.loky.process_executor import TerminatedWorkerError
from tqdm import tqdm

from generators.store import Dataset, DatasetError, Repetition, Shard, write_manifest, write_shard
from generators.store.atomic import named_failure, temporaries
from generators.store.manifest import (
    MANIFEST,
    Manifest,
    canonical_json,
    check_shard,
    recipe_hash,
    shard_numbers,
)

TRIES = 3
"""How often a shard may lose its worker before it is given up."""
_PARENT_CHECK_S = 0.2


class ShardedRecipe(Protocol):
    """What `produce` needs to know of a recipe."""

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


def produce(
    recipe: RecipeT,
    folder: Path | str,
    *,
    make: Maker[RecipeT],
    jobs: int = 2,
    progress: bool = True,
) -> Dataset:
    """Make all shards that are missing or damaged in a folder, then the manifest.

    Args:
        recipe: what to make.
        folder: new, or with shards of the same recipe.
        make: `make(recipe, start, stop)` gives the repetitions of these indices, in order; each depends on
            the recipe and its index alone.
        jobs: processes; 1 works in this one.
        progress: show a bar where standard error is a terminal.

    Returns:
        The finished dataset; its digest is the same for any number of jobs.

    Raises:
        DatasetError: the folder cannot be written, is being written by another process or holds another
            recipe, or a repetition cannot be made. Finished shards stay.
        KeyboardInterrupt: as ever, and it says how far the run came.
    """
    if jobs < 1:
        raise ValueError(f"jobs is {jobs}, expected at least 1; give the number of processes")
    folder = Path(folder).resolve()
    with _locked(folder):
        _refuse_others(recipe, folder)
        _sweep(folder)
        pending = missing_shards(recipe, folder)
        if pending:
            (folder / MANIFEST).unlink(missing_ok=True)
        try:
            _make_all(recipe, folder, pending, make=make, jobs=jobs, progress=progress)
        except KeyboardInterrupt:
            finished = len(list(folder.glob("shard-*.json")))
            raise KeyboardInterrupt(
                f"stopped with {finished} of {_count(recipe)} shards finished in {folder}; run the same "
                "command again to make the rest"
            ) from None
        finally:
            _sweep(folder)
        write_manifest(folder)
    return Dataset(folder)


def make_shard(recipe: RecipeT, folder: Path | str, number: int, *, make: Maker[RecipeT]) -> Shard:
    """Make one shard of a recipe in this process: the unit of work of every engine.

    Raises:
        DatasetError: a repetition cannot be made or stored; it names the repetition.
    """
    indices = _indices(recipe, number)
    repetitions: list[Repetition] = []
    try:
        for repetition in make(recipe, indices.start, indices.stop):
            repetitions.append(repetition)  # one by one: an error names the next
    except Exception as error:
        raise DatasetError(
            f"repetition {indices.start + len(repetitions)} in shard {number} cannot be made "
            f"({type(error).__name__}: {error}), expected one for every index; correct it and run again, "
            "finished shards are kept"
        ) from error
    found = [repetition.index for repetition in repetitions]
    if found != list(indices):
        raise DatasetError(f"shard {number} was given the repetitions {found}, expected {indices}; correct `make`")
    return write_shard(folder, number, repetitions, recipe=recipe.to_dict())


def missing_shards(recipe: ShardedRecipe, folder: Path | str) -> list[int]:
    """Numbers of the shards that are not in a folder as the recipe wants them, by their bytes."""
    return [number for number in range(_count(recipe)) if not _is_sound(recipe, Path(folder), number)]


def _count(recipe: ShardedRecipe) -> int:
    return math.ceil(recipe.repetitions / recipe.shard_repetitions)


def _indices(recipe: ShardedRecipe, number: int) -> range:
    """Global indices of the repetitions of a shard."""
    first = number * recipe.shard_repetitions
    return range(first, min(first + recipe.shard_repetitions, recipe.repetitions))


def _is_sound(recipe: ShardedRecipe, folder: Path, number: int) -> bool:
    try:
        sidecar = check_shard(folder, number)
    except DatasetError:
        return False
    shard, indices = sidecar.shards[0], _indices(recipe, number)
    found = (shard.first, shard.last, shard.repetitions, recipe_hash(sidecar.recipe))
    return found == (indices[0], indices[-1], len(indices), recipe_hash(recipe.to_dict()))


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Make a folder and keep other writers out of it; the system frees the lock of a dead one."""
    path = folder / "produce.lock"
    with named_failure(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = open(path, "a+")  # noqa: SIM115
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            owned = os.path.samestat(os.fstat(lock.fileno()), path.stat())
        except (BlockingIOError, FileNotFoundError):
            owned = False
        except OSError as error:
            raise DatasetError(
                f"{folder} cannot be locked ({error.strerror}), expected a file system with locks; choose "
                "another folder"
            ) from error
        if not owned:
            lock.seek(0)
            raise DatasetError(
                f"{folder} is being written by {lock.read() or 'another process'}, expected one writer; "
                "wait for its end or choose another folder"
            )
        lock.truncate(0)
        lock.write(f"process {os.getpid()} on {platform.node()}")
        lock.flush()
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def _refuse_others(recipe: ShardedRecipe, folder: Path) -> None:
    """Refuse a folder with shards that another recipe made, or that this one does not have."""
    wanted = recipe_hash(recipe.to_dict())
    names = [MANIFEST, *(f"shard-{number:05d}.json" for number in shard_numbers(folder))]
    for path in (folder / name for name in names):
        try:
            held = Manifest.read(path).recipe
        except DatasetError:
            continue
        if recipe_hash(held) != wanted:
            ours = json.loads(canonical_json(recipe.to_dict()))
            odd = sorted(key for key in held.keys() | ours.keys() if held.get(key) != ours.get(key))
            raise DatasetError(
                f"{path} was made by another recipe, expected the same values of {odd}; choose another folder"
            )
    foreign = [number for number in shard_numbers(folder) if number >= _count(recipe)]
    if foreign:
        raise DatasetError(
            f"{folder} holds the shards {foreign}, expected none from {_count(recipe)} on; remove them or "
            "choose another folder"
        )


def _sweep(folder: Path) -> None:
    for path in temporaries(folder):
        path.unlink(missing_ok=True)


def _make_all(
    recipe: RecipeT,
    folder: Path,
    pending: list[int],
    *,
    make: Maker[RecipeT],
    jobs: int,
    progress: bool,
) -> None:
    """Make shards until none is missing, or those left have lost their worker too often."""
    task = partial(make_shard, recipe, folder, make=make)
    sizes = {number: len(_indices(recipe, number)) for number in pending}
    losses: Counter[int] = Counter()
    initial = recipe.repetitions - sum(sizes.values())
    with tqdm(total=recipe.repetitions, initial=initial, unit="rep", disable=None if progress else True) as bar:
        while pending := [number for number in pending if losses[number] < TRIES]:
            # The last try is made alone, so that no shard answers for the loss of another.
            last_tries = [number for number in pending if losses[number] == TRIES - 1]
            started: list[int] = []
            made: set[int] = set()
            try:
                with closing(_made(task, last_tries[:1] or pending, jobs, started)) as shards:
                    for shard in shards:
                        made.add(shard.number)
                        bar.update(sizes[shard.number])
            except TerminatedWorkerError:
                unseen = {number for number in started if number not in made}
                lost = {number for number in unseen if not _is_sound(recipe, folder, number)}
                losses.update(lost)
                made |= unseen - lost
                bar.update(sum(sizes[number] for number in unseen - lost))
            pending = [number for number in pending if number not in made]
    if given_up := sorted(number for number, times in losses.items() if times >= TRIES):
        ranges = [f"{indices[0]}-{indices[-1]}" for indices in (_indices(recipe, n) for n in given_up)]
        raise DatasetError(
            f"the shards {given_up} (repetitions {', '.join(ranges)}) in {folder} lost their worker {TRIES} "
            "times each, expected them to finish; see whether they crash or need too much memory, and run "
            "again: all others are finished"
        )


def _made(
    task: Callable[[int], Shard], numbers: list[int], jobs: int, started: list[int]
) -> Generator[Shard, None, None]:
    """Yield shards as they are finished; `started` gets the numbers that were handed to workers."""
    if jobs == 1:
        yield from map(task, numbers)
        return

    def calls() -> Iterator[Any]:
        for number in numbers:
            started.append(number)
            yield delayed(_work)(os.getpid(), task, number)

    with parallel_config(backend="loky", inner_max_num_threads=1):
        parallel = Parallel(
            n_jobs=min(jobs, max(2, len(numbers))),
            return_as="generator_unordered",
            pre_dispatch="n_jobs",
            batch_size=1,  # pyright: ignore[reportArgumentType]
            max_nbytes=None,
        )
    shards: Any = parallel(calls())
    try:
        yield from shards
    finally:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # joblib warns of results that nobody waits for
            shards.close()


def _work(parent: int, task: Callable[[int], Shard], number: int) -> Shard:
    """Do a task in a worker process."""
    _serve(parent)
    return task(number)


@cache
def _serve(parent: int) -> None:
    """Let this worker process leave interrupts to its parent, and end when the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_PARENT_CHECK_S)
        os._exit(1)

    threading.Thread(target=watch, name="end with the parent", daemon=True).start()
