"""From repetitions and recordings to the windows that networks see.

Both domains become `Sequence`s: uninterrupted stretches on one uniform grid, with the channels of one list.
`cut` turns sequences into overlapping `Windows`, `stitch` turns what a network says of each window back into
one array a sequence. A value that nobody measured is NaN in a sequence, and 0 with `present` False in a
window.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from collections.abc import Sequence as ListLike
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from real2sim.recordings.alignment import labels_on_grid, shared_grid, stream_on_grid
from real2sim.recordings.recording import Recording

GROUPS: Mapping[str, tuple[str, ...]] = {
    "watch": tuple(f"watch_{kind}_{axis}" for kind in ("accel", "gyro") for axis in "xyz"),
    "range": ("range",),
    "phone": tuple(f"phone_{kind}_{axis}" for kind in ("accel", "gyro") for axis in "xyz"),
}
"""Channels that come and go together, because one device measures them."""

CHANNELS = GROUPS["watch"] + GROUPS["range"] + GROUPS["phone"]
"""All channel names, in the order in which they stand everywhere: m/s^2, rad/s and m."""

FIELDS: Mapping[str, tuple[str, ...]] = {
    "watch_accel": GROUPS["watch"][:3],
    "watch_gyro": GROUPS["watch"][3:],
    "range": GROUPS["range"],
    "phone_accel": GROUPS["phone"][:3],
    "phone_gyro": GROUPS["phone"][3:],
}
"""Fields of a dataset, in the order of `CHANNELS`, with the channels that each holds."""

SMALLEST_STD = 1e-3
"""A channel that varies less than this (m/s^2, rad/s or m) is divided by this instead of by its deviation."""


class Dataset(Protocol):
    """What `from_dataset` needs of a dataset; `generators.store` has it."""

    @property
    def recipe(self) -> Mapping[str, Any]:
        """The recipe, with "rate_hz"."""
        ...

    @property
    def fields(self) -> Mapping[str, Any]:
        """What `read` can give, by name."""
        ...

    def __len__(self) -> int: ...

    def offsets(self, group: str) -> np.ndarray:
        """Return (n + 1,) ints: items of the group before each repetition."""
        ...

    def read(self, name: str, start: int = 0, stop: int | None = None, *, mounting: int = 0) -> np.ndarray:
        """Return a field over the repetitions [start, stop), concatenated, as one of the mountings has it."""
        ...


Truth = Callable[[Dataset, int, int], np.ndarray]
"""Reads something of every sample (T,) of the repetitions [start, stop) of a dataset."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Sequence:
    """One uninterrupted stretch on one uniform grid.

    Attributes:
        name: Name of the recording, or the repetitions of the dataset that it spans.
        subject: Number of the person, -1 unknown.
        rate_hz: Rate of the grid, Hz.
        channels: C channel names, in the order of `CHANNELS`.
        values: (T, C) float32, SI, device frames; NaN where nothing was measured.
        phase: (T,) int8; 0 down, 1 upright, -1 unlabelled.
        repetition: (T,) int64; number of the repetition in its recording or dataset, -1 unknown.
        count: How many repetitions it holds, also where none is numbered; 0 unknown.
        start_s: Time of the first sample on the recording's clock, s.
        truth: (T,) float32 each, what a simulation knows of every sample, see `real2sim.truths`.
    """

    name: str
    subject: int
    rate_hz: float
    channels: tuple[str, ...]
    values: np.ndarray
    phase: np.ndarray
    repetition: np.ndarray
    count: int = 0
    start_s: float = 0.0
    truth: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.phase)

    def __repr__(self) -> str:
        labelled = int(np.count_nonzero(self.phase >= 0))
        return (
            f"Sequence({self.name!r}, subject {self.subject}, values {self.values.shape} "
            f"at {self.rate_hz:g} Hz, {labelled} labelled, {self.count} repetitions)"
        )


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


def channels_of(groups: Iterable[str]) -> tuple[str, ...]:
    """Return the channel names of some groups, in the order of `CHANNELS`.

    Raises:
        ValueError: If there is no group, or one that `GROUPS` does not have.
    """
    groups = tuple(groups)
    if not groups or not set(groups) <= set(GROUPS):
        raise ValueError(f"got the channel groups {groups}, expected one or more of {tuple(GROUPS)}")
    return tuple(channel for name in GROUPS if name in groups for channel in GROUPS[name])


def people(sequences: Iterable[Sequence]) -> tuple[int, ...]:
    """Return the distinct subject numbers in increasing order; -1 stands for everyone unknown."""
    return tuple(sorted({sequence.subject for sequence in sequences}))


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


def split(sequences: ListLike[Sequence], fractions: ListLike[float], rng: np.random.Generator) -> list[list[Sequence]]:
    """Deal sequences out at random into parts of the given sizes; each lands in exactly one part.

    Args:
        sequences: The sequences.
        fractions: Share of the sequences for each part; they add up to 1.
        rng: Source of randomness.

    Raises:
        ValueError: If the fractions are negative or do not add up to 1.
    """
    shares = np.asarray(fractions, dtype=float)
    if not len(shares) or shares.min() < 0 or abs(shares.sum() - 1) > 1e-6:
        raise ValueError(f"got the fractions {tuple(fractions)}, expected numbers >= 0 that add up to 1")
    bounds = np.rint(np.cumsum(shares) * len(sequences)).astype(int)[:-1]
    return [[sequences[i] for i in np.sort(part)] for part in np.split(rng.permutation(len(sequences)), bounds)]


