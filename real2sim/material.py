"""What a method may learn from: a simulation and the adaptation recordings. It holds no way to the test recordings."""

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from generators.store import Dataset
from real2sim.labels import held_out_parts, labelled_repetitions, without_labels
from real2sim.method import AMOUNT, Model, Trained
from real2sim.networks import load_network
from real2sim.parties import adaptation_recordings, on_grid
from real2sim.run import Run
from real2sim.sequences import Sequence, from_dataset, split
from real2sim.training import TrainingSettings
from real2sim.truths import TRUTHS
from real2sim.windows import Statistics, Windows, cut, statistics_of, take

SHARES = (0.7, 0.15, 0.15)
"""Of a simulated dataset's sets for training, validation and test."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Simulated:
    """A simulated dataset as windows, split by set.

    Attributes:
        train, validation, test: The parts.
        statistics: Of the training part.
        notes: Which dataset it is.
    """

    train: Windows
    validation: Windows
    test: Windows
    statistics: Statistics
    notes: dict[str, Any]


@dataclass(frozen=True, kw_only=True, eq=False)
class Labelled:
    """Windows with a label in them.

    Attributes:
        windows: All of them.
        parts: Ways to hold out a part of their labels: (to train on, held out).
        statistics: Those they were normalised with.
    """

    windows: Windows
    parts: list[tuple[Windows, Windows]]
    statistics: Statistics


@dataclass(frozen=True, kw_only=True, eq=False)
class Material:
    """What one model may be trained on, with one seed and the adaptation people of one fold.

    Attributes:
        run: Where everything is kept.
        model: What is trained.
        seed: Of labels, initialisation and order.
        fold: Whose adaptation people; None where there are no folds, or where the model has seen none of them.
    """

    run: Run
    model: Model
    seed: int
    fold: int | None = None

    def simulated(self, statistics: Statistics | None = None) -> Simulated:
        """The simulated dataset of the model.

        Args:
            statistics: Scale of the channels; by default that of the training part.
        """
        parts = [self.model.view(part) for part in simulated_sequences(self.run, self.model.simulation)]
        statistics = statistics or statistics_of(parts[0])
        train, validation, test = (self.cut(part, statistics) for part in parts)
        notes = {
            "simulation": self.model.simulation,
            "digest": Dataset(self.run.simulation(self.model.simulation)).digest,
        }
        return Simulated(train=train, validation=validation, test=test, statistics=statistics, notes=notes)

    def recordings(self, statistics: Statistics) -> Windows:
        """All adaptation recordings without their labels."""
        if self.model.uses == "nothing":
            raise ValueError(f"{self.model.name} says that it uses nothing of the recordings, yet asks for them")
        return self.cut(self.model.view(without_labels(adaptation(self.run, self.fold))), statistics)

    def labelled(self, statistics: Statistics | None = None) -> Labelled:
        """The adaptation recordings with the labels that the model may see.

        Args:
            statistics: Scale of the channels; by default that of the labelled samples.
        """
        if AMOUNT.index(self.model.uses) < AMOUNT.index("labels"):
            raise ValueError(f"{self.model.name} says that it uses {self.model.uses}, yet asks for labels")
        budget = -1 if self.model.uses == "all labels" else self.model.labels
        sequences = self.model.view(labelled(self.run, self.seed, self.fold, budget))
        statistics = statistics or statistics_of([_labelled_samples(sequence) for sequence in sequences])

        def known(some: list[Sequence]) -> Windows:
            windows = self.cut(some, statistics)
            return take(windows, np.flatnonzero((windows.phase >= 0).any(axis=1)))

        parts = held_out_parts(sequences, np.random.default_rng(self.seed))
        return Labelled(
            windows=known(sequences),
            parts=[(known(kept), known(held)) for kept, held in parts],
            statistics=statistics,
        )

    def trained(self, name: str) -> Trained:
        """What training a model that this one needs gave, with the same seed and fold.

        Args:
            name: Of the model, without a budget.
        """
        need = next(need for need in self.model.needs if need.base == name)
        network, statistics, notes = load_network(place(self.run, need, self.seed, self.fold))
        return Trained(network=network, statistics=statistics, notes=notes)

    def network(self, name: str) -> nn.Module:
        """The network alone."""
        return self.trained(name).network

    def settings(self, settings: TrainingSettings) -> TrainingSettings:
        """Settings at the run's effort."""
        return settings.scaled(self.run.config.effort)

    @property
    def checkpoint(self) -> Path:
        """Where the state of the training is kept until it is finished."""
        path = place(self.run, self.model, self.seed, self.fold)
        return path.with_name(f"{path.name}.training")

    def cut(self, sequences: list[Sequence], statistics: Statistics) -> Windows:
        """Windows of the run's size."""
        return cut(sequences, statistics, window=self.run.config.window, stride=self.run.config.stride)


def place(run: Run, model: Model, seed: int, fold: int | None) -> Path:
    """Where a model's network is, without suffix; one that has seen nobody serves every fold."""
    return run.network(model.name, seed, None if model.uses == "nothing" else fold)


def adaptation(run: Run, fold: int | None = None) -> list[Sequence]:
    """All adaptation sequences with all their labels."""
    return on_grid(run.config, adaptation_recordings(run.config, fold), run.groups())


def labelled(run: Run, seed: int, fold: int | None = None, labels: int | None = None) -> list[Sequence]:
    """The adaptation sequences with the labels of a budget alone: the run's, or another; -1 is all of them."""
    sequences = adaptation(run, fold)
    count = run.config.labels if labels is None else labels
    return sequences if count < 0 else labelled_repetitions(sequences, count, np.random.default_rng(seed))


def simulated_sequences(run: Run, name: str) -> list[list[Sequence]]:
    """A simulated dataset's training, validation and test part, dealt by set."""
    return _dealt(str(run.simulation(name)), run.groups(), run.config.seed)


@lru_cache(maxsize=3)
def _dealt(folder: str, groups: tuple[str, ...], seed: int) -> list[list[Sequence]]:
    sequences = from_dataset(Dataset(folder), groups, truths=TRUTHS)
    return split(sequences, SHARES, np.random.default_rng(seed))


def _labelled_samples(sequence: Sequence) -> Sequence:
    """Without the values that no label belongs to."""
    return replace(sequence, values=np.where((sequence.phase >= 0)[:, None], sequence.values, np.nan))
