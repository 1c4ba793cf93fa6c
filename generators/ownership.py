"""A folder that is being written: one writer at a time, of one recipe, nothing left behind."""

import fcntl
import os
import platform
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from generators.attempts import TRIES, reports
from generators.store import DatasetError, Manifest, Plan
from generators.store.atomic import named_failure, temporaries
from generators.store.documents import FORMAT
from generators.store.integrity import spans, tries
from generators.store.manifest import MANIFEST, shard_numbers
from generators.store.plan import PLAN

LOCK = "produce.lock"


@contextmanager
def locked(folder: Path) -> Iterator[str]:
    """Make a folder and keep other writers out of it; the system frees the lock of a dead one.

    Yields:
        Text of the lock file; it changes with every owner.

    Raises:
        DatasetError: another process has the folder, or it cannot be written.
    """
    path = folder / LOCK
    with named_failure(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = open(path, "a+")  # noqa: SIM115
    with lock:
        _lock(folder, lock)
        owner = f"process {os.getpid()} on {platform.node()}, run {uuid.uuid4().hex}"
        try:
            with named_failure(path, len(owner)):
                lock.truncate(0)
                lock.write(owner)
                lock.flush()
            yield owner
        finally:
            path.unlink(missing_ok=True)


def _lock(folder: Path, lock: Any) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        owned = os.path.samestat(os.fstat(lock.fileno()), (folder / LOCK).stat())
    except (BlockingIOError, FileNotFoundError):
        owned = False
    except OSError as error:
        raise DatasetError(
            f"{folder} cannot be locked ({error.strerror}), expected a file system with locks; choose another folder"
        ) from error
    if not owned:
        lock.seek(0)
        raise DatasetError(
            f"{folder} is being written by {lock.read() or 'another process'}, expected one writer; "
            "wait for its end or choose another folder"
        )


def agree(plan: Plan, folder: Path) -> None:
    """Refuse a folder that holds, or is to hold, another recipe or shards that a plan does not have.

    Raises:
        DatasetError: says what differs.
    """
    held = None
    with suppress(DatasetError):
        held = Plan.read(folder)
    if held:
        _refuse_other(plan, held.recipe, FORMAT, folder / PLAN)
        if held.repetitions > plan.repetitions or {*held.shards} - {*plan.shards}:
            raise DatasetError(
                f"{folder} is to hold the shards {spans(held.shards)} of {held.repetitions} repetitions, expected no "
                f"others than {spans(plan.shards)} of {plan.repetitions}; ask for as many or choose another folder"
            )
    else:
        for path, found in _sound_files(folder):
            _refuse_other(plan, found.recipe, found.format, path)
    if foreign := sorted({*shard_numbers(folder)} - {*plan.shards}):
        raise DatasetError(
            f"{folder} holds the shards {spans(foreign)}, expected {spans(plan.shards)} alone; remove them or "
            "choose another folder"
        )


def _sound_files(folder: Path) -> Iterator[tuple[Path, Manifest]]:
    for name in (MANIFEST, *(f"shard-{number:05d}.json" for number in shard_numbers(folder))):
        with suppress(DatasetError):
            found = Manifest.read(folder / name)
            yield folder / name, found


def _refuse_other(plan: Plan, recipe: dict[str, Any], format: str, path: Path) -> None:
    if format != FORMAT:
        raise DatasetError(
            f"{path} is of the format {format!r}, expected {FORMAT!r}; it can be read but not gone on with, choose "
            "another folder"
        )
    if recipe != plan.recipe:
        odd = sorted(key for key in recipe.keys() | plan.recipe.keys() if recipe.get(key) != plan.recipe.get(key))
        raise DatasetError(
            f"{path} was made by another recipe, expected the same values of {odd}; choose another folder"
        )


def sweep(folder: Path, *, keep_given_up: bool = False) -> None:
    """Remove what killed writers left, and the reports of failed tries.

    Args:
        folder: to sweep.
        keep_given_up: leave the reports of shards that were tried for the last time.
    """
    for path in temporaries(folder):
        path.unlink(missing_ok=True)
    for path in tries(folder):
        number = int(path.name[len("shard-") :].partition(".")[0])
        if not keep_given_up or len(reports(folder, number)) < TRIES:
            path.unlink(missing_ok=True)
