"""Where shards are made: in this process, in processes of this machine, or on a Dask cluster.

An engine yields outcomes as they come and raises `WorkersLost` where it cannot go on; who calls it plans the
rest anew.
"""

import os
import signal
import threading
import warnings
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Generic, Protocol

from joblib import Parallel, delayed, parallel_config
from joblib.externals.loky.process_executor import BrokenProcessPool

from generators.attempts import Failure, Limits, Replaced, attempt
from generators.ownership import LOCK
from generators.shards import Maker, RecipeT, origin, repetitions_of
from generators.store import DatasetError, DiskError, Shard, write_shard
from generators.store.integrity import check_shard
from generators.store.manifest import sidecar_of
from generators.workers import serve

_GRACE_S = 30.0  # longer than the limit of a shard, before nothing is expected any more


class WorkersLost(Exception):
    """Processes that were making shards ended or went silent; the message says what is known of it."""


@dataclass(frozen=True, kw_only=True)
class Task(Generic[RecipeT]):
    """Making any one shard of a dataset, in whatever process.

    Attributes:
        recipe: what to make.
        folder: of the dataset; the process must see it under the same path.
        make: gives the repetitions of a range of indices.
        limits: what a try may take.
        owner: text of the folder's lock file while the run that wants the shards has it.
    """

    recipe: RecipeT
    folder: Path
    make: Maker[RecipeT]
    limits: Limits
    owner: str

    def __call__(self, number: int) -> Shard | Failure:
        """Try to make a shard, unless it is finished: an engine may ask twice where it lost an answer.

        Raises:
            DiskError: the folder cannot be written, or is no longer of the run that wants the shard.
        """
        self.check_owner()
        if sidecar_of(self.folder, number).exists():
            with suppress(DatasetError):
                return check_shard(self.folder, number).shards[0]
        return attempt(lambda: self._make(number), self.folder, number, self.limits)

    def _make(self, number: int) -> Shard:
        repetitions = repetitions_of(self.recipe, number, self.make)
        self.check_owner()
        return write_shard(self.folder, number, repetitions, recipe=origin(self.recipe))

    def check_owner(self) -> None:
        """Raise `Replaced` unless the run that wants the shards has the folder, as this process sees it."""
        path = self.folder / LOCK
        found = path.read_text() if path.is_file() else "nobody"
        if found != self.owner:
            raise Replaced(
                f"{self.folder} is owned by {found} as this process sees it, expected {self.owner}; a newer run has "
                "taken over, or the folder is not shared between the machines"
            )


Outcome = Shard | Failure


