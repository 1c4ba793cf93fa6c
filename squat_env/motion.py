"""How a person exercises: posture, tempo, and the small movements that nobody can suppress."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from squat_env.arms import ARM_POSTURES, Angles
from squat_env.draws import choose, log_uniform, uniform
from squat_env.placement import SIDES, Side

FASTEST_S = 0.3  # descent or ascent; nobody is faster
SHALLOWEST = 0.4  # of the set's depth, that a repetition still reaches


@dataclass(frozen=True, kw_only=True)
class Cycle:
    """One repetition, standing to standing.

    Attributes:
        depth: Share of the set's knee flexion that this repetition reaches.
        before_s: Standing before the descent.
        descent_s, bottom_s, ascent_s: Going down, staying there, coming up.
        after_s: Standing after the ascent.
        bounce: How the turn at the bottom is made where there is no pause: 0 comes to rest, 1 swings like a pendulum.
    """

    depth: float = 1.0
    before_s: float = 0.5
    descent_s: float = 1.4
    bottom_s: float = 0.2
    ascent_s: float = 1.2
    after_s: float = 0.5
    bounce: float = 0.0

    def __post_init__(self):
        for name in ("before_s", "descent_s", "bottom_s", "ascent_s", "after_s"):
            if not 0.0 <= getattr(self, name) <= 60.0:
                raise ValueError(f"{name} is {getattr(self, name)}, expected seconds from 0 to 60")
        if min(self.descent_s, self.ascent_s) < FASTEST_S:
            raise ValueError(
                f"descent_s, ascent_s are {self.descent_s}, {self.ascent_s}, expected at least {FASTEST_S} s"
            )
        if not 0.3 <= self.depth <= 1.3:
            raise ValueError(f"depth is {self.depth}, expected 0.3 to 1.3 of the set's knee flexion")
        if not 0.0 <= self.bounce <= 1.0 or (self.bounce and self.bottom_s):
            raise ValueError(
                f"bounce is {self.bounce} with bottom_s {self.bottom_s}, expected 0 to 1, and 0 with a pause"
            )

    @property
    def duration_s(self) -> float:
        """From the start of `before_s` to the end of `after_s`."""
        return self.before_s + self.descent_s + self.bottom_s + self.ascent_s + self.after_s


@dataclass(frozen=True, kw_only=True)
class Motion:
    """A set of one exercise by one person: the posture at its start and at its turning point ("bottom").

    Attributes:
        exercise: Key of `squat_env.exercises.EXERCISES`.
        lead: The leg in front, bent, or lifted, where an exercise has one; asymmetric faults are on this side.
        knee_flexion_deg: Knee flexion at the bottom of a cycle of depth 1 (of the leading leg, where one leads).
        standing_knee_deg: Knee flexion while standing.
        lean_deg: Forward lean of the trunk at the bottom, against the vertical.
        standing_lean_deg, seated_lean_deg: The same while standing, and on a seat.
        lumbar_share: Share of the lean that the lumbar joint makes; the hips make the rest.
        side_bend_deg: Bend of the trunk towards the leading side at the bottom.
        stance: Distance of the ankles sideways over the shoulder width.
        split: Distance of the ankles fore and aft over the leg's length; the leading leg is in front.
        toe_out_deg: Rotation of each foot outwards.
        balance: Where over the foot the centre of mass stays: 0 heel, 1 toes.
        balance_change: What is added to it at the bottom.
        load_share: Share of the weight on the leading leg at the bottom.
        rear_heel_deg: Rise of the rear heel in a split stance, as rotation of the foot: standing and at the bottom.
        lift_deg: Hip flexion, hip abduction and knee flexion of a leg that is lifted, at the bottom.
        arms: Key of `ARM_POSTURES`.
        arm_offset_deg: Added to the five angles of the posture, both sides.
        arm_drift_deg: Added to them at the bottom, both sides.
        arm_asymmetry_deg: Added to the left and taken from the right arm's angles.
        arm_follow: 1 the arms keep their angle to the trunk, 0 to the world's vertical.
        arm_range: Share of the way from the posture's start to its bottom that the arms go.
        arm_wait: Share of that way that they go while the person settles on a seat; on the way up, before leaving it.
        uneven_arms_deg: How much further the leading side's arm goes.
        knee_valgus_m: How far the knees come inwards at the bottom; negative outwards.
        heel_rise_deg: Rotation of both feet about the balls at the bottom.
        pelvis_roll_deg: Drop of the pelvis on the leading side at the bottom, or half-way down to a seat; the weight
            shifts there too.
        butt_wink_deg: Backward tilt of the pelvis under a still trunk in the last third of the way down.
        trunk_swing_deg: Swing of the trunk backwards while the arms move.
        sway_deg: Amplitude (rms) of the involuntary movement of arms (1.0 of it), trunk (0.2) and balance.
        sway_seed: Its course over time.
        cycles: The repetitions.
    """

    exercise: str = "squat"
    lead: Side = "left"
    knee_flexion_deg: float = 105.0
    standing_knee_deg: float = 6.0
    lean_deg: float = 38.0
    standing_lean_deg: float = 3.0
    seated_lean_deg: float = 4.0
    lumbar_share: float = 0.2
    side_bend_deg: float = 0.0
    stance: float = 1.3
    split: float = 0.0
    toe_out_deg: float = 15.0
    balance: float = 0.48
    balance_change: float = 0.0
    load_share: float = 0.5
    rear_heel_deg: tuple[float, float] = (0.0, 0.0)
    lift_deg: tuple[float, float, float] = (0.0, 0.0, 0.0)
    arms: str = "forward"
    arm_offset_deg: Angles = (0.0, 0.0, 0.0, 0.0, 0.0)
    arm_drift_deg: Angles = (0.0, 0.0, 0.0, 0.0, 0.0)
    arm_asymmetry_deg: Angles = (0.0, 0.0, 0.0, 0.0, 0.0)
    arm_follow: float = 0.5
    arm_range: float = 1.0
    arm_wait: float = 0.0
    uneven_arms_deg: float = 0.0
    knee_valgus_m: float = 0.0
    heel_rise_deg: float = 0.0
    pelvis_roll_deg: float = 0.0
    butt_wink_deg: float = 0.0
    trunk_swing_deg: float = 0.0
    sway_deg: float = 0.0
    sway_seed: int = 0
    cycles: tuple[Cycle, ...] = (Cycle(),)

    def __post_init__(self):
        for name, allowed in (("arms", tuple(ARM_POSTURES)), ("lead", SIDES)):
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} is {getattr(self, name)!r}, expected one of {sorted(allowed)}")
        if not self.cycles:
            raise ValueError("cycles is empty, expected at least one repetition")
        for name, (low, high) in LIMITS.items():
            values = getattr(self, name)
            if not all(low <= value <= high for value in (values if isinstance(values, tuple) else (values,))):
                raise ValueError(f"{name} is {values}, expected values from {low:g} to {high:g}")

    @property
    def duration_s(self) -> float:
        """Length of the set."""
        return sum(cycle.duration_s for cycle in self.cycles)


LIMITS = {
    "knee_flexion_deg": (0.0, 150.0),
    "standing_knee_deg": (1.0, 30.0),
    "lean_deg": (-20.0, 85.0),
    "standing_lean_deg": (-30.0, 45.0),
    "seated_lean_deg": (-40.0, 60.0),
    "lumbar_share": (0.0, 1.0),
    "side_bend_deg": (-30.0, 40.0),
    "stance": (0.2, 4.0),
    "split": (0.0, 1.2),
    "toe_out_deg": (-20.0, 60.0),
    "balance": (0.1, 0.9),
    "balance_change": (-0.6, 0.4),
    "load_share": (0.0, 1.0),
    "rear_heel_deg": (0.0, 75.0),
    "lift_deg": (-30.0, 130.0),
    "arm_offset_deg": (-180.0, 180.0),
    "arm_drift_deg": (-180.0, 180.0),
    "arm_asymmetry_deg": (-180.0, 180.0),
    "arm_follow": (0.0, 1.0),
    "arm_range": (0.0, 1.2),
    "arm_wait": (0.0, 1.0),
    "uneven_arms_deg": (0.0, 60.0),
    "knee_valgus_m": (-0.2, 0.15),
    "heel_rise_deg": (0.0, 40.0),
    "pelvis_roll_deg": (0.0, 15.0),
    "butt_wink_deg": (0.0, 45.0),
    "trunk_swing_deg": (0.0, 40.0),
    "sway_deg": (0.0, 30.0),
}
"""What `Motion` takes at most; NaN is refused too."""


@dataclass(frozen=True, kw_only=True)
class MotionRanges:
    """The population of motions of one exercise. Pairs are closed ranges, drawn uniformly unless said otherwise.

    The defaults are plain squats by symmetric people; `squat_env.exercises.EXERCISES` has the population of each
    exercise. Stance and toe-out span the figures of Lorenzetti et al. (2018), BMC Sports Science, Medicine and
    Rehabilitation 10:14. Tempo: a repetition takes 1.5-6 s, the descent 0.5-0.65 of it (assumed).

    Attributes:
        knee_flexion_deg, standing_knee_deg, lean_deg, standing_lean_deg, seated_lean_deg, lumbar_share, side_bend_deg,
        stance, split, toe_out_deg, balance, balance_change, load_share, knee_valgus_m: Ranges of the values of the same
            name in `Motion`.
        rear_heel_deg, lift_deg: A range for each of their components.
        deep_lean_deg: Range of the lean at the largest knee flexion, if `lean_deg` is that at the smallest; in between
            it is in between. Who goes deeper leans further, as the ankles bend only so far. None is `lean_deg`.
        pelvis_roll_sd_deg: Spread of the pelvis' roll, half a normal distribution.
        arms: (posture, share) pairs.
        arm_sd_deg: Spread of every arm angle about its posture.
        arm_drift_sd_deg: Spread of what every arm angle changes by from standing to the bottom.
        arm_follow: Range of `Motion.arm_follow`; None for the posture's own.
        arm_wait: Range of `Motion.arm_wait`.
        movement_s: Descent + bottom + ascent, drawn log-uniformly.
        descent_share: The descent's share of descent + ascent.
        bounce_share: Share of the people who turn at the bottom without a pause.
        bottom_s, stand_s: Pauses; drawn as the square of a uniform variable, so that short ones are the rule.
        tempo_variation, depth_variation: Range of one person's spread (log) from repetition to repetition,
            log-uniform; zero depth variation where a seat is always at the same height.
        fatigue: Range of the slowing from the first repetition to the last, as share of the first.
        sway_deg: Range of `Motion.sway_deg`, log-uniform; (0, 0) for statues.
    """

    knee_flexion_deg: tuple[float, float] = (50.0, 135.0)
    standing_knee_deg: tuple[float, float] = (3.0, 12.0)
    lean_deg: tuple[float, float] = (18.0, 55.0)
    deep_lean_deg: tuple[float, float] | None = None
    standing_lean_deg: tuple[float, float] = (3.0, 3.0)
    seated_lean_deg: tuple[float, float] = (4.0, 4.0)
    lumbar_share: tuple[float, float] = (0.0, 0.4)
    side_bend_deg: tuple[float, float] = (0.0, 0.0)
    stance: tuple[float, float] = (0.7, 2.0)
    split: tuple[float, float] = (0.0, 0.0)
    toe_out_deg: tuple[float, float] = (0.0, 35.0)
    balance: tuple[float, float] = (0.44, 0.52)
    balance_change: tuple[float, float] = (0.0, 0.0)
    load_share: tuple[float, float] = (0.5, 0.5)
    knee_valgus_m: tuple[float, float] = (0.0, 0.0)
    pelvis_roll_sd_deg: float = 0.0
    rear_heel_deg: tuple[tuple[float, float], ...] = ((0.0, 0.0), (0.0, 0.0))
    lift_deg: tuple[tuple[float, float], ...] = ((0.0, 0.0), (0.0, 0.0), (0.0, 0.0))
    arms: tuple[tuple[str, float], ...] = tuple(
        (name, 1.0)
        for name in (
            *("sides", "forward", "overhead", "raised", "goal_post", "crossed", "hips", "head", "goblet", "swinging"),
        )
    )
    arm_sd_deg: float = 12.0
    arm_drift_sd_deg: float = 0.0
    arm_follow: tuple[float, float] | None = None
    arm_wait: tuple[float, float] = (0.0, 0.0)
    movement_s: tuple[float, float] = (1.1, 4.5)
    descent_share: tuple[float, float] = (0.42, 0.62)
    bounce_share: float = 0.0
    bottom_s: tuple[float, float] = (0.0, 1.2)
    stand_s: tuple[float, float] = (0.05, 1.8)
    tempo_variation: tuple[float, float] = (0.08, 0.08)
    depth_variation: tuple[float, float] = (0.08, 0.08)
    fatigue: tuple[float, float] = (0.0, 0.3)
    sway_deg: tuple[float, float] = (1.0, 8.0)


def slowed(motion: Motion, factor: float) -> Motion:
    """The same motion, its descents and ascents this many times as long."""
    cycles = tuple(
        replace(cycle, descent_s=factor * cycle.descent_s, ascent_s=factor * cycle.ascent_s) for cycle in motion.cycles
    )
    return replace(motion, cycles=cycles)


_UNIFORM = (
    *("standing_knee_deg", "standing_lean_deg", "seated_lean_deg", "lumbar_share"),
    *("side_bend_deg", "stance", "split", "toe_out_deg", "balance", "balance_change", "load_share", "knee_valgus_m"),
)
_UNIFORM_TUPLES = ("rear_heel_deg", "lift_deg")


def sample_motion(
    ranges: MotionRanges,
    rng: np.random.Generator,
    *,
    exercise: str = "squat",
    repetitions: int = 1,
    depth: float | None = None,
) -> Motion:
    """Draws one set of `repetitions` of an exercise by one person.

    Args:
        ranges: The population.
        rng: Where the draws come from.
        exercise: What is done.
        repetitions: Of the set.
        depth: Where in its range the knee flexion is, 0 to 1; drawn as well if None.
    """
    arms = choose(rng, ranges.arms)
    posture = ARM_POSTURES[arms]
    drawn: dict[str, Any] = {name: uniform(rng, *getattr(ranges, name)) for name in _UNIFORM}
    depth = float(rng.random()) if depth is None else depth
    drawn["knee_flexion_deg"] = _between(ranges.knee_flexion_deg, depth)
    deep = ranges.deep_lean_deg or ranges.lean_deg
    lowest, highest = (_between(ends, depth) for ends in zip(ranges.lean_deg, deep, strict=True))
    drawn["lean_deg"] = uniform(rng, lowest, highest)
    drawn |= {name: tuple(uniform(rng, *pair) for pair in getattr(ranges, name)) for name in _UNIFORM_TUPLES}
    return Motion(
        exercise=exercise,
        lead=SIDES[int(rng.integers(2))],
        arms=arms,
        arm_offset_deg=_five(rng.normal(0.0, ranges.arm_sd_deg, 5)),
        arm_asymmetry_deg=_five(rng.normal(0.0, ranges.arm_sd_deg / 4, 5)),
        arm_drift_deg=_five(posture.freedom * rng.normal(0.0, ranges.arm_drift_sd_deg, 5)),
        arm_follow=uniform(rng, *(ranges.arm_follow or posture.follow)),
        pelvis_roll_deg=_half_normal(ranges.pelvis_roll_sd_deg, rng),
        sway_deg=posture.freedom * log_uniform(rng, *ranges.sway_deg),
        sway_seed=int(rng.integers(2**31)),
        cycles=_sample_cycles(ranges, rng, repetitions),
        arm_wait=uniform(rng, *ranges.arm_wait) if any(ranges.arm_wait) else 0.0,
        **drawn,
    )


def _between(ends: tuple[float, float], share: float) -> float:
    return ends[0] + share * (ends[1] - ends[0])


def _half_normal(spread: float, rng: np.random.Generator) -> float:
    """A normal draw without its sign, drawn again beyond three times its spread."""
    while True:
        value = abs(float(rng.normal()))
        if value <= 3.0:
            return spread * value


def _sample_cycles(ranges: MotionRanges, rng: np.random.Generator, repetitions: int) -> tuple[Cycle, ...]:
    """One person's tempo with the variation from repetition to repetition, slowing along the set."""
    movement = log_uniform(rng, *ranges.movement_s)
    share = uniform(rng, *ranges.descent_share)
    bounces = rng.random() < ranges.bounce_share
    bounce, bottom = uniform(rng, 0.4, 1.0), _mostly_short(ranges.bottom_s, rng)
    if bounces:
        bottom = 0.0
    stand = _mostly_short(ranges.stand_s, rng)
    slowing = uniform(rng, *ranges.fatigue)
    tempo_spread, depth_spread = (log_uniform(rng, *x) for x in (ranges.tempo_variation, ranges.depth_variation))
    cycles = []
    for number in range(repetitions):
        tired = 1.0 + slowing * number / max(repetitions - 1, 1)
        moving, pause = _varied_tempo(tempo_spread, share, max(movement - bottom, 0.75 * movement), tired, rng)
        cycles.append(
            Cycle(
                depth=_varied_depth(depth_spread, rng) if number else 1.0,
                before_s=0.5 * stand * pause * tired,
                descent_s=share * moving,
                bottom_s=bottom * pause,
                ascent_s=(1.0 - share) * moving,
                after_s=0.5 * stand * pause * tired,
                bounce=bounce if bounces else 0.0,
            )
        )
    return tuple(cycles)


def _varied_tempo(
    spread: float, share: float, movement: float, tired: float, rng: np.random.Generator
) -> tuple[float, float]:
    """One repetition's time of movement [s], and its factor on pauses."""
    while True:
        tempo, pause = np.exp(rng.normal(0.0, spread, 2))
        if min(share, 1.0 - share) * movement * tempo * tired >= FASTEST_S:
            return float(movement * tempo * tired), float(pause)


def _varied_depth(spread: float, rng: np.random.Generator) -> float:
    """Share of the set's depth that a repetition reaches; the first is the deepest."""
    while True:
        depth = float(np.exp(-abs(rng.normal(0.0, spread))))
        if depth >= SHALLOWEST:
            return depth


def _mostly_short(bounds: tuple[float, float], rng: np.random.Generator) -> float:
    return float(bounds[0] + (bounds[1] - bounds[0]) * rng.random() ** 2)


def _five(values: np.ndarray) -> Angles:
    a, b, c, d, e = (float(v) for v in values)
    return a, b, c, d, e
