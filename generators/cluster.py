"""Shards as an array job of a SLURM cluster; the same through processes of this machine, to try it out."""

import os
import shutil
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from generators.attempts import TRIES, Failure, reason, reports
from generators.engines import Loky, Outcome, Task, WorkersLost
from generators.rounds import make_all
from generators.store import DatasetError, Manifest
from generators.store.manifest import sidecar_of

_POLL_S = {"slurm": 2.0, "local": 0.1}


@dataclass(frozen=True, kw_only=True)
class ArrayJob:
    """An array job whose tasks each make a range of shards.

    Everything that passes between this process and the tasks lies in the dataset's folder; submitit keeps its
    own files and the logs in `<folder>.jobs` beside it, which is removed when all went well.

    Attributes:
        cluster: "slurm", or "local" for processes of this machine.
        tasks: how many tasks the array has.
        jobs: processes of a task; so many cores are asked for.
        minutes: time that a task may take.
        options: further parameters as submitit names them, such as `{"slurm_partition": "cpu"}`.
    """

    cluster: str
    tasks: int
    jobs: int
    minutes: int = 240
    options: Mapping[str, Any] = field(default_factory=dict)

    def run(self, task: Task, numbers: Sequence[int]) -> Generator[Outcome, None, None]:
        """Yield the outcome of each shard as its files appear in the folder."""
        logs = task.folder.with_name(f"{task.folder.name}.jobs")
        jobs = self._submit(task, numbers, logs)
        try:
            yield from _watch(jobs, task.folder, numbers, poll_s=_POLL_S[self.cluster])
        finally:
            for job in jobs:
                if not job.done():
                    with suppress(OSError, ValueError):
                        job.cancel(check=False)
        shutil.rmtree(logs, ignore_errors=True)

    def _submit(self, task: Task, numbers: Sequence[int], logs: Path) -> list[Any]:
        try:
            import submitit
        except ImportError as error:
            raise DatasetError(
                "submitit is not installed, expected it; `pip install 'squat-sensor[cluster]'`"
            ) from error
        count = min(self.tasks, len(numbers))
        ranges = [numbers[len(numbers) * k // count : len(numbers) * (k + 1) // count] for k in range(count)]
        try:
            executor = submitit.AutoExecutor(folder=logs, cluster=self.cluster)
            executor.update_parameters(
                name=task.folder.name, timeout_min=self.minutes, cpus_per_task=self.jobs, **self.options
            )
            return executor.map_array(_make_range, [task] * count, ranges, [self.jobs] * count)
        except (RuntimeError, ValueError, NameError, OSError, submitit.core.utils.FailedJobError) as error:
            raise DatasetError(
                f"{self.cluster} takes no jobs ({error}), expected a cluster that this machine can submit to; "
                "run it on a login node, or correct the options"
            ) from error


def _make_range(task: Task, numbers: Sequence[int], jobs: int) -> None:
    """Make some shards: one task of the array."""
    make_all(task, numbers, Loky(jobs=jobs), made=lambda shard: None)


def _watch(
    jobs: Sequence[Any], folder: Path, numbers: Sequence[int], *, poll_s: float
) -> Generator[Outcome, None, None]:
    waiting = set(numbers)
    while waiting:
        over = all(job.done() for job in jobs)  # before looking: what is there then, is all there will be
        names = {entry.name for entry in os.scandir(folder)}
        for number in sorted(n for n in waiting if sidecar_of(folder, n).name in names):
            waiting.discard(number)
            yield Manifest.read(sidecar_of(folder, number)).shards[0]
        if over:
            break
        time.sleep(poll_s)
    while not all(job.done() for job in jobs):
        time.sleep(poll_s)
    for number in sorted(waiting):
        if len(tried := reports(folder, number)) >= TRIES:
            waiting.discard(number)
            yield Failure(number=number, reason=reason(tried[-1]))
    if waiting:
        raise WorkersLost(next(filter(None, map(_last_words, jobs)), "the jobs ended early"))


def _last_words(job: Any) -> str:
    error = job.exception()
    return str(error).strip().splitlines()[-1] if error else ""
