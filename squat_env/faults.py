"""Faults of form, each with a severity from 0 to 1: one vocabulary for motions, wearables, joints and text.

A fault is an amount of something in a `Motion`, so every motion has a severity of each, whether it was asked for or
just happened to be drawn.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from squat_env.body import Body, segments
from squat_env.draws import choose
from squat_env.exercises import exercise_named
from squat_env.motion import FASTEST_S, Motion
from squat_env.timeline import least_time

Put = Callable[[Motion, Body, float], Motion]
Read = Callable[[Motion, Body], float]

# What a full movement is, by exercise (assumed): knee flexion or hip flexion [deg].
FULL_DEPTH_DEG = {"squat": 100.0, "lunge": 80.0, "side_lunge": 62.0}
FULL_LIFT_DEG = {"knee_up": 80.0, "side_crunch": 55.0, "leg_raise": 75.0}
# Lean of the trunk beyond which it is too much, and the worst that is drawn [deg] (assumed).
LEAN_DEG = {
    "squat": (48.0, 70.0),
    "sit_to_stand": (44.0, 60.0),
    "lunge": (25.0, 48.0),
    "side_lunge": (45.0, 62.0),
    "deadlift": (70.0, 84.0),
    "knee_up": (9.0, 28.0),
    "side_crunch": (11.0, 28.0),
}
LEAST_DROP_M = 0.12  # where hardly anything drops, haste is judged as if this did


@dataclass(frozen=True, kw_only=True)
class FaultRanges:
    """The population of faults.

    Attributes:
        correct: Share of the sets that have none.
        at_once: (number, share) pairs: how many faults the other sets have; shares need not add up to one.
        severity: Range of each one's severity, uniform.
        names: The faults that are drawn, equally likely; every fault of the exercise if empty.

    Raises:
        ValueError: A share or severity is out of range, or a fault is unknown.
    """

    correct: float = 0.4
    at_once: tuple[tuple[int, float], ...] = ((1, 0.6), (2, 0.3), (3, 0.1))
    severity: tuple[float, float] = (0.3, 1.0)
    names: tuple[str, ...] = ()

    def __post_init__(self):
        if not 0.0 <= self.correct <= 1.0:
            raise ValueError(f"correct is {self.correct}, expected a share from 0 to 1")
        if not self.at_once or min(min(number, share) for number, share in self.at_once) <= 0:
            raise ValueError(f"at_once is {self.at_once}, expected (number, share) pairs above 0")
        low, high = self.severity
        if not 0.0 < low <= high <= 1.0:
            raise ValueError(f"severity is {self.severity}, expected a range above 0, up to 1")
        if unknown := sorted(set(self.names) - set(FAULTS)):
            raise ValueError(f"names hold {unknown}, expected faults of {sorted(FAULTS)}")


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One fault.

    Attributes:
        meaning: One line for people.
        unit: Of the amount.
        range: Amounts of severity 0 and 1, or such a pair for each exercise.
        read: Amount in a motion.
        put: The motion with another amount.
    """

    meaning: str
    unit: str
    range: tuple[float, float] | Mapping[str, tuple[float, float]]
    read: Read
    put: Put

    def bounds(self, exercise: str) -> tuple[float, float]:
        """Amounts of severity 0 and 1."""
        return self.range[exercise] if isinstance(self.range, Mapping) else self.range

    def severity(self, amount: float, exercise: str) -> float:
        """Severity 0-1 of an amount."""
        none, full = self.bounds(exercise)
        return min(max(float((amount - none) / (full - none)), 0.0), 1.0)

    def amount(self, severity: float, exercise: str) -> float:
        """Amount of a severity."""
        none, full = self.bounds(exercise)
        return none + severity * (full - none)


def severities(motion: Motion, body: Body) -> dict[str, float]:
    """Severity of every fault that matters for the motion's exercise."""
    names = exercise_named(motion.exercise).faults
    return {name: FAULTS[name].severity(FAULTS[name].read(motion, body), motion.exercise) for name in names}


def with_faults(motion: Motion, body: Body, faults: Mapping[str, float]) -> Motion:
    """The motion with the faults that are named, each exactly as severe as asked; 0 is without it.

    Raises:
        ValueError: A fault that the exercise does not have, a severity outside 0 to 1, or two that exclude each other.
    """
    known = exercise_named(motion.exercise).faults
    if unknown := [name for name in faults if name not in known]:
        raise ValueError(f"faults of {motion.exercise} hold {unknown}, expected only {', '.join(known)}")
    for name, severity in faults.items():
        if not 0.0 <= severity <= 1.0:
            raise ValueError(f"fault {name} has severity {severity}, expected 0 to 1")
    for one, other in EXCLUSIVE:
        if faults.get(one, 0.0) > 0 and faults.get(other, 0.0) > 0:
            raise ValueError(f"faults hold {one} and {other}, expected at most one of them")
    for name in sorted(faults, key=list(FAULTS).index):
        fault, severity = FAULTS[name], faults[name]
        if severity > 0 or fault.severity(fault.read(motion, body), motion.exercise) > 0:
            motion = fault.put(motion, body, fault.amount(severity, motion.exercise))
    return motion


