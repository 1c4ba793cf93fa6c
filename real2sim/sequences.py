"""Repetitions and recordings as stretches on one uniform grid, with the channels of one list for both domains.

A value that nobody measured is NaN.
"""

from __future__ import annotations

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
