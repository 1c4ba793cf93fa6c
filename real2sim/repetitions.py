"""From the probability of "upright" to phases, and to repetitions."""

import itertools
from collections.abc import Sequence as ListLike
from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How probabilities become phases. The defaults are for networks that nothing is known of.

    Attributes:
        upright_above: A wearer who was down is upright once the probability of upright is above this.
        down_below: One who was upright is down once it is below this.
        shortest: Stretches of fewer samples, but for the first and the last, belong to what surrounds them.
        temperature: Divides the logits; above 1 for networks that are surer than they are right.
    """

    upright_above: float = 0.6
    down_below: float = 0.4
    shortest: int = 1
    temperature: float = 1.0

    def __post_init__(self):
        if not 0 < self.down_below <= self.upright_above < 1:
            raise ValueError(f"got {self}, expected 0 < down_below <= upright_above < 1")


LEVELS = (0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8)
SHORTEST_S = (0.0, 0.1, 0.2, 0.3, 0.4)  # people need more than that for half a movement
TEMPERATURES = np.geomspace(0.5, 4.0, 25)
CERTAIN = 1e-4  # probabilities are kept this far from 0 and 1


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


def phases(upright: np.ndarray, reading: Reading | None = None) -> np.ndarray:
    """Phases with hysteresis: one lasts until the other is clearly more probable, and for long enough.

    Args:
        upright: (T,) probability of upright.
        reading: How to read it.

    Returns:
        (T,) int8; 0 down, 1 upright.
    """
    reading = reading or Reading()
    clear = np.where(upright > reading.upright_above, 1, np.where(upright < reading.down_below, 0, -1))
    if len(clear) and clear[0] < 0:
        clear[0] = upright[0] > (reading.upright_above + reading.down_below) / 2
    last = np.maximum.accumulate(np.where(clear >= 0, np.arange(len(clear)), 0))
    return _without_short(clear[last].astype(np.int8), reading.shortest)


def _edges(phase: np.ndarray) -> np.ndarray:
    """First samples of the stretches of (T,) phases, and T."""
    return np.flatnonzero(np.diff(phase, prepend=-1, append=-1)) if len(phase) else np.zeros(1, dtype=int)


def _without_short(phase: np.ndarray, shortest: int) -> np.ndarray:
    """Phases in which the shortest inner stretch has become part of its neighbours until none is too short."""
    if not len(phase):
        return phase
    lengths = np.diff(_edges(phase))
    while len(lengths) > 2:
        k = 1 + int(lengths[1:-1].argmin())
        if lengths[k] >= shortest:
            break
        lengths = np.concatenate([lengths[: k - 1], [lengths[k - 1 : k + 2].sum()], lengths[k + 2 :]])
    alternating = (phase[0] + np.arange(len(lengths))) % 2
    return np.repeat(alternating, lengths).astype(np.int8)


def tempered(upright: np.ndarray, temperature: float) -> np.ndarray:
    """Probabilities of upright as networks that are less sure (above 1) or surer (below 1) would give them."""
    sure = np.clip(upright, CERTAIN, 1 - CERTAIN)
    return 1 / (1 + ((1 - sure) / sure) ** (1 / temperature))


def stretches(upright: np.ndarray, reading: Reading | None = None) -> list[Stretch]:
    """The phases (T,) probabilities of upright tell, one after the other."""
    reading = reading or Reading()
    phase = phases(upright, reading)
    sure = tempered(upright, reading.temperature)
    told = np.where(phase == 1, sure, 1.0 - sure)
    return [
        Stretch(phase=int(phase[start]), start=int(start), stop=int(stop), confidence=float(told[start:stop].mean()))
        for start, stop in itertools.pairwise(_edges(phase))
    ]


def repetitions(found: list[Stretch]) -> list[Repetition]:
    """The repetitions of stretches; a movement that has begun and not ended is none."""
    return [
        Repetition(start=down.start, stop=down.stop, confidence=min(down.confidence, up.confidence))
        for down, up in itertools.pairwise(found)
        if down.phase == 0
    ]


def count(upright: np.ndarray, reading: Reading | None = None) -> int:
    """How many repetitions (T,) probabilities of upright tell."""
    return _downs(phases(upright, reading))


def _downs(phase: np.ndarray) -> int:
    """How often (T,) phases go from down to upright."""
    return int((np.diff(phase) == 1).sum())


def calibrate(upright: ListLike[np.ndarray], phase: ListLike[np.ndarray], rate_hz: float) -> Reading:
    """The reading with which sequences whose phases are known are counted best and believed as often as they are right.

    Of readings that count equally well the one is taken that is nearest to the defaults. The temperature is the one
    of the largest likelihood.

    Args:
        upright: (T,) probabilities for each sequence, of simulated repetitions that nothing was trained on.
        phase: (T,) their phases; -1 unknown.
        rate_hz: Of the samples.

    References:
        Guo et al. 2017, "On Calibration of Modern Neural Networks", ICML (temperature).
    """
    best, least = Reading(), (np.inf, np.inf)
    for low, high in itertools.combinations_with_replacement(LEVELS, 2):
        for shortest_s in SHORTEST_S:
            reading = Reading(down_below=low, upright_above=high, shortest=1 + round(shortest_s * rate_hz))
            wrong = counted_wrong(upright, phase, reading)
            unlike = abs(low - 0.4) + abs(high - 0.6) + 0.1 * shortest_s
            if (wrong, unlike) < least:
                best, least = reading, (wrong, unlike)
    return replace(best, temperature=_temperature(np.concatenate([*upright]), np.concatenate([*phase])))


def counted_wrong(upright: ListLike[np.ndarray], phase: ListLike[np.ndarray], reading: Reading) -> int:
    """How many repetitions too many or too few are counted, over sequences as `calibrate` takes them."""
    true = [_downs(known[known >= 0]) for known in phase]
    return sum(abs(count(p, reading) - number) for p, number in zip(upright, true, strict=True))


def _temperature(upright: np.ndarray, phase: np.ndarray) -> float:
    known = phase >= 0

    def surprise(temperature: float) -> float:
        told = tempered(upright[known], temperature)
        return float(-np.log(np.where(phase[known] == 1, told, 1 - told)).mean())

    return float(min(TEMPERATURES, key=surprise))


def overconfidence(upright: np.ndarray, phase: np.ndarray, *, bins: int = 10) -> float:
    """Expected calibration error: how far confidence is from the share that is right, mean over known samples."""
    known = phase >= 0
    read = upright[known] > 0.5
    sure, right = np.where(read, upright[known], 1 - upright[known]), read == phase[known]
    place = np.minimum(((sure - 0.5) * 2 * bins).astype(int), bins - 1)
    gaps = [abs(sure[place == k].sum() - right[place == k].sum()) for k in range(bins)]
    return float(np.sum(gaps) / max(known.sum(), 1))
