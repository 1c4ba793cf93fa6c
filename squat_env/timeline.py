"""When a set does what: the path through an exercise over time, and its phases."""

from dataclasses import dataclass

import numpy as np

from squat_env.motion import Cycle, Motion

STAND, DESCENT, BOTTOM, ASCENT = range(4)
GRAVITY = 9.81
PEAK_ACCELERATION = 0.45 * GRAVITY  # of the pelvis; beyond it the feet leave the ground
MINIMUM_JERK_PEAK = 5.77  # peak acceleration of a minimum-jerk movement over distance / time^2
SWING_PEAK = 8.0  # acceleration at the turn of one that ends in a full swing
FULL_SWING_RELIEF = 1.3  # by which such a movement's peak away from the turn is lower


@dataclass(frozen=True, kw_only=True)
class Timeline:
    """The course of a set at the physics rate.

    Attributes:
        time: (N,) [s].
        path: (N,) how far into the exercise: 0 at the start position, the number of its stages at the turning point.
        phase4: (N,) int8: 0 stand, 1 descent (towards the turning point), 2 bottom (there), 3 ascent (back).
        repetition: (N,) int64 number of the cycle.
    """

    time: np.ndarray
    path: np.ndarray
    phase4: np.ndarray
    repetition: np.ndarray


def timeline(motion: Motion, stages: tuple[float, ...], timestep: float) -> Timeline:
    """The course of a set.

    Args:
        motion: The set.
        stages: Share of the descent's time that each stage of the exercise takes; they add up to 1.
        timestep: Of the physics [s].
    """
    count = round(motion.duration_s / timestep) + 1
    time = np.arange(count) * timestep
    starts = np.cumsum([0.0, *(cycle.duration_s for cycle in motion.cycles)])
    repetition = np.clip(np.searchsorted(starts - 1e-9, time, "right") - 1, 0, len(motion.cycles) - 1)
    path, phase4 = np.zeros(count), np.zeros(count, np.int8)
    for number, cycle in enumerate(motion.cycles):
        inside = repetition == number
        path[inside], phase4[inside] = _cycle(cycle, stages, time[inside] - starts[number])
    return Timeline(time=time, path=path, phase4=phase4, repetition=repetition)


def _cycle(cycle: Cycle, stages: tuple[float, ...], t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Path and four-part phase of one repetition, each stage a minimum-jerk movement."""
    edges = np.cumsum([cycle.before_s, cycle.descent_s, cycle.bottom_s, cycle.ascent_s])
    inwards = (t - edges[0]) / cycle.descent_s
    outwards = 1.0 - (t - edges[2]) / cycle.ascent_s
    down = t < 0.5 * (edges[1] + edges[2])
    done = np.where(down, inwards, outwards)
    turn = cycle.bounce * np.where(down, cycle.descent_s / cycle.ascent_s, cycle.ascent_s / cycle.descent_s)
    path, start = np.zeros(len(t)), 0.0
    for number, share in enumerate(stages):
        last = number == len(stages) - 1
        x = (done - start) / share
        path += (cycle.depth if last else 1.0) * (minimum_jerk(x) - (last * turn) * swing(x))
        start += share
    phase4 = np.array([STAND, DESCENT, BOTTOM, ASCENT, STAND], np.int8)[np.searchsorted(edges, t, "right")]
    return path, phase4


def minimum_jerk(x: np.ndarray) -> np.ndarray:
    """Smooth step from 0 to 1 (Flash & Hogan 1985), constant outside [0, 1]."""
    x = np.clip(x, 0.0, 1.0)
    square = x * x
    return square * x * (10.0 - 15.0 * x + 6.0 * square)  # NumPy takes far longer over a power of 3


def swing(x: np.ndarray) -> np.ndarray:
    """What minus `minimum_jerk` turns back at x = 1 with an acceleration of `SWING_PEAK`; 0 outside [0, 1]."""
    x = np.clip(x, 0.0, 1.0)
    return 0.5 * SWING_PEAK * x * x * x * (1.0 - x) ** 2


def peak_acceleration(cycle: Cycle) -> float:
    """Largest downward acceleration of a cycle's path over depth / (shorter time)^2; at the turn it is upwards."""
    slow, fast = max(cycle.descent_s, cycle.ascent_s), min(cycle.descent_s, cycle.ascent_s)
    return MINIMUM_JERK_PEAK - cycle.bounce * FULL_SWING_RELIEF * fast / slow


def least_time(drop: float) -> float:
    """Shortest time [s] in which a pelvis moves this far [m] while the feet stay on the ground."""
    return float(np.sqrt(MINIMUM_JERK_PEAK * drop / PEAK_ACCELERATION))
