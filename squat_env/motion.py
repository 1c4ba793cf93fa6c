"""How a person squats: posture, tempo, and the small movements that nobody can suppress."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True)
class ArmPosture:
    """Angles of both arms (mirrored), standing and at the bottom [deg].

    Each row: shoulder flexion, abduction out of the sagittal plane, external rotation; elbow flexion; pronation.
    """

    standing: tuple[float, float, float, float, float]
    bottom: tuple[float, float, float, float, float]


def _held(*angles: float) -> ArmPosture:
    shoulder, abduction, external, elbow, pronation = angles
    held = (shoulder, abduction, external, elbow, pronation)
    return ArmPosture(standing=held, bottom=held)


# Typical angles (assumed); every draw adds `MotionRanges.arm_sd_deg` to each of them.
ARM_POSTURES: dict[str, ArmPosture] = {
    "sides": _held(5, 8, 0, 12, 0),
    "forward": _held(85, 5, 0, 8, 30),
    "overhead": _held(168, 14, 0, 18, 0),
    "raised": _held(168, 52, -75, 30, 0),
    "goal_post": _held(60, 68, 30, 85, 0),
    "crossed": _held(45, 5, -65, 110, 20),
    "hips": _held(-8, 42, -45, 85, 30),
    "head": _held(120, 45, 20, 130, 0),
    "goblet": _held(38, 2, -22, 125, 0),
    "swinging": ArmPosture(standing=(0, 8, 0, 12, 0), bottom=(80, 5, 0, 12, 20)),
}


FASTEST_S = 0.3  # descent or ascent; nobody is faster


@dataclass(frozen=True, kw_only=True)
class Cycle:
    """One repetition, standing to standing.

    Attributes:
        depth: Share of the set's knee flexion that this repetition reaches.
        before_s: Standing before the descent.
        descent_s, bottom_s, ascent_s: Going down, staying there, coming up.
        after_s: Standing after the ascent.
    """

    depth: float = 1.0
    before_s: float = 0.5
    descent_s: float = 1.4
    bottom_s: float = 0.2
    ascent_s: float = 1.2
    after_s: float = 0.5

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

    @property
    def duration_s(self) -> float:
        """From the start of `before_s` to the end of `after_s`."""
        return self.before_s + self.descent_s + self.bottom_s + self.ascent_s + self.after_s


@dataclass(frozen=True, kw_only=True)
class Motion:
    """A set of squats by one person.

    Attributes:
        knee_flexion_deg: Knee flexion at the bottom of a cycle of depth 1.
        standing_knee_deg: Knee flexion while standing.
        lean_deg: Forward lean of the trunk at the bottom, against the vertical.
        lumbar_share: Share of the lean that the lumbar joint makes; the hips make the rest.
        stance: Distance of the ankles over the shoulder width.
        toe_out_deg: Rotation of each foot outwards.
        balance: Where over the foot the centre of mass stays: 0 heel, 1 toes.
        arms: Key of `ARM_POSTURES`.
        arm_offset_deg: Added to the five angles of the posture, both sides.
        arm_asymmetry_deg: Added to the left and taken from the right arm's angles.
        arm_follow: 1 the arms keep their angle to the trunk, 0 to the world's vertical.
        sway_deg: Amplitude (rms) of the involuntary movement of arms (1.0 of it), trunk (0.2) and balance.
        sway_seed: Its course over time.
        cycles: The repetitions.
    """

    knee_flexion_deg: float = 105.0
    standing_knee_deg: float = 6.0
    lean_deg: float = 38.0
    lumbar_share: float = 0.2
    stance: float = 1.3
    toe_out_deg: float = 15.0
    balance: float = 0.48
    arms: str = "forward"
    arm_offset_deg: tuple[float, float, float, float, float] = (0.0, 0.0, 0.0, 0.0, 0.0)
    arm_asymmetry_deg: tuple[float, float, float, float, float] = (0.0, 0.0, 0.0, 0.0, 0.0)
    arm_follow: float = 0.5
    sway_deg: float = 0.0
    sway_seed: int = 0
    cycles: tuple[Cycle, ...] = (Cycle(),)

    def __post_init__(self):
        if self.arms not in ARM_POSTURES:
            raise ValueError(f"arms is {self.arms!r}, expected one of {sorted(ARM_POSTURES)}")
        if not self.cycles:
            raise ValueError("cycles is empty, expected at least one repetition")
        for name, low, high in (
            ("knee_flexion_deg", 20.0, 150.0),
            ("standing_knee_deg", 1.0, 30.0),
            ("lean_deg", 0.0, 80.0),
            ("lumbar_share", 0.0, 1.0),
            ("stance", 0.3, 2.5),
            ("toe_out_deg", -20.0, 60.0),
            ("balance", 0.2, 0.8),
            ("arm_follow", 0.0, 1.0),
            ("sway_deg", 0.0, 30.0),
        ):
            if not low <= getattr(self, name) <= high:
                raise ValueError(f"{name} is {getattr(self, name)}, expected a value from {low} to {high}")

    @property
    def duration_s(self) -> float:
        """Length of the set."""
        return sum(cycle.duration_s for cycle in self.cycles)


@dataclass(frozen=True, kw_only=True)
class MotionRanges:
    """The population of motions. Pairs are closed ranges, drawn uniformly unless said otherwise.

    Knee flexion spans quarter to deep squats. Stance and toe-out span the figures of Lorenzetti
    et al. (2018), Frontiers in Physiology 9:1. Tempo: a repetition takes 1.5-6 s, the descent 0.5-0.65 of it (assumed).

    Attributes:
        arms: (posture, share) pairs.
        arm_sd_deg: Spread of every arm angle about its posture.
        movement_s: Descent + bottom + ascent, drawn log-uniformly.
        descent_share: The descent's share of descent + ascent.
        bottom_s, stand_s: Pauses; drawn as the square of a uniform variable, so that short ones are the rule.
        within_set: Spread (log) of tempo and depth from repetition to repetition.
        sway_deg: Range of `Motion.sway_deg`, log-uniform; (0, 0) for statues.
    """

    knee_flexion_deg: tuple[float, float] = (50.0, 135.0)
    standing_knee_deg: tuple[float, float] = (3.0, 12.0)
    lean_deg: tuple[float, float] = (18.0, 55.0)
    lumbar_share: tuple[float, float] = (0.0, 0.4)
    stance: tuple[float, float] = (0.7, 2.0)
    toe_out_deg: tuple[float, float] = (0.0, 35.0)
    balance: tuple[float, float] = (0.44, 0.52)
    arms: tuple[tuple[str, float], ...] = tuple((name, 1.0) for name in ARM_POSTURES)
    arm_sd_deg: float = 12.0
    arm_follow: tuple[float, float] = (0.0, 1.0)
    movement_s: tuple[float, float] = (1.1, 4.5)
    descent_share: tuple[float, float] = (0.42, 0.62)
    bottom_s: tuple[float, float] = (0.0, 1.2)
    stand_s: tuple[float, float] = (0.05, 1.8)
    within_set: float = 0.08
    sway_deg: tuple[float, float] = (1.0, 8.0)


def sample_motion(ranges: MotionRanges, rng: np.random.Generator, *, repetitions: int = 1) -> Motion:
    """Draws one set of `repetitions` squats by one person."""
    names, shares = zip(*ranges.arms, strict=True)
    arms = str(rng.choice(names, p=np.array(shares) / sum(shares)))
    offset = rng.normal(0.0, ranges.arm_sd_deg, 5)
    asymmetry = rng.normal(0.0, ranges.arm_sd_deg / 4, 5)
    low, high = ranges.sway_deg
    return Motion(
        knee_flexion_deg=rng.uniform(*ranges.knee_flexion_deg),
        standing_knee_deg=rng.uniform(*ranges.standing_knee_deg),
        lean_deg=rng.uniform(*ranges.lean_deg),
        lumbar_share=rng.uniform(*ranges.lumbar_share),
        stance=rng.uniform(*ranges.stance),
        toe_out_deg=rng.uniform(*ranges.toe_out_deg),
        balance=rng.uniform(*ranges.balance),
        arms=arms,
        arm_offset_deg=_five(offset),
        arm_asymmetry_deg=_five(asymmetry),
        arm_follow=rng.uniform(*ranges.arm_follow),
        sway_deg=_log_uniform(ranges.sway_deg, rng) if low > 0 else rng.uniform(low, high),
        sway_seed=int(rng.integers(2**31)),
        cycles=_sample_cycles(ranges, rng, repetitions),
    )


def _sample_cycles(ranges: MotionRanges, rng: np.random.Generator, repetitions: int) -> tuple[Cycle, ...]:
    """One person's tempo with the variation from repetition to repetition."""
    movement = _log_uniform(ranges.movement_s, rng)
    share = rng.uniform(*ranges.descent_share)
    bottom = _mostly_short(ranges.bottom_s, rng)
    stand = _mostly_short(ranges.stand_s, rng)
    cycles = []
    for number in range(repetitions):
        moving, pause, depth = _variation(ranges.within_set, share, max(movement - bottom, 0.75 * movement), rng)
        cycles.append(
            Cycle(
                depth=float(np.clip(1.0 - abs(depth - 1.0), 0.8, 1.0)) if number else 1.0,
                before_s=0.5 * stand * pause,
                descent_s=share * moving,
                bottom_s=bottom * pause,
                ascent_s=(1.0 - share) * moving,
                after_s=0.5 * stand * pause,
            )
        )
    return tuple(cycles)


def _variation(spread: float, share: float, movement: float, rng: np.random.Generator) -> tuple[float, float, float]:
    """One repetition's time of movement [s], and its factors on pauses and depth."""
    while True:
        tempo, pause, depth = np.exp(rng.normal(0.0, spread, 3))
        if min(share, 1.0 - share) * movement * tempo >= FASTEST_S:
            return float(movement * tempo), float(pause), float(depth)


def _mostly_short(bounds: tuple[float, float], rng: np.random.Generator) -> float:
    return float(bounds[0] + (bounds[1] - bounds[0]) * rng.random() ** 2)


def _log_uniform(bounds: tuple[float, float], rng: np.random.Generator) -> float:
    return float(np.exp(rng.uniform(*np.log(bounds))))


def _five(values: np.ndarray) -> tuple[float, float, float, float, float]:
    a, b, c, d, e = (float(v) for v in values)
    return a, b, c, d, e
