"""From recordings to report: each stage of a run can be run alone, and is not repeated when it is finished."""

import json
import multiprocessing
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from functools import partial
from pathlib import Path

from tqdm import tqdm

from generators.workers import serve
from real2sim import answers, stages
from real2sim.compute import AUTO, choose_device
from real2sim.method import Model
from real2sim.methods.questions import WAYS, model_of
from real2sim.report import write_report
from real2sim.rows import DEFAULT, OURS, ROW, budgets_of, in_order, models_of, row_named, with_needs
from real2sim.run import Config, Run, RunError, write_text
from real2sim.simulation import make_stand_ins
from real2sim.using import reading_of

ALL_STAGES = ("train", "convert", "evaluate", "report")


def complete(
    run: Run,
    names: Iterable[str],
    *,
    rows: Iterable[str] = (),
    jobs: int = 1,
    device: str = AUTO,
    progress: bool = True,
    json_file: Path | None = None,
    again: bool = False,
) -> None:
    """Runs stages that are not finished yet.

    Args:
        run: The run.
        names: Stages, of "train", "convert", "evaluate", "questions", "report", in this order.
        rows: Rows of the table, added to those that the run already has; `rows.DEFAULT` if there are none at all.
        jobs: Processes.
        device: Where networks are trained, see `compute.choose_device`.
        progress: Show bars where standard error is a terminal.
        json_file: Gets a copy of the table.
        again: Repeat the stages even if they are finished.

    Raises:
        RunError: The recordings do not serve, a row or the device is unknown, or an earlier stage is missing.
    """
    refuse_unwritable(json_file)
    try:
        device = choose_device(device)
    except ValueError as error:
        raise RunError(str(error)) from error
    wanted = choose_rows(run, rows)
    for name in names:
        if again:
            _forget(run, name)
        if name == "train":
            stages.check_parties(run, budgets_of(wanted))
            run.save()
            write_text(run.rows, json.dumps(wanted))
            _train(run, models_of(wanted), jobs, device, progress)
        elif name == "convert":
            converters = dict.fromkeys(row.converter.name for row in map(row_named, wanted) if row.converter)
            _work(run, "convert", _cells(run, converters), stages.convert, jobs, progress)
        elif name == "evaluate" and not _tabled(run, wanted):
            _work(run, "evaluate", _cells(run, wanted), stages.predict, jobs, progress)
            stages.evaluate(run, wanted)
            for fold in run.folds if OURS in wanted else ():
                reading_of(run, fold=fold)
            run.report.unlink(missing_ok=True)
        elif name == "questions" and not run.questions.exists():
            models = [model_of(question, way) for question in answers.asked(run) for way in WAYS]
            _train(run, with_needs(models), jobs, device, progress)
            answers.evaluate(run)
            run.report.unlink(missing_ok=True)
        elif name == "report" and not run.report.exists():
            write_report(run)
    if json_file is not None and run.table.exists():
        write_text(json_file, run.table.read_text())


def choose_rows(run: Run, rows: Iterable[str]) -> tuple[str, ...]:
    """The rows that a run is to have: those asked for and those it has, in the table's order.

    Raises:
        RunError: There is no such row.
    """
    kept = json.loads(run.rows.read_text()) if run.rows.exists() else []
    try:
        return in_order([*kept, *rows] or DEFAULT)
    except KeyError as error:
        raise RunError(
            f"--rows names {error.args[0]}, expected some of {', '.join(ROW)}, or all; choose them"
        ) from error


def _tabled(run: Run, rows: tuple[str, ...]) -> bool:
    return run.table.exists() and [row["row"] for row in json.loads(run.table.read_text())["rows"]] == list(rows)


def _forget(run: Run, stage: str) -> None:
    """Removes what a stage has made, and what later stages made of it."""
    made = {
        "train": ["networks", "converted", "predictions", "readings"],
        "convert": ["converted", "predictions"],
        "evaluate": ["predictions", "readings"],
        "questions": [],
        "report": [],
    }[stage]
    for name in made:
        shutil.rmtree(run.folder / name, ignore_errors=True)
    if stage not in ("questions", "report"):
        run.table.unlink(missing_ok=True)
    if stage != "report":
        run.questions.unlink(missing_ok=True)
    run.report.unlink(missing_ok=True)