def from_dataset(
    dataset: Dataset,
    groups: Iterable[str],
    *,
    repetitions: Iterable[int] | None = None,
    mounting: int = 0,
    truths: Mapping[str, Truth] | None = None,
) -> list[Sequence]:
    """Return the sequences of a dataset; consecutive repetitions of one set form one sequence.

    Args:
        dataset: A dataset whose recipe says "rate_hz". Of its fields "phase", "subject", "set" and those of the groups,
            any may be absent: labels are then -1, every repetition is a sequence of its own, channels are missing.
        groups: Channel groups, see `GROUPS`.
        repetitions: Indices of the repetitions to take, in increasing order; all of them by default.
        mounting: Whose streams, where several watches and phones recorded the repetitions at once.
        truths: What else to tell of every sample, by name.

    Raises:
        ValueError: If a group does not exist, or an index lies outside the dataset.
    """
    channels = channels_of(groups)
    wanted = range(len(dataset)) if repetitions is None else repetitions
    chosen = np.unique(np.fromiter(wanted, dtype=np.int64))
    if not len(chosen):
        return []
    if chosen[0] < 0 or chosen[-1] >= len(dataset):
        raise ValueError(f"got repetitions {chosen[0]} to {chosen[-1]}, expected 0 to {len(dataset) - 1}")
    start, stop = int(chosen[0]), int(chosen[-1]) + 1
    before = np.asarray(dataset.offsets("sample"))[start : stop + 1]
    bounds = before - before[0]
    values = channel_values(dataset, channels, start, stop, mounting=mounting)
    phase = _field(dataset, "phase", start, stop, np.full(bounds[-1], -1)).astype(np.int8)
    subject = _field(dataset, "subject", start, stop, np.full(stop - start, -1))
    sets = _field(dataset, "set", start, stop, np.arange(stop - start))
    number = np.repeat(np.arange(start, stop), np.diff(bounds))
    told = {name: read(dataset, start, stop).astype(np.float32) for name, read in (truths or {}).items()}
    rate_hz = float(dataset.recipe["rate_hz"])
    return [
        Sequence(
            name=f"rep {first + start}" if first == last else f"rep {first + start}-{last + start}",
            subject=int(subject[first]),
            rate_hz=rate_hz,
            channels=channels,
            values=values[bounds[first] : bounds[last + 1]],
            phase=phase[bounds[first] : bounds[last + 1]],
            repetition=number[bounds[first] : bounds[last + 1]],
            count=last - first + 1,
            truth={name: known[bounds[first] : bounds[last + 1]] for name, known in told.items()},
        )
        for first, last in runs_of_sets(chosen - start, sets)
    ]


def runs_of_sets(chosen: np.ndarray, sets: np.ndarray) -> Iterable[tuple[int, int]]:
    """Yield first and last index of consecutive chosen repetitions that belong to one set."""
    breaks = np.flatnonzero((np.diff(chosen) > 1) | (np.diff(sets[chosen]) != 0)) + 1
    for run in np.split(chosen, breaks):
        yield int(run[0]), int(run[-1])


def channel_values(
    dataset: Dataset, channels: tuple[str, ...], start: int, stop: int, *, mounting: int = 0
) -> np.ndarray:
    """Return (T, C) float32 of the repetitions [start, stop); NaN in channels whose field the dataset lacks."""
    here = {"mounting": mounting} if mounting else {}
    wanted = [(name, held) for name, held in FIELDS.items() if held[0] in channels]
    found = {name: np.asarray(dataset.read(name, start, stop, **here)) for name, _ in wanted if name in dataset.fields}
    samples = len(next(iter(found.values()))) if found else len(dataset.read("time", start, stop))
    columns = [found.get(name, np.full((samples, len(held)), np.nan)).reshape(samples, -1) for name, held in wanted]
    return np.concatenate(columns, axis=1).astype(np.float32)


def _field(dataset: Dataset, name: str, start: int, stop: int, absent: np.ndarray) -> np.ndarray:
    return np.asarray(dataset.read(name, start, stop)) if name in dataset.fields else absent


def available_groups(recordings: Iterable[Recording]) -> tuple[str, ...]:
    """Return the channel groups that every one of the recordings has."""
    have = [set(recording.streams()) for recording in recordings]
    return tuple(group for group in GROUPS if have and all(group in streams for streams in have))


def from_recordings(recordings: Iterable[Recording], groups: Iterable[str], *, rate_hz: float = 20.0) -> list[Sequence]:
    """Return one sequence a recording: its streams on one grid, over the time that they share.

    Inertial streams are low-passed and resampled, distance readings interpolated (see `squat_env.signals`,
    which the simulator uses too). Labels are those of the nearest labelled moment. A stream that was not
    recorded is NaN.

    Args:
        recordings: The recordings.
        groups: Channel groups, see `GROUPS`.
        rate_hz: Rate of the grid, Hz.

    Raises:
        RecordingError: If a recording has none of the groups, if its streams do not overlap, or if an
            inertial stream is slower than the grid.
        ValueError: If a group does not exist.
    """
    channels = channels_of(groups)
    return [_from_recording(recording, channels, rate_hz) for recording in recordings]


def _from_recording(recording: Recording, channels: tuple[str, ...], rate_hz: float) -> Sequence:
    wanted = tuple(group for group in GROUPS if GROUPS[group][0] in channels)
    grid = shared_grid(recording, wanted, rate_hz)
    values = np.concatenate([stream_on_grid(recording, group, grid, rate_hz) for group in wanted], axis=1)
    phase, repetition = labels_on_grid(recording.labels, grid, rate_hz)
    return Sequence(
        name=recording.name,
        subject=recording.subject,
        rate_hz=rate_hz,
        channels=channels,
        values=values.astype(np.float32),
        phase=phase,
        repetition=repetition,
        count=recording.repetitions,
        start_s=float(grid[0]),
    )
