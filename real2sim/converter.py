"""A run's trained converter in use: whole sequences, or samples as they arrive."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from real2sim.material import place
from real2sim.method import Model, Row, as_measured
from real2sim.networks import is_saved, load_network
from real2sim.parties import deal_people, fingerprint, whole_party
from real2sim.rows import OURS, row_named
from real2sim.run import Run, RunError
from real2sim.sequences import Sequence
from real2sim.windows import Statistics, taper


class Stream:
    """Samples through a network window by window; what comes out does not depend on the chunks that go in.

    A result is given when no window to come can change it: sample t once sample t + `latency` has arrived, the rest
    by `finish`.

    Args:
        network: In evaluation mode, with `convert` from normalised windows (B, W, C) to the same.
        statistics: Of the windows that it reads.
        window, stride: Of the windows, as `real2sim.windows.cut` lays them [samples].
    """

    def __init__(self, network: nn.Module, statistics: Statistics, *, window: int, stride: int):
        self.network, self.statistics, self.window, self.stride = network, statistics, window, stride
        channels = len(statistics.channels)
        self._values = np.empty((0, channels), dtype=np.float32)  # normalised, from sample `_given` on
        self._total = np.empty((0, channels))
        self._weight = np.empty(0)
        self._taper = taper(window)
        self._given = 0
        self._next = 0  # start of the next window
        self._finished = False

    @property
    def latency(self) -> int:
        """Samples between one and its result."""
        return self.window

    def push(self, values: np.ndarray) -> np.ndarray:
        """Takes the next samples.

        Args:
            values: (n, C) SI units; NaN where nothing was measured.

        Returns:
            (m, C) float32, SI units: the next results that are final; m may be 0.

        Raises:
            ValueError: If the channels differ, or the stream was finished.
        """
        values = np.asarray(values)
        if self._finished:
            raise ValueError("got samples after the stream was finished, expected a new stream for them")
        if values.ndim != 2 or values.shape[1] != len(self.statistics.channels):
            raise ValueError(f"got values {values.shape}, expected (n, {len(self.statistics.channels)})")
        normal = (values.astype(np.float32) - self.statistics.mean) / self.statistics.std
        self._append(np.where(np.isfinite(normal), normal, 0.0).astype(np.float32))
        while self._next + self.window <= self._received:
            self._convert(self._next)
            self._next += self.stride
        return self._give(max(self._received - self.window, self._given))

    def finish(self) -> np.ndarray:
        """Ends the stream; returns the results (m, C) that were still open, of every sample that was pushed."""
        received, last = self._received, self._next - self.stride
        self._finished = True
        if 0 < received < self.window:
            self._append(np.zeros((self.window - received, self._values.shape[1]), dtype=np.float32))
        if received and last != max(received - self.window, 0):
            self._convert(max(received - self.window, 0))
        return self._give(received)

    @property
    def _received(self) -> int:
        return self._given + len(self._values)

    def _append(self, normal: np.ndarray) -> None:
        self._values = np.concatenate([self._values, normal])
        self._total = np.concatenate([self._total, np.zeros(normal.shape)])
        self._weight = np.concatenate([self._weight, np.zeros(len(normal))])

    @torch.no_grad()
    def _convert(self, start: int) -> None:
        """Adds one window; always one at a time, as sums in a batch round by its size."""
        here = slice(start - self._given, start - self._given + self.window)
        output = self.network.convert(torch.from_numpy(self._values[here][None].copy()))[0]  # type: ignore[operator]
        self._total[here] += self._taper[:, None] * (output.numpy() * self.statistics.std + self.statistics.mean)
        self._weight[here] += self._taper

    def _give(self, stop: int) -> np.ndarray:
        """Returns results up to a sample and forgets them."""
        count = stop - self._given
        mean = self._total[:count] / self._weight[:count, None]
        self._values, self._total = self._values[count:], self._total[count:]
        self._weight, self._given = self._weight[count:], stop
        return mean.astype(np.float32)


@dataclass(frozen=True, kw_only=True, eq=False)
class Converter:
    """A converter of a run.

    Attributes:
        network: In evaluation mode.
        statistics: Scale and channels of what it reads.
        model: What it is.
        rate_hz, window, stride: Of the run [Hz], [samples].
    """

    network: nn.Module
    statistics: Statistics
    model: Model
    rate_hz: float
    window: int
    stride: int

    @classmethod
    def load(
        cls, run: Run | Path | str, *, row: str = OURS, seed: int | None = None, fold: int | None = None
    ) -> "Converter":
        """Loads the converter of a row.

        Args:
            run: The run or its folder.
            row: A row that converts.
            seed: Of the training; by default the run's first.
            fold: Whose adaptation people it has seen; required where the run has folds.

        Raises:
            RunError: There is no such run, row, seed or fold, or the network is not trained.
        """
        run = run if isinstance(run, Run) else Run.open(Path(run))
        model = converting_row(row).converter
        assert model is not None
        network, statistics = trained_network(run, model, seed, fold)
        settings: dict[str, Any] = {name: getattr(run.config, name) for name in ("rate_hz", "window", "stride")}
        return cls(network=network, statistics=statistics, model=model, **settings)

    def __call__(self, sequence: Sequence) -> Sequence:
        """A sequence in the simulated domain; its phases, person and name stay.

        Raises:
            RunError: Its channels or its rate are not those of the run.
        """
        if sequence.channels != self.statistics.channels or sequence.rate_hz != self.rate_hz:
            raise RunError(
                f"{sequence.name} has {', '.join(sequence.channels)} at {sequence.rate_hz:g} Hz, expected the run's "
                f"{', '.join(self.statistics.channels)} at {self.rate_hz:g} Hz; choose recordings that match"
            )
        stream = self._stream()
        seen = self.model.view([sequence])[0]
        return replace(sequence, values=np.concatenate([stream.push(seen.values), stream.finish()]))

    def stream(self) -> Stream:
        """A new stream of samples; all its results together are exactly those of the whole sequence.

        Raises:
            RunError: The converter must see a recording as a whole first.
        """
        if self.model.view is not as_measured:
            raise RunError(
                f"{self.model.name} turns and scales whole recordings, expected a row that does not; choose it"
            )
        return self._stream()

    def _stream(self) -> Stream:
        return Stream(self.network, self.statistics, window=self.window, stride=self.stride)


class ConvertAndRecognise(nn.Module):
    """Windows as they were measured to converted ones and their phase: what is exported of a run."""

    mean: Tensor
    std: Tensor
    read_mean: Tensor
    read_std: Tensor

    def __init__(self, converter: nn.Module, scale: Statistics, recogniser: nn.Module, read_scale: Statistics):
        super().__init__()
        self.converter, self.recogniser = converter, recogniser
        for name, values in (
            ("mean", scale.mean),
            ("std", scale.std),
            ("read_mean", read_scale.mean),
            ("read_std", read_scale.std),
        ):
            self.register_buffer(name, torch.as_tensor(values, dtype=torch.float32))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(B, W, C) SI, NaN where nothing was measured, to (B, W, C) SI and the probability (B, W) of upright."""
        normal = (x - self.mean) / self.std
        converted = self.converter.convert(torch.where(torch.isnan(normal), 0.0, normal))  # type: ignore[operator]
        converted = converted * self.std + self.mean
        logits = self.recogniser((converted - self.read_mean) / self.read_std)
        return converted, logits.softmax(-1)[..., 1]


