"""From recordings to report: each stage of a run can be run alone, and is not repeated when it is finished."""

import multiprocessing
import os
import shutil
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import partial
from pathlib import Path

from tqdm import tqdm

from real2sim import stages
from real2sim.report import write_report
from real2sim.rows import MODELS, ROWS
from real2sim.run import Config, Run, RunError, write_text
from real2sim.simulation import make_stand_ins

ALL_STAGES = ("train", "convert", "evaluate", "report")


def complete(
    run: Run,
    names: Iterable[str],
    *,
    jobs: int = 1,
    progress: bool = True,
    json_file: Path | None = None,
    again: bool = False,
) -> None:
    """Runs stages that are not finished yet.

    Args:
        run: The run.
        names: Stages, of "train", "convert", "evaluate", "report", in this order.
        jobs: Processes.
        progress: Show bars where standard error is a terminal.
        json_file: Gets a copy of the table.
        again: Repeat the stages even if they are finished.

    Raises:
        RunError: The recordings do not serve, or an earlier stage is missing.
    """
    refuse_unwritable(json_file)
    for name in names:
        if again:
            _forget(run, name)
        if name == "train":
            if not run.checked.exists():
                stages.check_parties(run)
                run.save()
            stages.simulate(run, jobs=jobs, progress=progress)
            tasks = [(model.name, seed) for seed in run.seeds for model in MODELS]
            _work(run, "train", tasks, stages.train, jobs, progress)
        elif name == "convert":
            tasks = [(model.name, seed) for seed in run.seeds for model in MODELS if model.converts]
            _work(run, "convert", tasks, stages.convert, jobs, progress)
        elif name == "evaluate" and not run.table.exists():
            tasks = [(row.name, seed) for seed in run.seeds for row in ROWS]
            _work(run, "evaluate", tasks, stages.predict, jobs, progress)
            stages.evaluate(run)
        elif name == "report" and not run.report.exists():
            write_report(run)
    if json_file is not None and run.table.exists():
        write_text(json_file, run.table.read_text())


def _forget(run: Run, stage: str) -> None:
    """Removes what a stage has made, and what later stages made of it."""
    made = {
        "train": ["networks", "converted", "predictions"],
        "convert": ["converted", "predictions"],
        "evaluate": ["predictions"],
        "report": [],
    }[stage]
    for name in made:
        shutil.rmtree(run.folder / name, ignore_errors=True)
    if stage != "report":
        run.table.unlink(missing_ok=True)
    run.report.unlink(missing_ok=True)


Task = tuple[str, int]


def _work(
    run: Run, stage: str, tasks: list[Task], do: Callable[[Run, str, int], None], jobs: int, progress: bool
) -> None:
    """Does (name, seed) tasks in parallel; those that need another one's result follow it."""
    waiting = [task for task in tasks if not stages.finished(run, stage, *task)]
    label = f"{stage:<9}"
    with tqdm(total=len(waiting), desc=label, unit="part", disable=None if progress else True, leave=True) as bar:
        while waiting:
            ready = [task for task in waiting if not _needs(stage, task) & set(waiting)]
            for name, _ in _done(partial(do, run), ready, jobs):
                bar.set_postfix_str(name)
                bar.update()
            waiting = [task for task in waiting if task not in ready]


def _needs(stage: str, task: Task) -> set[Task]:
    name, seed = task
    needs = {model.name: model.needs for model in MODELS} if stage == "train" else {}
    return {(other, seed) for other in needs.get(name, ())}


def _done(do: Callable[[str, int], None], tasks: list[Task], jobs: int) -> Iterable[Task]:
    if jobs == 1 or len(tasks) == 1:
        for task in tasks:
            do(*task)
            yield task
        return
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(min(jobs, len(tasks)), mp_context=context, initializer=_one_thread)
    try:
        futures = {pool.submit(do, *task): task for task in tasks}
        for future in as_completed(futures):
            future.result()
            yield futures[future]
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        for child in multiprocessing.active_children():
            child.terminate()
        raise
    pool.shutdown()


def _one_thread() -> None:
    import signal

    import torch

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends its workers
    torch.set_num_threads(1)


def refuse_unwritable(path: Path | None) -> None:
    """Refuses a file that could not be written at the end of a long run, before it starts."""
    if path is not None and not os.access(path.parent, os.W_OK):
        raise RunError(f"{path} cannot be written, expected a file in a folder that can; choose another --json")


def demo(folder: Path, *, reps: int, seeds: int, jobs: int, progress: bool) -> Run:
    """Makes stand-in recordings in the folder, and a whole run on them."""
    recordings = folder.resolve() / "stand-in"
    config = Config(
        real=str(recordings),
        subjects=tuple(range(1, 6)),
        test=str(recordings),
        test_subjects=tuple(range(6, 9)),
        reps=reps,
        seeds=seeds,
        effort=0.8,
        stand_in=True,
    )
    run = Run.start(folder, config)
    run.save()
    make_stand_ins(recordings, people=8, seed=0, jobs=jobs, progress=progress)
    complete(run, ALL_STAGES, jobs=jobs, progress=progress)
    return run