Task = tuple[str, int, int | None]
"""What is done: the name of a model or row, the seed, the fold."""


def _cells(run: Run, names: Iterable[str]) -> dict[Task, set[Task]]:
    return {(name, seed, fold): set() for seed in run.seeds for name in names for fold in run.folds}


def _train(run: Run, models: Mapping[str, Model], jobs: int, device: str, progress: bool) -> None:
    stages.simulate(run, models.values(), jobs=jobs, progress=progress)
    _work(run, "train", _trainings(run, models), partial(stages.train, device=device), jobs, progress)


def _trainings(run: Run, models: Mapping[str, Model]) -> dict[Task, set[Task]]:
    """Every training with the trainings that it needs; one that has seen nobody serves all folds."""

    def folds(name: str) -> tuple[int | None, ...]:
        return (None,) if models[name].uses == "nothing" else run.folds

    return {
        (name, seed, fold): {(need.name, seed, None if need.uses == "nothing" else fold) for need in model.needs}
        for seed in run.seeds
        for name, model in models.items()
        for fold in folds(name)
    }


def _work(
    run: Run,
    stage: str,
    tasks: dict[Task, set[Task]],
    do: Callable[[Run, str, int, int | None], None],
    jobs: int,
    progress: bool,
) -> None:
    """Does tasks in parallel, each as soon as those that it needs are done."""
    waiting = {task: needs for task, needs in tasks.items() if not stages.finished(run, stage, *task)}
    waiting = {task: needs & set(waiting) for task, needs in waiting.items()}
    label = f"{stage:<9}"
    with tqdm(total=len(waiting), desc=label, unit="part", disable=None if progress else True, leave=True) as bar:
        for name, _, _ in _done(partial(do, run), waiting, jobs):
            bar.set_postfix_str(name)
            bar.update()


def _done(do: Callable[..., None], waiting: dict[Task, set[Task]], jobs: int) -> Iterator[Task]:
    if jobs == 1 or len(waiting) <= 1:
        while waiting:
            task = next(task for task, needs in waiting.items() if not needs & set(waiting))
            do(*task)
            del waiting[task]
            yield task
        return
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(min(jobs, len(waiting)), mp_context=context, initializer=_serve, initargs=(os.getpid(),))
    try:
        yield from _as_ready(pool, do, waiting)
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        for child in multiprocessing.active_children():
            child.terminate()
        raise
    pool.shutdown()


def _as_ready(pool: ProcessPoolExecutor, do: Callable[..., None], waiting: dict[Task, set[Task]]) -> Iterator[Task]:
    running: dict = {}
    left = set(waiting)
    while left:
        ready = [task for task, needs in waiting.items() if not needs & left]
        for task in ready:
            running[pool.submit(do, *task)] = task
            del waiting[task]
        for future in wait(running, return_when=FIRST_COMPLETED).done:
            future.result()
            task = running.pop(future)
            left.discard(task)
            yield task


def _serve(parent: int) -> None:
    """Lets this worker use one thread, and serve its parent."""
    import torch

    torch.set_num_threads(1)
    serve(parent)


def refuse_unwritable(path: Path | None) -> None:
    """Refuses a file that could not be written at the end of a long run, before it starts."""
    if path is not None and not os.access(path.parent, os.W_OK):
        raise RunError(f"{path} cannot be written, expected a file in a folder that can; choose another --json")


def demo(folder: Path, *, reps: int, seeds: int, jobs: int, device: str = AUTO, progress: bool) -> Run:
    """Makes stand-in recordings in the folder, and a whole run on them."""
    recordings = folder.resolve() / "stand-in"
    config = Config(
        real=str(recordings),
        subjects=tuple(range(1, 6)),
        test=str(recordings),
        test_subjects=tuple(range(6, 9)),
        channels=("watch", "range"),
        reps=reps,
        seeds=seeds,
        effort=0.8,
        stand_in=True,
    )
    run = Run.start(folder, config)
    run.save()
    make_stand_ins(recordings, people=8, seed=0, jobs=jobs, progress=progress)
    complete(run, ALL_STAGES, jobs=jobs, device=device, progress=progress)
    return run
