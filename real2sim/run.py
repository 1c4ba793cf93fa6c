"""A run folder: its config, and where everything in it is.

A run folder holds `config.json`, the simulated datasets (`sim/`), the networks (`networks/seed-K/NAME`), the converted
recordings (`converted/seed-K/NAME`), the predictions (`predictions/seed-K/ROW.npz`), the table and the report. Where
the people are dealt into folds, there is a `fold-F` below `seed-K` for everything that depends on them.
"""

import csv
import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from generators.store.manifest import versions
from real2sim.evaluation import Result


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
        channels: Channel groups; None takes all that every recording has.
        placement: (place of the phone, share) pairs to simulate; None takes those of the recordings.
        seed, seeds: Of every draw, and how many trainings with seeds `seed`, `seed + 1`, ...
        rate_hz, window, stride: Of the windows [Hz], [samples].
        effort: Factor on the number of epochs; below 1 for a quick look.
        folds: Parts that the people of `real` are dealt into, each of them the test people once; 0 tests on `test`.
        stand_in: The recordings are simulated stand-ins.
        version: Of this package, which says how networks are trained; empty where it is not installed.
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
    placement: tuple[tuple[str, float], ...] | None = None
    seed: int = 0
    seeds: int = 3
    rate_hz: float = 20.0
    window: int = 40
    stride: int = 10
    effort: float = 1.0
    folds: int = 0
    stand_in: bool = False
    version: str = field(default_factory=lambda: versions().get("squat-sensor", ""))

    def to_json(self) -> str:
        """One key a line."""
        return json.dumps(asdict(self), indent=1)

    @classmethod
    def from_json(cls, text: str) -> "Config":
        """Inverse of `to_json`."""
        values: dict[str, Any] = json.loads(text)
        return cls(**{name: _tuple(value) for name, value in values.items()})


def _tuple(value: Any) -> Any:
    return tuple(map(_tuple, value)) if isinstance(value, list) else value


@dataclass(frozen=True)
class Run:
    """A run folder and its config."""

    folder: Path
    config: Config

    @classmethod
    def start(cls, folder: Path, config: Config) -> "Run":
        """Makes an empty folder for a new run, or opens the one that holds a run of this very config.

        The config is written with `save`, when the recordings have been found to serve.

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
            path.unlink()
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

    def save(self) -> None:
        """Writes the config: from now on the folder holds this run."""
        write_text(self.folder / "config.json", self.config.to_json())

    @property
    def seeds(self) -> range:
        """The seeds of the trainings."""
        return range(self.config.seed, self.config.seed + self.config.seeds)

    @property
    def folds(self) -> tuple[int | None, ...]:
        """The folds, or None alone where the test people were named."""
        return tuple(range(self.config.folds)) or (None,)

    def groups(self) -> tuple[str, ...]:
        """The channel groups that the run was checked with."""
        return tuple(json.loads(self.checked.read_text())["channels"])

    @property
    def rows(self) -> Path:
        """Names of the rows that have been asked for."""
        return self.folder / "rows.json"

    @property
    def checked(self) -> Path:
        """The channel groups and the digest of the recordings, once they have been found to serve."""
        return self.folder / "recordings.json"

    @property
    def table(self) -> Path:
        """The table as JSON."""
        return self.folder / "table.json"

    @property
    def questions(self) -> Path:
        """Answers to other questions as JSON."""
        return self.folder / "questions.json"

    @property
    def evidence(self) -> Path:
        """Figures of the report about what conversion did, as JSON."""
        return self.folder / "evidence.json"

    @property
    def report(self) -> Path:
        """The report."""
        return self.folder / "report.html"

    def simulation(self, name: str) -> Path:
        """Folder of a simulated dataset."""
        if name == "randomised" and self.config.sim is not None:
            return Path(self.config.sim)
        return self.folder / "sim" / name

    def network(self, name: str, seed: int, fold: int | None = None) -> Path:
        """Where a trained network is, without suffix."""
        return self._part("networks", seed, fold) / name

    def converted(self, name: str, seed: int, fold: int | None = None) -> Path:
        """Folder of the converted test recordings."""
        return self._part("converted", seed, fold) / name

    def predictions(self, row: str, seed: int, fold: int | None = None) -> Path:
        """Per-sample predictions of a row."""
        return self._part("predictions", seed, fold) / f"{row}.npz"

    def reading(self, row: str, seed: int | None, fold: int | None = None) -> Path:
        """How a row's probabilities are read, of one seed or (None) of all together."""
        seeds = "all" if seed is None else str(seed)
        return self.folder / "readings" / f"{row}-seed-{seeds}{'' if fold is None else f'-fold-{fold}'}.json"

    def _part(self, kind: str, seed: int, fold: int | None) -> Path:
        folder = self.folder / kind / f"seed-{seed}"
        return folder if fold is None else folder / f"fold-{fold}"

    def results(self) -> list[Result]:
        """The rows of the table.

        Raises:
            RunError: The run has not been evaluated.
        """
        if not self.table.exists():
            raise RunError(f"{self.table} is missing, expected an evaluated run; run `squat evaluate --run` first")
        return [Result.from_json(row) for row in json.loads(self.table.read_text())["rows"]]


def write_text(path: Path, text: str) -> None:
    """Writes a file that is either whole or not there; one that says this already is left alone."""
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}-{os.getpid()}")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


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
