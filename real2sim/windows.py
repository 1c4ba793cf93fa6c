"""The windows that networks see.

`cut` turns sequences into overlapping `Windows`, `stitch` turns what a network says of each window back into one array
a sequence. A value that nobody measured is NaN in a sequence, and 0 with `present` False in a window.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from collections.abc import Sequence as ListLike
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from real2sim.sequences import Sequence

SMALLEST_STD = 1e-3
"""A channel that varies less than this (m/s^2, rad/s or m) is divided by this instead of by its deviation."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Statistics:
    """Scale of the channels in the training part: a window holds (value - mean) / std.

    Attributes:
        channels: C channel names.
        mean: (C,) float64, SI; 0 for a channel that nobody measured.
        std: (C,) float64, SI, at least `SMALLEST_STD`; 1 for a channel that nobody measured.
    """

    channels: tuple[str, ...]
    mean: np.ndarray
    std: np.ndarray


@dataclass(frozen=True, kw_only=True, eq=False)
class Windows:
    """N windows of W samples.

    Attributes:
        channels: C channel names.
        values: (N, W, C) float32, normalised; 0 where missing.
        present: (N, W, C) bool; False where missing.
        phase: (N, W) int8; -1 unlabelled or beyond the end of the sequence.
        sequence: (N,) int64, index into the list of sequences that was cut.
        start: (N,) int64, first sample within the sequence.
        truth: (N, W) float32 each, what all the sequences' `truth` hold; NaN beyond the end of the sequence.
    """

    channels: tuple[str, ...]
    values: np.ndarray
    present: np.ndarray
    phase: np.ndarray
    sequence: np.ndarray
    start: np.ndarray
    truth: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.start)

    def __repr__(self) -> str:
        present = float(self.present.mean()) if len(self) else 0.0
        return f"Windows(values {self.values.shape}, {present:.0%} present)"


def statistics_of(sequences: ListLike[Sequence]) -> Statistics:
    """Return mean and standard deviation of every channel over the samples that were measured.

    Args:
        sequences: The training part, and nothing else.

    Raises:
        ValueError: If there is no sequence, or if their channels differ.
    """
    channels = _common_channels(sequences)
    values = np.concatenate([sequence.values for sequence in sequences]).astype(np.float64)
    known = np.isfinite(values)
    number = known.sum(axis=0)
    mean = np.where(known, values, 0.0).sum(axis=0) / np.maximum(number, 1)
    variance = np.where(known, (values - mean) ** 2, 0.0).sum(axis=0) / np.maximum(number, 1)
    std = np.where(number > 0, np.maximum(np.sqrt(variance), SMALLEST_STD), 1.0)
    return Statistics(channels=channels, mean=mean, std=std)


def _common_channels(sequences: ListLike[Sequence]) -> tuple[str, ...]:
    found = {sequence.channels for sequence in sequences}
    if len(found) != 1:
        raise ValueError(f"got sequences with the channels {sorted(found)}, expected one list for all of them")
    return found.pop()


def cut(sequences: ListLike[Sequence], statistics: Statistics, *, window: int = 40, stride: int = 10) -> Windows:
    """Cut sequences into overlapping, normalised windows that cover every sample.

    Windows start every `stride` samples; the last one ends with its sequence. A sequence shorter than a
    window gives one window whose tail is missing and unlabelled.

    Args:
        sequences: Sequences with the channels of `statistics`; empty ones give no window.
        statistics: Scale of the channels.
        window: W, samples a window.
        stride: Samples from one start to the next, at most `window`.

    Raises:
        ValueError: If the channels differ, or window and stride leave samples out.
    """
    if not 1 <= stride <= window:
        raise ValueError(f"got window={window} and stride={stride}, expected 1 <= stride <= window")
    if sequences and _common_channels(sequences) != statistics.channels:
        raise ValueError(f"got {sequences[0].channels} to cut, expected the statistics' {statistics.channels}")
    lengths = np.array([len(sequence) for sequence in sequences], dtype=np.int64)
    starts = [window_starts(int(length), window, stride) for length in lengths]
    sequence = np.repeat(np.arange(len(sequences)), np.array([len(s) for s in starts], dtype=np.int64))
    start = np.concatenate(starts) if starts else np.empty(0, dtype=np.int64)
    # One row more than all samples: the filler that stands beyond the end of a short sequence.
    rows = _rows(sequence, start, lengths, window)
    filler = np.full((1, len(statistics.channels)), np.nan, dtype=np.float32)
    values = np.concatenate([*(s.values for s in sequences), filler])
    present = np.isfinite(values)
    normal = np.where(present, (values - statistics.mean) / statistics.std, 0.0).astype(np.float32)
    phase = np.concatenate([*(s.phase for s in sequences), np.array([-1])]).astype(np.int8)
    told = set.intersection(*(set(s.truth) for s in sequences)) if sequences else set()
    truth = {name: np.append(np.concatenate([s.truth[name] for s in sequences]), np.nan) for name in sorted(told)}
    return Windows(
        channels=statistics.channels,
        values=normal[rows],
        present=present[rows],
        phase=phase[rows],
        sequence=sequence,
        start=start,
        truth={name: known.astype(np.float32)[rows] for name, known in truth.items()},
    )


