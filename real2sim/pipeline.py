"""From recordings to report: the stages of a run, each of which can be run alone and is not repeated when finished.

A run folder holds `config.json`, the simulated datasets (`sim/`), the networks (`networks/seed-K/NAME`), the converted
recordings (`converted/seed-K/NAME`), the predictions (`predictions/seed-K/ROW.npz`), the table and the report.
"""

import csv
import json
import multiprocessing
import os
import shutil
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tqdm import tqdm

from real2sim.evaluation import Result
from real2sim.rows import MODELS, ROWS


class RunError(ValueError):
    """A run cannot be done as asked; the message says what to do, in one sentence."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """What a run is about; two runs with equal configs give equal tables.

    Attributes:
        real, subjects: Folder of the adaptation recordings and the people taken from it (None: all).
        test, test_subjects: The same for the test recordings; no person may be in both.
        exercise: Recordings of this exercise only.
        sim: A simulated dataset to use; None makes one with `reps` repetitions.
        labels: Labelled repetitions that may be used of the adaptation recordings.
        channels: Channel groups; None takes the watch, and the range where every recording has it.
        seed, seeds: Of every draw, and how many trainings with seeds `seed`, `seed + 1`, ...
        rate_hz, window, stride: Of the windows [Hz], [samples].
        effort: Factor on the number of epochs; below 1 for a quick look.
        stand_in: The recordings are simulated stand-ins.
    """

    real: str
    test: str
    subjects: tuple[int, ...] | None = None
    test_subjects: tuple[int, ...] | None = None
    exercise: str | None = None
    sim: str | None = None
    reps: int = 3000
    labels: int = 20
    channels: tuple[str, ...] | None = None
    seed: int = 0
    seeds: int = 3
    rate_hz: float = 20.0
    window: int = 40
    stride: int = 10
    effort: float = 1.0
    stand_in: bool = False

    def to_json(self) -> str:
        """One key a line."""
        return json.dumps(asdict(self), indent=1)

    @classmethod
    def from_json(cls, text: str) -> "Config":
        """Inverse of `to_json`."""
        values: dict[str, Any] = json.loads(text)
        return cls(**{name: _tuple(value) for name, value in values.items()})


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


@dataclass(frozen=True)
class Run:
    """A run folder and its config."""

    folder: Path
    config: Config

    @classmethod
    def start(cls, folder: Path, config: Config) -> "Run":
        """Makes the folder of a new run, or opens the one that holds a run of this very config.

        Raises:
            RunError: The folder holds another run or something else, or cannot be written.
        """
        path = folder / "config.json"
        if path.exists():
            run = cls.open(folder)
            if run.config != config:
                old, new = asdict(run.config), asdict(config)
                odd = next(name for name in old if old[name] != new[name])
                raise RunError(
                    f"{folder} holds a run with {odd} = {old[odd]}, expected {new[odd]}; choose another --out"
                )
            return run
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise RunError(f"{folder} holds something that is not a run, expected a new folder; choose another --out")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            write_text(path, config.to_json())
        except OSError as error:
            raise RunError(
                f"{folder} cannot be written ({error.strerror}), expected a folder to write to; choose another --out"
            ) from error
        return cls(folder.resolve(), config)

    @classmethod
    def open(cls, folder: Path) -> "Run":
        """Opens the folder of a run.

        Raises:
            RunError: There is no run in it.
        """
        try:
            return cls(folder.resolve(), Config.from_json((folder / "config.json").read_text()))
        except (OSError, ValueError, TypeError) as error:
            raise RunError(
                f"{folder} holds no readable config.json ({error}), expected a run folder; make it with `squat run`"
            ) from error

    @property
    def seeds(self) -> range:
        """The seeds of the trainings."""
        return range(self.config.seed, self.config.seed + self.config.seeds)

    @property
    def table(self) -> Path:
        """The table as JSON."""
        return self.folder / "table.json"

    @property
    def report(self) -> Path:
        """The report."""
        return self.folder / "report.html"

    def simulation(self, name: str) -> Path:
        """Folder of a simulated dataset, "randomised" or "paper"."""
        if name == "randomised" and self.config.sim is not None:
            return Path(self.config.sim)
        return self.folder / "sim" / name

    def network(self, name: str, seed: int) -> Path:
        """Where a trained network is, without suffix."""
        return self.folder / "networks" / f"seed-{seed}" / name

    def converted(self, name: str, seed: int) -> Path:
        """Folder of the converted test recordings."""
        return self.folder / "converted" / f"seed-{seed}" / name

    def predictions(self, row: str, seed: int) -> Path:
        """Per-sample predictions of a row."""
        return self.folder / "predictions" / f"seed-{seed}" / f"{row}.npz"

    def results(self) -> list[Result]:
        """The rows of the table.

        Raises:
            RunError: The run has not been evaluated.
        """
        if not self.table.exists():
            raise RunError(f"{self.table} is missing, expected an evaluated run; run `squat evaluate --run` first")
        return [Result.from_json(row) for row in json.loads(self.table.read_text())["rows"]]


def complete(
    run: Run,
    stages: Iterable[str],
    *,
    jobs: int = 1,
    progress: bool = True,
    json_file: Path | None = None,
    again: bool = False,
) -> None:
    """Runs stages that are not finished yet.

    Args:
        run: The run.
        stages: Of "train", "convert", "evaluate", "report", in this order.
        jobs: Processes.
        progress: Show bars where standard error is a terminal.
        json_file: Gets a copy of the table.
        again: Repeat the stages even if they are finished.

    Raises:
        RunError: The recordings do not serve, or an earlier stage is missing.
    """
    from real2sim import stages as stage

    refuse_unwritable(json_file)
    for name in stages:
        if again:
            _forget(run, name)
        if name == "train":
            stage.check_parties(run)
            stage.simulate(run, jobs=jobs, progress=progress)
            tasks = [(model.name, seed) for seed in run.seeds for model in MODELS]
            _work(run, "train", tasks, stage.train, jobs, progress)
        elif name == "convert":
            tasks = [(model.name, seed) for seed in run.seeds for model in MODELS if model.converts]
            _work(run, "convert", tasks, stage.convert, jobs, progress)
        elif name == "evaluate" and not run.table.exists():
            tasks = [(row.name, seed) for seed in run.seeds for row in ROWS]
            _work(run, "evaluate", tasks, stage.predict, jobs, progress)
            stage.evaluate(run)
        elif name == "report" and not run.report.exists():
            stage.report(run)
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
    from real2sim.stages import finished

    waiting = [task for task in tasks if not finished(run, stage, *task)]
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


def write_text(path: Path, text: str) -> None:
    """Writes a file that is either whole or not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}-{os.getpid()}")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def refuse_unwritable(path: Path | None) -> None:
    """Refuses a file that could not be written at the end of a long run, before it starts."""
    if path is not None and not os.access(path.parent, os.W_OK):
        raise RunError(f"{path} cannot be written, expected a file in a folder that can; choose another --json")


def write_table_csv(path: Path, results: list[Result]) -> None:
    """Writes the table for a spreadsheet."""
    rows = [result.to_json() for result in results]
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(
            {k: " ".join(map(str, v)) if isinstance(v, list) else v for k, v in row.items()} for row in rows
        )


def demo(folder: Path, *, reps: int, seeds: int, jobs: int, progress: bool) -> Run:
    """Makes stand-in recordings in the folder, and a whole run on them."""
    from real2sim.simulation import make_stand_ins

    recordings = folder.resolve() / "stand-in"
    config = Config(
        real=str(recordings),
        subjects=tuple(range(1, 6)),
        test=str(recordings),
        test_subjects=tuple(range(6, 9)),
        reps=reps,
        seeds=seeds,
        effort=0.5,
        stand_in=True,
    )
    run = Run.start(folder, config)
    make_stand_ins(recordings, people=8, seed=0, jobs=jobs, progress=progress)
    complete(run, ("train", "convert", "evaluate", "report"), jobs=jobs, progress=progress)
    return run
