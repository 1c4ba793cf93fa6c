"""From the probability of "upright" to phases, and to repetitions."""

import itertools
from dataclasses import dataclass

import numpy as np

UPRIGHT_ABOVE = 0.6  # a wearer who was down is upright from here on
DOWN_BELOW = 0.4  # and one who was upright is down from here on


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """Consecutive samples of one phase.

    Attributes:
        phase: 0 down, 1 upright.
        start, stop: First sample, and the one after the last.
        confidence: Mean probability of the phase, 0 to 1.
    """

    phase: int
    start: int
    stop: int
    confidence: float


@dataclass(frozen=True, kw_only=True)
class Repetition:
    """Down, and upright again.

    Attributes:
        start, stop: First sample down, and the first upright again.
        confidence: That of its less certain phase, 0 to 1.
    """

    start: int
    stop: int
    confidence: float


def phases(upright: np.ndarray) -> np.ndarray:
    """Phases with hysteresis: one lasts until the other is clearly more probable.

    Args:
        upright: (T,) probability of upright.

    Returns:
        (T,) int8; 0 down, 1 upright.
    """
    clear = np.where(upright > UPRIGHT_ABOVE, 1, np.where(upright < DOWN_BELOW, 0, -1))
    if len(clear) and clear[0] < 0:
        clear[0] = upright[0] > 0.5
    last = np.maximum.accumulate(np.where(clear >= 0, np.arange(len(clear)), 0))
    return clear[last].astype(np.int8)


def stretches(upright: np.ndarray) -> list[Stretch]:
    """The phases (T,) probabilities of upright tell, one after the other."""
    phase = phases(upright)
    edges = [0, *(np.flatnonzero(np.diff(phase)) + 1), len(phase)] if len(phase) else [0]
    told = np.where(phase == 1, upright, 1.0 - upright)
    return [
        Stretch(phase=int(phase[start]), start=int(start), stop=int(stop), confidence=float(told[start:stop].mean()))
        for start, stop in itertools.pairwise(edges)
    ]


def repetitions(found: list[Stretch]) -> list[Repetition]:
    """The repetitions of stretches; a movement that has begun and not ended is none."""
    return [
        Repetition(start=down.start, stop=down.stop, confidence=min(down.confidence, up.confidence))
        for down, up in itertools.pairwise(found)
        if down.phase == 0
    ]
