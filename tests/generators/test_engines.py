"""Where shards are made: Dask workers and array jobs, and what happens when they are lost."""

import dataclasses
import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from distributed import LocalCluster
from faults import RECIPE, Verdict, judge, killed_on_loky_finished_on_dask, undisturbed
from toy import ToyRecipe, make_hanging, make_toy, make_with_error, make_with_many_deaths

from generators.attempts import Failure, Limits
from generators.cluster import ArrayJob
from generators.engines import Dask, Sequential, Task, WorkersLost, uninterrupted
from generators.produce import produce
from generators.rounds import make_all
from generators.store import DatasetError, DiskError, verify

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    """Address of a cluster of two worker processes."""
    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0") as cluster:
        yield cluster.scheduler_address


def test_dask_makes_the_same_dataset(tmp_path, scheduler):
    produce(RECIPE, tmp_path / "d", make=make_toy, engine=Dask(scheduler=scheduler))
    assert judge(tmp_path / "d") == Verdict()


@pytest.mark.fault
def test_half_on_loky_killed_and_finished_on_dask(tmp_path, scheduler):
    assert killed_on_loky_finished_on_dask(tmp_path / "d", random.Random(0), scheduler) == Verdict()


@pytest.mark.fault
@pytest.mark.parametrize(
    ("make", "sign"), [(make_with_many_deaths, "was killed"), (make_with_error, "fell over"), (make_hanging, "Timeout")]
)
def test_on_dask_too_a_bad_shard_is_given_up_and_the_others_are_made(tmp_path, scheduler, make, sign):
    recipe = dataclasses.replace(RECIPE, fault_index=9, fault_flag=str(tmp_path / "flag"))
    with pytest.raises(DatasetError, match=rf"1 of 12 shards .* shard 4 \(repetitions 8-9\): .*{sign}"):
        produce(recipe, tmp_path / "d", make=make, engine=Dask(scheduler=scheduler), limits=Limits(seconds=2))
    assert len(list((tmp_path / "d").glob("shard-*.h5"))) == 11
    produce(RECIPE, tmp_path / "d", make=make_toy, engine=Sequential())
    assert judge(tmp_path / "d") == Verdict()


def refuse(recipe, start, stop):
    raise DiskError("the disk of the worker is full")


def test_what_stops_a_run_comes_back_from_dask(tmp_path, scheduler):
    with pytest.raises(DiskError, match="the disk of the worker is full"):
        produce(RECIPE, tmp_path, make=refuse, engine=Dask(scheduler=scheduler))


def test_dask_workers_that_do_not_see_the_folder_are_named_at_once(tmp_path, scheduler):
    task = Task(recipe=RECIPE, folder=tmp_path, make=make_toy, limits=Limits(), owner="process 1")
    with pytest.raises(DatasetError, match="is owned by nobody as this process sees it, expected process 1"):
        list(Dask(scheduler=scheduler).run(task, [0]))


def test_a_scheduler_that_does_not_answer_is_named(tmp_path):
    engine = Dask(scheduler="tcp://127.0.0.1:9", connect_s=0.3)
    with pytest.raises(DatasetError, match=r"tcp://127\.0\.0\.1:9 does not answer"):
        produce(RECIPE, tmp_path, make=make_toy, engine=engine)


@pytest.mark.parametrize(("workers", "message"), [(0, "has had no worker for"), (1, "several threads")])
def test_a_cluster_that_cannot_work_is_named(tmp_path, workers, message):
    options = {"threads_per_worker": 2, "processes": False, "dashboard_address": ":0"}
    with LocalCluster(n_workers=workers, **options) as cluster:
        engine = Dask(scheduler=cluster.scheduler_address, connect_s=1.0)
        with pytest.raises(DatasetError, match=message):
            produce(RECIPE, tmp_path, make=make_toy, engine=engine)


# An array job


@pytest.fixture
def array(monkeypatch) -> ArrayJob:
    monkeypatch.setenv("PYTHONPATH", f"{Path(__file__).parent}:{Path(__file__).parents[2]}")
    return ArrayJob(cluster="local", tasks=2, jobs=1, minutes=1)


def test_an_array_job_makes_the_same_dataset(tmp_path, array):
    produce(RECIPE, tmp_path / "d", make=make_toy, engine=array)
    assert judge(tmp_path / "d") == Verdict()
    assert [path.name for path in tmp_path.iterdir()] == ["d"]


@pytest.mark.fault
def test_in_an_array_job_too_a_bad_shard_is_given_up(tmp_path, array):
    recipe = dataclasses.replace(RECIPE, fault_index=9, fault_flag=str(tmp_path / "flag"))
    with pytest.raises(DatasetError, match=r"1 of 12 shards .* shard 4 \(repetitions 8-9\): its process was killed"):
        produce(recipe, tmp_path / "d", make=make_with_many_deaths, engine=array)
    assert len(list((tmp_path / "d").glob("shard-*.h5"))) == 11
    assert any("shard-00004.try-3.txt" in damage for damage in verify(tmp_path / "d"))


def test_a_cluster_that_takes_no_jobs_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(DatasetError, match="slurm takes no jobs"):
        produce(RECIPE, tmp_path / "d", make=make_toy, engine=ArrayJob(cluster="slurm", tasks=2, jobs=1))


# Losses


class Losing:
    """Loses its workers before they begin anything."""

    def run(self, task, numbers):
        yield from ()
        raise WorkersLost("no such file or directory")


class Forgetful:
    """Makes every shard, but forgets to tell of each the first time, as a cluster does that loses a worker."""

    def run(self, task, numbers):
        outcomes = [task(number) for number in numbers]
        if any(isinstance(outcome, Failure) for outcome in outcomes):
            yield from outcomes
        raise WorkersLost("the answers were lost")


def test_workers_that_never_begin_end_the_run(tmp_path):
    with pytest.raises(DatasetError, match=r"lost 3 times before they began a shard .*no such file"):
        produce(RECIPE, tmp_path, make=make_toy, engine=Losing())


def test_what_was_made_before_a_loss_is_not_made_again(tmp_path):
    made = []

    def make(recipe, start, stop):
        made.append(start)
        return list(make_toy(recipe, start, stop))

    assert produce(RECIPE, tmp_path, make=make, engine=Forgetful()).digest == undisturbed(RECIPE)
    assert len(made) == 12


def test_a_shard_is_made_only_for_the_owner_of_the_folder(tmp_path):
    (tmp_path / "produce.lock").write_text("process 2, a newer run")
    task = Task(recipe=ToyRecipe(), folder=tmp_path, make=make_toy, limits=Limits(), owner="process 1")
    with pytest.raises(DatasetError, match="is owned by process 2, a newer run as this process sees it"):
        make_all(task, [0], Sequential(), made=lambda shard: None)
    assert [path.name for path in tmp_path.iterdir()] == ["produce.lock"]


@pytest.fixture
def interruptible() -> Iterator[None]:
    """An interrupt raises here, also where whoever started the tests ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_an_interrupt_waits_for_the_end_of_the_start_whatever_thread_it_meets(interruptible):
    done = threading.Event()
    threading.Thread(target=done.wait, daemon=True).start()

    def start() -> None:
        with uninterrupted():
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.05)
            done.set()

    with pytest.raises(KeyboardInterrupt):
        start()
    assert done.is_set()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_a_start_without_an_interrupt_leaves_no_trace(interruptible):
    with uninterrupted():
        assert signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ())
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_another_thread_starts_workers_too():
    started = threading.Event()

    def start() -> None:
        with uninterrupted():
            assert signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ())  # which workers inherit
            started.set()

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    assert started.is_set()
