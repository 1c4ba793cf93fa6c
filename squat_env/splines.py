"""Cubic splines through values at equal steps; far cheaper than SciPy's, which take steps of any length."""

from functools import cache

import numpy as np
from scipy.linalg.lapack import dgtsv

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
        pieces = -(-count // factor)
        rise = self._step * self.slopes
        ends = np.stack([self.values[:-1], self.values[1:], rise[:-1], rise[1:]], axis=1)[:pieces]
        value, slope = ((weight @ ends).reshape(-1, ends.shape[2])[:count] for weight in _weights(factor))
        slope /= self._step
        return value, slope


def _slopes(values: np.ndarray, step: float) -> np.ndarray:
    """Derivatives (K, C) for which the second derivative is continuous."""
    chord = np.diff(values, axis=0) / step
    right = np.empty_like(values)
    right[1:-1] = 3.0 * (chord[:-1] + chord[1:])
    right[0], right[-1] = 2.5 * chord[0] + 0.5 * chord[1], 2.5 * chord[-1] + 0.5 * chord[-2]
    below, diagonal, above = np.ones(len(values) - 1), np.full(len(values), 4.0), np.ones(len(values) - 1)
    diagonal[[0, -1]], above[0], below[-1] = 1.0, 2.0, 2.0
    return dgtsv(below, diagonal, above, right)[3]


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
