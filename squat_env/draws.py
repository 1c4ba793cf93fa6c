"""Single draws, by Python's arithmetic on NumPy's random numbers: its own scalar draws take five times as long."""

import math
from bisect import bisect_right
from collections.abc import Iterable
from itertools import accumulate
from typing import TypeVar

import numpy as np

T = TypeVar("T")


def uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """Uniform from low to high."""
    return low + (high - low) * rng.random()


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """Uniform in the logarithm between positive ends; from zero on plainly uniform."""
    return math.exp(uniform(rng, math.log(low), math.log(high))) if low > 0 else uniform(rng, low, high)


def choose(rng: np.random.Generator, options: Iterable[tuple[T, float]]) -> T:
    """One of some values that have these shares, which need not add up to 1."""
    values, shares = zip(*options, strict=True)
    total = sum(shares)
    reached = list(accumulate(share / total for share in shares))
    return values[bisect_right(reached, rng.random() * reached[-1])]