def converting_row(name: str) -> Row:
    """A row with a converter.

    Raises:
        RunError: There is no row of that name, or it does not convert.
    """
    try:
        row = row_named(name)
    except KeyError:
        raise RunError(f"--row is {name}, expected the name of a row; choose {OURS}") from None
    if row.converter is None:
        raise RunError(f"row {name} reads recordings as they are, expected one that converts; choose {OURS}")
    return row


def trained_network(run: Run, model: Model, seed: int | None, fold: int | None) -> tuple[nn.Module, Statistics]:
    """A trained network of a run and its statistics.

    Raises:
        RunError: The run has no such seed or fold, or the network is not trained.
    """
    seed = run.config.seed if seed is None else seed
    if seed not in run.seeds:
        raise RunError(f"--seed is {seed}, expected one of {', '.join(map(str, run.seeds))}; choose it")
    if fold not in run.folds:
        have = ", ".join(map(str, run.folds)) if run.config.folds else "none, as the run has no folds"
        raise RunError(f"--fold is {fold}, expected {have}; choose the one whose people are not in your recordings")
    path = place(run, model, seed, fold)
    if not is_saved(path):
        raise RunError(f"{path} is not trained, expected a trained network; run `squat train` with its row first")
    network, statistics, _ = load_network(path)
    return network, statistics


def fold_of(run: Run, folder: Path, subject: int, fold: int | None) -> int | None:
    """The fold whose networks have not seen a person, where that is not said.

    Args:
        run: The run.
        folder: Of the person's recordings; numbers of people mean nothing in another folder than the run's.
        subject: The person.
        fold: What was said.

    Raises:
        RunError: It cannot be known, or the run's recordings have changed since.
    """
    if fold is not None or not run.config.folds or folder.resolve() != Path(run.config.real):
        return fold
    if fingerprint(whole_party(run.config)) != json.loads(run.checked.read_text())["digest"]:
        raise RunError(
            f"{run.folder} was made from other recordings than are in {folder} now, expected the same; name --fold"
        )
    return next((k for k, tested in enumerate(deal_people(run.config)) if subject in tested), None)
