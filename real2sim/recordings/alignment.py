"""One clock for a recording: its streams and its labels on one uniform grid."""

from __future__ import annotations

import numpy as np

from real2sim.recordings.recording import Labels, Recording, refusal
from squat_env.signals import imu_to_grid, range_to_grid, uniform_grid

SLOWEST = 0.9
"""Smallest rate of an inertial stream, as a fraction of the grid's: devices run a little below nominal."""


def shared_grid(recording: Recording, groups: tuple[str, ...], rate_hz: float) -> np.ndarray:
    """Return the grid over the time that a recording's streams share.

    Args:
        recording: The recording.
        groups: Names of the streams that count, of `real2sim.recordings.recording.SENSORS`.
        rate_hz: Rate of the grid, Hz.

    Returns:
        (T,) times, s, multiples of 1/rate_hz.

    Raises:
        RecordingError: If none of the streams was recorded, if they do not overlap, or if an inertial one is
            slower than the grid.
    """
    where = f"recording {recording.name!r}"
    streams = {name: stream for name, stream in recording.streams().items() if name in groups}
    if not streams:
        have = tuple(recording.streams())
        raise refusal(where, got=f"the streams {have}", expected=f"one of {groups}", remedy="ask for these")
    for name, stream in streams.items():
        if name != "range" and stream.rate_hz < SLOWEST * rate_hz:
            raise refusal(
                f"{where}, {name}",
                got=f"samples at {stream.rate_hz:.3g} Hz",
                expected=f"at least the {rate_hz:g} Hz of the grid",
                remedy="ask for a lower rate",
            )
    start = max(float(stream.t[0]) for stream in streams.values())
    stop = min(float(stream.t[-1]) for stream in streams.values())
    grid = uniform_grid(start, stop, rate_hz)
    if len(grid) < 2:
        raise refusal(
            where,
            got=f"{tuple(streams)}, the last to start at {start:g} s and the first to end at {stop:g} s",
            expected="an overlap",
            remedy="give their clocks one origin",
        )
    return grid


def stream_on_grid(recording: Recording, group: str, grid: np.ndarray, rate_hz: float) -> np.ndarray:
    """Return one stream on the grid, NaN where unknown.

    Args:
        recording: The recording.
        group: Name of the stream; one that was not recorded gives NaN throughout.
        grid: (T,) times, s.
        rate_hz: Rate of the grid, Hz.

    Returns:
        (T, 6) of a watch or phone, (T, 1) of the range, float64.
    """
    stream = recording.streams().get(group)
    if stream is None:
        return np.full((len(grid), 1 if group == "range" else 6), np.nan)
    if group == "range":
        return range_to_grid(stream.t, stream.values[:, 0], grid)[0][:, None]
    return imu_to_grid(stream.t, stream.values, grid, rate_hz=rate_hz)


def labels_on_grid(labels: Labels | None, grid: np.ndarray, rate_hz: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the label of the moment nearest to each grid time.

    A label reaches half the distance of the labels or half a step of the grid, whichever is more; beyond that
    a sample is unlabelled.

    Args:
        labels: The labels, or None.
        grid: (T,) times, s.
        rate_hz: Rate of the grid, Hz.

    Returns:
        phase (T,) int8 and repetition (T,) int64, -1 where there is none.
    """
    if labels is None or not len(labels.t):
        return np.full(len(grid), -1, dtype=np.int8), np.full(len(grid), -1, dtype=np.int64)
    after = np.clip(np.searchsorted(labels.t, grid), 0, len(labels.t) - 1)
    before = np.maximum(after - 1, 0)
    nearest = np.where(grid - labels.t[before] < labels.t[after] - grid, before, after)
    spacing = float(np.median(np.diff(labels.t))) if len(labels.t) > 1 else 0.0
    near = np.abs(labels.t[nearest] - grid) <= 0.5 * max(1 / rate_hz, spacing) * (1 + 1e-6)
    phase = np.where(near, labels.phase[nearest], -1).astype(np.int8)
    return phase, np.where(near, labels.repetition[nearest], -1).astype(np.int64)