def sample_faults(ranges: FaultRanges, exercise: str, rng: np.random.Generator) -> dict[str, float]:
    """Draws the severity of every fault of an exercise, 0 for those that a set is to be without.

    Faults that exclude each other are not drawn together, so a set may have fewer than its number.
    """
    known = exercise_named(exercise).faults
    names = [name for name in known if not ranges.names or name in ranges.names]
    correct, number = rng.random() < ranges.correct, choose(rng, ranges.at_once)
    drawn = dict(zip(known, rng.uniform(*ranges.severity, len(known)), strict=True))
    chosen: list[str] = []
    for name in rng.permutation(names):
        excluded = any({name, one} == {*pair} for one in chosen for pair in EXCLUSIVE)
        if not correct and len(chosen) < number and not excluded:
            chosen.append(str(name))
    return {name: float(drawn[name]) if name in chosen else 0.0 for name in known}


def _of(field: str) -> tuple[Read, Put]:
    """A fault that is a field of the motion."""
    return (
        lambda motion, body: float(getattr(motion, field)),
        lambda motion, body, amount: replace(motion, **{field: float(amount)}),
    )


def _missing_depth(motion: Motion, body: Body) -> float:
    return 1.0 - motion.knee_flexion_deg / FULL_DEPTH_DEG[motion.exercise]


def _miss_depth(motion: Motion, body: Body, amount: float) -> Motion:
    return replace(motion, knee_flexion_deg=(1.0 - amount) * FULL_DEPTH_DEG[motion.exercise])


def _missing_range(motion: Motion, body: Body) -> float:
    full = FULL_LIFT_DEG.get(motion.exercise)
    return 1.0 - (motion.arm_range if full is None else motion.lift_deg[0] / full)


def _miss_range(motion: Motion, body: Body, amount: float) -> Motion:
    full = FULL_LIFT_DEG.get(motion.exercise)
    if full is None:
        return replace(motion, arm_range=1.0 - amount)
    return replace(motion, lift_deg=((1.0 - amount) * full, *motion.lift_deg[1:]))


def _rounding(motion: Motion, body: Body) -> float:
    return motion.lumbar_share * motion.lean_deg


def _round(motion: Motion, body: Body, amount: float) -> Motion:
    return replace(motion, lumbar_share=amount / motion.lean_deg)


def _least_time(motion: Motion, body: Body) -> float:
    """Shortest descent or ascent [s] of a set, from how much the legs shorten."""
    parts = segments(body)
    thigh, shank = parts["thigh"].length, parts["shank"].length
    bend = np.deg2rad([motion.standing_knee_deg, motion.knee_flexion_deg])
    tall, low = np.sqrt(thigh**2 + shank**2 + 2 * thigh * shank * np.cos(bend))
    return least_time(max(tall - low, LEAST_DROP_M))


def _haste(motion: Motion, body: Body) -> float:
    return _least_time(motion, body) / min(min(cycle.descent_s, cycle.ascent_s) for cycle in motion.cycles)


def _hasten(motion: Motion, body: Body, amount: float) -> Motion:
    """Scales descent and ascent of every repetition, so that the fastest one is as fast as asked."""
    factor = _haste(motion, body) / amount
    cycles = tuple(
        replace(
            cycle,
            descent_s=max(FASTEST_S, factor * cycle.descent_s),
            ascent_s=max(FASTEST_S, factor * cycle.ascent_s),
        )
        for cycle in motion.cycles
    )
    return replace(motion, cycles=cycles)


def _fault(
    meaning: str,
    unit: str,
    range: tuple[float, float] | Mapping[str, tuple[float, float]],
    how: tuple[Read, Put],
) -> Fault:
    read, put = how
    return Fault(meaning=meaning, unit=unit, range=range, read=read, put=put)


FAULTS: dict[str, Fault] = {
    "shallow": _fault("not deep enough", "share", (0.0, 0.5), (_missing_depth, _miss_depth)),
    "too_deep": _fault("deeper than the back can stay straight", "deg", (125.0, 145.0), _of("knee_flexion_deg")),
    "knee_valgus": _fault("the knees come inwards", "m", (0.015, 0.08), _of("knee_valgus_m")),
    "excessive_lean": _fault("the trunk leans too far forward", "deg", LEAN_DEG, _of("lean_deg")),
    "heel_rise": _fault("the heels leave the ground", "deg", (2.0, 18.0), _of("heel_rise_deg")),
    "asymmetry": _fault("pelvis and weight drop to one side", "deg", (1.5, 8.0), _of("pelvis_roll_deg")),
    "butt_wink": _fault("the pelvis tips backwards near the bottom", "deg", (6.0, 28.0), _of("butt_wink_deg")),
    "rounded_back": _fault("the lower back bends instead of the hips", "deg", (16.0, 42.0), (_rounding, _round)),
    "partial_range": _fault("the movement stops early", "share", (0.1, 0.6), (_missing_range, _miss_range)),
    "trunk_swing": _fault("the trunk swings to help the arms", "deg", (3.0, 20.0), _of("trunk_swing_deg")),
    "uneven_arms": _fault("one arm stays behind", "deg", (4.0, 32.0), _of("uneven_arms_deg")),
    "bent_knees": _fault("the knees bend", "deg", (16.0, 60.0), _of("knee_flexion_deg")),
    "too_fast": _fault("hardly slower than a jump", "share", (0.6, 0.93), (_haste, _hasten)),
}
"""Every fault, in the order in which they are put into a motion: tempo last, as it depends on depth."""

EXCLUSIVE = (("shallow", "too_deep"),)
