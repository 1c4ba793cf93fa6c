"""Cubic splines through values at equal steps; far cheaper than SciPy's, which take steps of any length."""

from functools import cache

import numpy as np

from squat_env.compiled import compiled

FEWEST = 4  # values that determine a spline


class Spline:
    """The cubic spline whose two first pieces, and whose two last ones, are one cubic each ("not-a-knot").

    Attributes:
        values: (K, C) at the knots.
        slopes: (K, C) derivative there.
    """

    def __init__(self, values: np.ndarray, step: float, start: float = 0.0):
        """Goes through `values` (K, C) at start, start + step, ...

        Raises:
            ValueError: They are fewer than `FEWEST`.
        """
        if len(values) < FEWEST:
            raise ValueError(f"a spline has {len(values)} values, expected at least {FEWEST}")
        self.values, self._step, self._start = values, step, start
        self.slopes = _slopes(values, step)

    @property
    def end(self) -> float:
        """Where the last value stands."""
        return self._start + self._step * (len(self.values) - 1)

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Values (T, C) at any x (T,); the first and the last piece go on beyond the ends."""
        place = (x - self._start) / self._step
        piece = np.minimum(np.maximum(place.astype(int), 0), len(self.values) - 2)
        low, high, rising, arriving = _hermite(place - piece).T[..., None]
        value = low * self.values[piece] + high * self.values[piece + 1]
        return value + self._step * (rising * self.slopes[piece] + arriving * self.slopes[piece + 1])

    def fine(self, factor: int, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Values and derivatives (count, C) at steps `factor` times finer; count is at most factor x (K - 1)."""
        return _finer(self.values, self.slopes, self._step, *_weights(factor), count)


@compiled
def _finer(
    values: np.ndarray, slopes: np.ndarray, step: float, places: np.ndarray, rates: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Values and derivatives (count, C) at equal steps, of which a piece has as many as there are weights."""
    factor, columns = len(places), values.shape[1]
    value, slope = np.empty((count, columns)), np.empty((count, columns))
    for row in range(count):
        piece, share = row // factor, row % factor
        low, high, rising, arriving = places[share]
        low_rate, high_rate, rising_rate, arriving_rate = rates[share]
        for column in range(columns):
            here, there = values[piece, column], values[piece + 1, column]
            leaves, arrives = step * slopes[piece, column], step * slopes[piece + 1, column]
            value[row, column] = low * here + high * there + (rising * leaves + arriving * arrives)
            rate = low_rate * here + high_rate * there + (rising_rate * leaves + arriving_rate * arrives)
            slope[row, column] = rate / step
    return value, slope


@compiled
def _slopes(values: np.ndarray, step: float) -> np.ndarray:
    """Derivatives (K, C) for which the second derivative is continuous.

    They are s[0] + 2 s[1] at the start, s[k-1] + 4 s[k] + s[k+1] within, 2 s[-2] + s[-1] at the end, each a sum of
    chords; elimination from both ends needs no pivots.
    """
    count, columns = values.shape
    slopes, above = np.empty((count, columns)), np.empty(count)
    above[0] = 2.0
    for column in range(columns):
        slopes[0, column] = (2.5 * (values[1, column] - values[0, column])) / step
        slopes[0, column] += (0.5 * (values[2, column] - values[1, column])) / step
    for k in range(1, count - 1):
        pivot = 4.0 - above[k - 1]
        above[k] = 1.0 / pivot
        for column in range(columns):
            right = 3.0 * (values[k + 1, column] - values[k - 1, column]) / step
            slopes[k, column] = (right - slopes[k - 1, column]) / pivot
    last = 1.0 - 2.0 * above[count - 2]
    for column in range(columns):
        right = (2.5 * (values[-1, column] - values[-2, column])) / step
        right += (0.5 * (values[-2, column] - values[-3, column])) / step
        slopes[-1, column] = (right - 2.0 * slopes[-2, column]) / last
    for k in range(count - 2, -1, -1):
        for column in range(columns):
            slopes[k, column] -= above[k] * slopes[k + 1, column]
    return slopes


def _hermite(share: np.ndarray) -> np.ndarray:
    """Weights (T, 4) of both values and both slopes at shares (T,) of a piece."""
    square = share * share
    cube = square * share
    up = 3.0 * square - 2.0 * cube
    return np.column_stack([1.0 - up, up, share - 2.0 * square + cube, cube - square])


@cache
def _weights(factor: int) -> tuple[np.ndarray, np.ndarray]:
    """Weights (factor, 4) for values and for derivatives at equal steps along a piece."""
    share = np.arange(factor) / factor
    up = 6.0 * share * (1.0 - share)
    slope = np.column_stack([-up, up, 1.0 - 4.0 * share + 3.0 * share**2, 3.0 * share**2 - 2.0 * share])
    return _hermite(share), slope