class Engine(Protocol):
    """A way to make shards."""

    def run(self, task: Task, numbers: Sequence[int]) -> Generator[Outcome, None, None]:
        """Yield the outcome of each shard as it is there, in any order.

        Raises:
            WorkersLost: some outcomes will not come.
            DatasetError: nothing can be made this way.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Sequential:
    """One shard after another in this process, where a debugger sees them. Nothing limits a shard."""

    def run(self, task: Task, numbers: Sequence[int]) -> Generator[Outcome, None, None]:
        """Yield the outcome of each shard, in order."""
        yield from map(replace(task, limits=Limits()), numbers)


@dataclass(frozen=True, kw_only=True)
class Loky:
    """Processes of this machine.

    Attributes:
        jobs: how many shards are made at once.
    """

    jobs: int

    def __post_init__(self):
        if self.jobs < 1:
            raise ValueError(f"jobs is {self.jobs}, expected at least 1; give the number of processes")

    def run(self, task: Task, numbers: Sequence[int]) -> Generator[Outcome, None, None]:
        """Yield the outcome of each shard as it is there."""
        yield from on_processes([(task, number) for number in numbers], jobs=self.jobs, limits=task.limits)


def on_processes(calls: Sequence[tuple[Any, ...]], *, jobs: int, limits: Limits) -> Generator[Any, None, None]:
    """Call functions in processes of this machine and yield what they return, as it is there.

    Args:
        calls: functions, each with its arguments.
        jobs: how many run at once.
        limits: of a call; if nothing comes for longer, nothing is expected any more.

    Raises:
        WorkersLost: some results will not come.
    """
    with parallel_config(backend="loky", inner_max_num_threads=1):
        # With one process, joblib would work in this one; the other stays idle.
        parallel = Parallel(
            n_jobs=max(2, min(jobs, len(calls))),
            pre_dispatch=str(jobs),
            initializer=serve,  # not with the first task: a worker may never get one
            initargs=(os.getpid(),),
            **_options(limits),
        )
    yield from _outcomes(parallel, (delayed(function)(*arguments) for function, *arguments in calls))


@dataclass(frozen=True, kw_only=True)
class Dask:
    """Workers of a Dask cluster that see the folder under the same path, with one thread each.

    Attributes:
        scheduler: address, such as "tcp://10.0.0.1:8786".
        connect_s: how long to wait for the scheduler, and for a first worker.
        silence_s: how long to wait for any shard at all; where None, as long as one may take.
    """

    scheduler: str
    connect_s: float = 30.0
    silence_s: float | None = None

    def run(self, task: Task, numbers: Sequence[int]) -> Generator[Outcome, None, None]:
        """Yield the outcome of each shard as it is there. The memory limit is left to Dask."""
        limits = replace(task.limits, memory_bytes=None)
        calls = (delayed(_told)(replace(task, limits=limits), number) for number in numbers)
        with self._client() as client:
            _probe(client, task, self.connect_s)
            with parallel_config(backend="dask", client=client):
                parallel = Parallel(n_jobs=-1, pre_dispatch="2 * n_jobs", **_options(limits, silence_s=self.silence_s))
            with closing(_outcomes(parallel, calls)) as outcomes:
                for outcome in outcomes:
                    if isinstance(outcome, DiskError):
                        raise outcome
                    yield outcome

    def _client(self) -> Any:
        try:
            from distributed import Client
        except ImportError as error:
            raise DatasetError("Dask is not installed, expected it; `pip install 'squat-sensor[dask]'`") from error
        try:
            client = Client(self.scheduler, timeout=self.connect_s, set_as_default=False)
        except (OSError, ValueError) as error:
            raise DatasetError(
                f"{self.scheduler} does not answer ({error}), expected a Dask scheduler; start one, or correct the "
                "address"
            ) from error
        try:
            client.wait_for_workers(1, timeout=self.connect_s)
            crowded = sorted(address for address, threads in client.nthreads().items() if threads != 1)
            if crowded:
                raise DatasetError(
                    f"the Dask workers {crowded[:3]} have several threads, expected one each, so that a limit ends "
                    "one shard alone; start them with --nthreads 1"
                )
        except TimeoutError as error:
            client.close()
            raise DatasetError(
                f"{self.scheduler} has had no worker for {self.connect_s:g} s, expected at least one; start some"
            ) from error
        except DatasetError:
            client.close()
            raise
        return client


def _probe(client: Any, task: Task, limit_s: float) -> None:
    """Find out at once whether a worker has the packages and sees the folder."""
    try:
        client.submit(task.check_owner, pure=False).result(timeout=limit_s)
    except DatasetError:
        raise
    except Exception as error:
        raise DatasetError(
            f"the Dask cluster cannot begin ({error.__cause__ or error}), expected the packages that are here there "
            "too; install them and start scheduler and workers again"
        ) from error


def _told(task: Task, number: int) -> Outcome | DiskError:
    """Do a task and return what stops the run: joblib's Dask backend waits forever for a call that raises."""
    try:
        return task(number)
    except DiskError as error:
        return error


def _options(limits: Limits, silence_s: float | None = None) -> dict[str, Any]:
    """What every parallel run has in common."""
    if silence_s is None and limits.seconds is not None:
        silence_s = limits.seconds + _GRACE_S
    return {"return_as": "generator_unordered", "batch_size": 1, "max_nbytes": None, "timeout": silence_s}


def _outcomes(parallel: Parallel, calls: Iterable[Any]) -> Generator[Any, None, None]:
    outcomes: Any = None
    try:
        with uninterrupted():
            outcomes = parallel(calls)
        for outcome in outcomes:  # noqa: UP028 - it would close the calls before the filter below
            yield outcome
    except BrokenProcessPool as error:
        raise WorkersLost(str(error).splitlines()[0]) from error
    except TimeoutError as error:
        raise WorkersLost(f"nothing came for {parallel.timeout:g} s") from error
    finally:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # joblib warns of results that nobody waits for
            if outcomes is not None:
                outcomes.close()


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Puts an interrupt off until the end of the block: workers that are half started are waited for without end.

    The mask is for the workers, which inherit it. This process needs the handler: whatever thread a signal meets,
    Python has it handled by the main one, which alone may exchange it.
    """
    handler = signal.getsignal(signal.SIGINT)
    held = handler is not None and threading.current_thread() is threading.main_thread()
    came: list[int] = []
    if held:
        signal.signal(signal.SIGINT, lambda number, _: came.append(number))
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        if held:
            signal.signal(signal.SIGINT, handler)
        if came:
            signal.raise_signal(signal.SIGINT)
