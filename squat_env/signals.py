"""From a device's own clock to one uniform grid: the same few functions for simulated and for real streams.

Every function takes arrays, leaves them as they are and returns new ones. Missing samples are NaN throughout:
a sample is either measured, interpolated over a gap that the caller allowed, or NaN.

A stream of an inertial sensor goes through `imu_to_grid`, a stream of distance readings through
`range_to_grid`, whichever domain it comes from; only so does a difference between the domains lie in the
signals and not in their preparation.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from squat_env.compiled import compiled
from squat_env.kernels import filter_sections

CUTOFF_PER_RATE = 0.4
"""Cut-off of the low-pass before a decimation, as a fraction of the new rate (0.5 is its Nyquist limit)."""

IMU_MAX_GAP_S = 0.25
"""Longest gap between two samples of an inertial sensor that interpolation may bridge."""

RANGE_MAX_GAP_S = 0.5
"""Longest gap between two distance readings that interpolation may bridge: one lost reading at 5 Hz."""

FILTER_ORDER = 4
"""Order of the Butterworth low-pass; it runs forwards and backwards, so the roll-off is twice as steep."""


def uniform_grid(start_s: float, stop_s: float, rate_hz: float) -> np.ndarray:
    """Return the multiples of 1/rate_hz within [start_s, stop_s].

    Grids of one rate therefore share their points, wherever a stream starts.

    Args:
        start_s: First admissible time, s.
        stop_s: Last admissible time, s.
        rate_hz: Rate of the grid, Hz.

    Returns:
        (T,) increasing times, s; empty where stop_s lies before the first multiple.
    """
    slack = 1e-6  # of a grid step: 0.35 * 20 is 6.999... in binary
    first = int(np.ceil(start_s * rate_hz - slack))
    last = int(np.floor(stop_s * rate_hz + slack))
    return np.arange(first, last + 1) / rate_hz


def median_rate(t: np.ndarray) -> float:
    """Return the rate of a stream in Hz from the median distance of its (n,) increasing times; 0 if n < 2."""
    if len(t) < 2:
        return 0.0
    steps = np.sort(np.diff(t))  # np.median takes ten times as long
    return float(2.0 / (steps[len(steps) // 2] + steps[(len(steps) - 1) // 2]))


def in_order(t: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, int, int]:
    """Return a stream with strictly increasing times.

    Rows are sorted by time; rows that share a time stamp become one row, their mean over the values that are
    not NaN.

    Args:
        t: (n,) finite times, s, in any order.
        x: (n,) or (n, k) values.

    Returns:
        The times (m,), the values (m,) or (m, k), the number of rows that came earlier than a row before
        them, and the number of rows n - m that fell together with another.
    """
    late = int(np.count_nonzero(t < np.maximum.accumulate(t))) if len(t) else 0
    order = np.argsort(t, kind="stable")
    unique, first = np.unique(t[order], return_index=True)
    rows = x[order].astype(float)
    if len(unique) == len(t):
        return unique.astype(float), rows, late, 0
    known = np.add.reduceat(np.isfinite(rows).astype(float), first)
    total = np.add.reduceat(np.nan_to_num(rows), first)
    return (
        unique.astype(float),
        np.where(known > 0, total / np.maximum(known, 1), np.nan),
        late,
        len(t) - len(unique),
    )


@lru_cache(maxsize=64)
def _low_pass_sections(rate_hz: float, cutoff_hz: float) -> tuple[np.ndarray, np.ndarray]:
    """The Butterworth low-pass as (2, 6) second-order sections, and their state (2, 2) under a constant input of 1.

    In closed form by the bilinear transform; SciPy's way over zeros and poles takes longer than the filtering.
    """
    k = math.tan(math.pi * cutoff_hz / rate_hz)
    sections, settled = [], []
    for number in range(FILTER_ORDER // 2):
        damping = 2.0 * math.cos(math.pi * (2 * number + 1) / (2 * FILTER_ORDER)) * k
        scale = 1.0 + damping + k * k
        b, a1, a2 = k * k / scale, 2.0 * (k * k - 1.0) / scale, (1.0 - damping + k * k) / scale
        sections.append([b, 2.0 * b, b, 1.0, a1, a2])
        settled.append([1.0 - b, b - a2])
    return np.array(sections), np.array(settled)


def _both_ways(x: np.ndarray, sections: np.ndarray, settled: np.ndarray, padding: int) -> np.ndarray:
    """A stretch (n, k) through the filter forwards and backwards, continued by its point reflections."""
    before, after = 2.0 * x[0] - x[padding:0:-1], 2.0 * x[-1] - x[-2 : -padding - 2 : -1]
    y = np.concatenate([before, x, after])
    for way in (y, y[::-1]):
        filter_sections(sections, settled, way)
    return y[padding : len(y) - padding]


def low_pass(x: np.ndarray, rate_hz: float, cutoff_hz: float) -> np.ndarray:
    """Remove what lies above a frequency, without delay.

    A Butterworth low-pass runs forwards and backwards over each stretch between NaN rows; its gain is 1/2 at
    the cut-off. At both ends of a stretch the signal is continued by its point reflection, which keeps value
    and slope there; within about 1/cutoff_hz of an end the result leans on that continuation. A cut-off at or
    above rate_hz/2 has nothing to remove and gives a copy.

    Args:
        x: (n,) or (n, k) samples; NaN marks gaps. A row with any NaN counts as a gap.
        rate_hz: Rate of the samples, Hz.
        cutoff_hz: Cut-off frequency, Hz, above 0.

    Returns:
        Array like x, as float64.

    Raises:
        ValueError: If rate_hz or cutoff_hz is not above 0.
    """
    if not (rate_hz > 0 and cutoff_hz > 0):
        raise ValueError(f"low_pass got rate_hz={rate_hz} and cutoff_hz={cutoff_hz}, expected both above 0 Hz")
    out = np.array(x, dtype=float)
    if cutoff_hz >= rate_hz / 2:
        return out
    sections, settled = _low_pass_sections(float(rate_hz), float(cutoff_hz))
    columns = _columns(out)
    for start, stop in stretches(_whole(columns)):
        padding = min(int(np.ceil(3 * rate_hz / cutoff_hz)), stop - start - 1)
        columns[start:stop] = _both_ways(columns[start:stop], sections, settled, padding)
    return out


def _columns(x: np.ndarray) -> np.ndarray:
    """A view (n, k) of samples (n, ...)."""
    return x.reshape(len(x), math.prod(x.shape[1:]))


@compiled
def _whole(x: np.ndarray) -> np.ndarray:
    """Which rows (n,) of samples (n, k) are finite."""
    whole = np.ones(len(x), np.bool_)
    for row in range(len(x)):
        for column in range(x.shape[1]):
            if not math.isfinite(x[row, column]):
                whole[row] = False
    return whole


def stretches(mask: np.ndarray) -> list[tuple[int, int]]:
    """Return (start, stop) of every uninterrupted run of True in a (n,) boolean mask."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], np.asarray(mask, dtype=np.int8), [0]))))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]


