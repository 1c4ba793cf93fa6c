"""Native code by Numba for what is worked out sample by sample: the same bits wherever it runs."""

from collections.abc import Callable
from typing import Any

from numba import njit


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compiled once and kept; where no folder for that can be written, compiled anew in every process."""
    try:
        return njit(cache=True)(function)
    except RuntimeError:  # Numba's, where neither the package's folder nor one of the user's can be written
        return njit(function)
