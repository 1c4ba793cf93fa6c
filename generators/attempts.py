"""Tries to make a shard: bounded in time and memory, and on record in the folder if they do not end well.

Before a try, a report `shard-00007.try-1.txt` is created; only success removes it. A process that is killed
leaves it as it is, a crash or the time limit adds the stack, an exception its message. So whoever comes
next, on this machine or another, sees how often a shard was tried and why it failed.
"""

import faulthandler
import os
import platform
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from generators.store import DiskError, Shard
from generators.store.atomic import named_failure

TRIES = 3
"""How often a shard is tried in a run before it is given up."""
LOST = "its process was killed from outside, or by the system for its memory"


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a try to make a shard may take before its process is ended or refused more.

    Attributes:
        seconds: time for the whole shard; no limit where None.
        memory_bytes: private memory of the process (enforced on Linux); no limit where None.
    """

    seconds: float | None = None
    memory_bytes: int | None = None


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A try that did not make its shard.

    Attributes:
        number: of the shard.
        reason: in one line.
    """

    number: int
    reason: str


class Replaced(DiskError):
    """Another run has taken over the folder, or this one has ended."""


def default_limits(shard_repetitions: int) -> Limits:
    """Far more than a shard needs: 2 s a repetition and a minute to start, and 2 GiB."""
    return Limits(seconds=60.0 + 2.0 * shard_repetitions, memory_bytes=2 << 30)


def attempt(make: Callable[[], Shard], folder: Path, number: int, limits: Limits) -> Shard | Failure:
    """Try to make a shard.

    Returns:
        The shard, or why it was not made: an exception, or enough tries before this one.

    Raises:
        DiskError: the folder cannot be written, whatever the shard.
    """
    report = _new_report(folder, number)
    if report is None:
        return Failure(number=number, reason=reason(reports(folder, number)[-1]))
    with report:
        try:
            with _limited(report, limits):
                shard = make()
        except DiskError:
            Path(report.name).unlink(missing_ok=True)
            raise
        except Exception as error:
            report.write(f"{type(error).__name__}: {error}\n".encode())
            return Failure(number=number, reason=f"{type(error).__name__}: {error}")
    forget(folder, number)
    return shard


def reports(folder: Path, number: int) -> list[Path]:
    """Reports of the tries of a shard that did not end well, in order."""
    return [path for path in _names(folder, number) if path.exists()]


def reason(report: Path) -> str:
    """Why a try failed, in one line."""
    lines = report.read_text(errors="replace").splitlines()[1:]
    return lines[0] if lines else LOST


def is_unexplained(report: Path) -> bool:
    """Whether the process that tried was lost without a word, or is at it still."""
    return reason(report) == LOST


def is_crash(report: Path) -> bool:
    """Whether the process that tried ended itself: by a crash, or at the time limit."""
    return reason(report).startswith(("Timeout", "Fatal Python error"))


def forget(folder: Path, number: int) -> None:
    """Remove the reports of a shard."""
    for path in _names(folder, number):
        path.unlink(missing_ok=True)


def _names(folder: Path, number: int) -> list[Path]:
    return [folder / f"shard-{number:05d}.try-{k}.txt" for k in range(1, TRIES + 1)]


def _new_report(folder: Path, number: int) -> IO[bytes] | None:
    """The report of the next try, with its first line; None after the last one."""
    for path in _names(folder, number):
        with named_failure(path, 200), suppress(FileExistsError):
            report = open(path, "xb", buffering=0)  # noqa: SIM115
            report.write(f"shard {number} in process {os.getpid()} on {platform.node()}\n".encode())
            return report
    return None


@contextmanager
def _limited(report: IO[bytes], limits: Limits) -> Iterator[None]:
    """Hold this process to the limits; a crash, and the time limit by ending it, put the stack into the report.

    The clock runs in a native thread, so that it also ends native code that never returns to Python.
    """
    if limits == Limits():
        yield
        return
    faulthandler.enable(file=report)
    if limits.seconds is not None:
        faulthandler.dump_traceback_later(limits.seconds, file=report, exit=True)
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if limits.memory_bytes is not None:
        resource.setrlimit(resource.RLIMIT_DATA, (limits.memory_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))
        faulthandler.cancel_dump_traceback_later()
        faulthandler.disable()