def take(windows: Windows, index: np.ndarray) -> Windows:
    """Return some of the windows, by number."""
    arrays: dict[str, Any] = {
        name: getattr(windows, name)[index] for name in ("values", "present", "phase", "sequence", "start")
    }
    truth = {name: known[index] for name, known in windows.truth.items()}
    return Windows(channels=windows.channels, truth=truth, **arrays)


def join(*parts: Windows) -> Windows:
    """Return windows of the same channels one after the other, without their truth; `sequence` counts on."""
    arrays: dict[str, Any] = {
        n: np.concatenate([getattr(part, n) for part in parts]) for n in ("values", "present", "phase", "start")
    }
    before = np.cumsum([0, *(int(part.sequence.max(initial=-1)) + 1 for part in parts[:-1])])
    sequence = np.concatenate([part.sequence + offset for part, offset in zip(parts, before, strict=True)])
    return Windows(channels=parts[0].channels, sequence=sequence, **arrays)


def cut_like(per_sample: ListLike[np.ndarray], windows: Windows) -> np.ndarray:
    """Return further values of the samples of windows.

    Args:
        per_sample: (T,) values for each sequence that the windows were cut from.
        windows: The N windows.

    Returns:
        (N, W) float64, NaN beyond the end of a sequence.
    """
    lengths = np.array([len(values) for values in per_sample], dtype=np.int64)
    rows = _rows(windows.sequence, windows.start, lengths, windows.phase.shape[1])
    return np.concatenate([*per_sample, [np.nan]])[rows]


def window_starts(length: int, window: int, stride: int) -> np.ndarray:
    """First samples (n,) of the windows that cover a sequence: every `stride` samples, and one that ends with it."""
    if length <= window:
        return np.zeros(min(length, 1), dtype=np.int64)
    return np.unique(np.append(np.arange(0, length - window, stride), length - window))


def _rows(sequence: np.ndarray, start: np.ndarray, lengths: np.ndarray, window: int) -> np.ndarray:
    """Return (N, W) rows of the concatenated sequences, the row after them where a window overhangs."""
    before = np.concatenate(([0], np.cumsum(lengths)))
    within = start[:, None] + np.arange(window)
    inside = within < lengths[sequence][:, None]
    return np.where(inside, before[sequence][:, None] + within, before[-1])


def taper(window: int) -> np.ndarray:
    """Weights (W,) under which signals of overlapping windows pass into one another without a seam: a triangle."""
    return (1.0 + np.minimum(np.arange(window), np.arange(window)[::-1])) / (1.0 + (window - 1) // 2)


def stitch(
    per_window: np.ndarray, windows: Windows, sequences: ListLike[Sequence], weights: np.ndarray | None = None
) -> list[np.ndarray]:
    """Join what was computed for each window, as the mean wherever windows overlap.

    Args:
        per_window: (N, W, ...) one value or vector for each sample of each window.
        windows: The N windows.
        sequences: The sequences that they were cut from.
        weights: (W,) of the samples of a window in the mean; all count alike without.

    Returns:
        One (T, ...) float64 array a sequence; NaN where no window reaches.
    """
    lengths = np.array([len(sequence) for sequence in sequences], dtype=np.int64)
    rows = _rows(windows.sequence, windows.start, lengths, per_window.shape[1]).ravel()
    flat = np.asarray(per_window, dtype=np.float64).reshape(len(rows), math.prod(per_window.shape[2:]))
    samples = int(lengths.sum())
    weight = np.tile(np.ones(per_window.shape[1]) if weights is None else weights, len(per_window))
    number = np.bincount(rows, weights=weight, minlength=samples + 1)[:samples]
    mean = np.full((samples, flat.shape[1]), np.nan)
    for column, values in enumerate(flat.T):
        total = np.bincount(rows, weights=weight * values, minlength=samples + 1)[:samples]
        np.divide(total, number, out=mean[:, column], where=number > 0)
    pieces = np.split(mean.reshape(-1, *per_window.shape[2:]), np.cumsum(lengths)[:-1])
    return pieces if len(lengths) else []