def resample(t: np.ndarray, x: np.ndarray, t_new: np.ndarray, *, max_gap_s: float) -> np.ndarray:
    """Interpolate linearly onto new times, and mark what no two samples close enough enclose.

    Args:
        t: (n,) strictly increasing times, s.
        x: (n,) or (n, k) values; a NaN counts as if the sample were absent in that column.
        t_new: (m,) times to interpolate at, s.
        max_gap_s: Longest gap between two samples, s, that may be bridged. NaN beyond it, and outside the
            stream.

    Returns:
        (m,) or (m, k) float64.
    """
    columns = _columns(np.asarray(x, dtype=float))
    whole = _whole(columns)
    partly = np.isfinite(columns[~whole]).any()
    if not partly:  # a row is there or not, as with real devices: one search for all columns
        value = _interpolate_rows(t[whole], columns[whole], t_new, max_gap_s)
    else:
        known = np.isfinite(columns)
        parts = [_interpolate_rows(t[k], c[k, None], t_new, max_gap_s) for c, k in zip(columns.T, known.T, strict=True)]
        value = np.concatenate(parts, axis=1)
    return value.reshape(len(t_new), *x.shape[1:])


@compiled
def _interpolate_rows(t: np.ndarray, x: np.ndarray, t_new: np.ndarray, max_gap_s: float) -> np.ndarray:
    """`resample` of (n, k) samples that are all there; exact at their times."""
    value = np.full((len(t_new), x.shape[1]), np.nan)
    for row in range(len(t_new)):
        if not len(t) or not t[0] <= t_new[row] <= t[-1]:
            continue
        after = np.searchsorted(t, t_new[row])
        left = t[after] - t_new[row]
        if left == 0.0:
            value[row] = x[after]
        elif t[after] - t[after - 1] <= max_gap_s * (1 + 1e-9):
            share = left / (t[after] - t[after - 1])
            for column in range(x.shape[1]):
                value[row, column] = x[after, column] - share * (x[after, column] - x[after - 1, column])
    return value


def imu_to_grid(
    t: np.ndarray, x: np.ndarray, grid: np.ndarray, *, rate_hz: float, max_gap_s: float = IMU_MAX_GAP_S
) -> np.ndarray:
    """Bring the samples of an inertial sensor, with their jitter, onto a slower uniform grid.

    The stream is interpolated to a uniform grid of its own median rate, low-passed at `CUTOFF_PER_RATE` *
    rate_hz stretch by stretch, and interpolated to the grid. A stream at rate_hz already takes the same way.

    Args:
        t: (n,) strictly increasing times, s (see `in_order`).
        x: (n, k) samples.
        grid: (T,) times of the new samples, s, spaced 1/rate_hz (see `uniform_grid`).
        rate_hz: Rate of the grid, Hz.
        max_gap_s: Longest gap, s, that may be bridged; the grid is NaN in longer ones and outside the stream.

    Returns:
        (T, k) float64.
    """
    if len(t) < 2:
        return np.full((len(grid), *x.shape[1:]), np.nan)
    steps = max(1, round((t[-1] - t[0]) * median_rate(t)))
    own = np.linspace(t[0], t[-1], steps + 1)
    own_rate = steps / (t[-1] - t[0])
    smooth = low_pass(resample(t, x, own, max_gap_s=max_gap_s), own_rate, CUTOFF_PER_RATE * rate_hz)
    # The stretches of `own` end at a gap, so here only neighbours of its grid are joined.
    return resample(own, smooth, grid, max_gap_s=1.5 / own_rate)


def range_to_grid(
    t: np.ndarray, reading: np.ndarray, grid: np.ndarray, *, max_gap_s: float = RANGE_MAX_GAP_S
) -> tuple[np.ndarray, np.ndarray]:
    """Bring sparse distance readings onto the grid by linear interpolation, without a filter.

    Args:
        t: (R,) strictly increasing times of the readings, s.
        reading: (R,) distances, m; NaN where a reading was lost.
        grid: (T,) times of the new samples, s.
        max_gap_s: Longest gap between two readings, s, that may be bridged.

    Returns:
        The distances (T,), m, NaN where unknown; and their validity (T,), bool.
    """
    value = resample(t, reading, grid, max_gap_s=max_gap_s)
    return value, np.isfinite(value)
