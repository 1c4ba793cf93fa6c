"""How a person walks: cadence and step from speed and leg, and the small movements that come with every step."""

from dataclasses import dataclass

import numpy as np

from squat_env.draws import log_uniform, uniform


@dataclass(frozen=True, kw_only=True)
class Gait:
    """One person's way of walking, at the person's own pace.

    Attributes:
        speed_mps: Walking straight on.
        walk_ratio_m: Step length over cadence [m per step/min], for a leg of 0.9 m.
        width_m: Distance of the ankles sideways.
        toe_out_deg: Rotation of each foot outwards.
        lean_deg: Forward lean of the trunk.
        bounce: Rise of the pelvis over a step, as share of that of stiff legs.
        shift: How far over the standing foot the pelvis goes: 0 stays in the middle, 1 stands over it.
        surge_m: Amplitude of the pelvis' going ahead and back within a step.
        list_deg: Drop of the pelvis on the side of the swinging leg.
        twist_deg: Rotation of the pelvis with the leading leg, amplitude.
        counter_deg: Rotation of the shoulders against it, amplitude.
        toe_off_deg, strike_deg: Pitch of the foot where it leaves the ground and, toes up, where it lands.
        clearance_m: Lift of the swinging foot beside that of its pitch.
        arm_swing_deg: Swing of the upper arm, amplitude, left and right.
        elbow_deg, elbow_swing_deg: Bend of the elbows, and how much more of it there is when the arm is in front.
        roll_deg: Rotation of upper arm and forearm about their length with the swing, amplitude.
        ripple_deg: How unevenly the arms swing: amplitude of their turning about their length at twice the frequency of
            the stride, falling with the square of the frequency from there.
        jolt_mps2: Peak acceleration of the pelvis after a heel has struck.
        jolt_deg: Peak turn of the struck leg's thigh by it.
        jolt_hz, jolt_s: Frequency of the oscillation that it leaves, and how long it takes to die down.
        variation: Spread (log) of length and time from step to step.
    """

    speed_mps: float = 1.1
    walk_ratio_m: float = 0.0065
    width_m: float = 0.12
    toe_out_deg: float = 7.0
    lean_deg: float = 4.0
    bounce: float = 0.5
    shift: float = 0.35
    surge_m: float = 0.012
    list_deg: float = 4.0
    twist_deg: float = 5.0
    counter_deg: float = 8.0
    toe_off_deg: float = 60.0
    strike_deg: float = 18.0
    clearance_m: float = 0.03
    arm_swing_deg: tuple[float, float] = (15.0, 15.0)
    elbow_deg: float = 18.0
    elbow_swing_deg: float = 10.0
    roll_deg: float = 8.0
    ripple_deg: float = 2.0
    jolt_mps2: float = 1.2
    jolt_deg: float = 0.5
    jolt_hz: float = 9.0
    jolt_s: float = 0.05
    variation: float = 0.03

    def __post_init__(self):
        for name, (low, high) in LIMITS.items():
            values = getattr(self, name)
            if not all(low <= value <= high for value in (values if isinstance(values, tuple) else (values,))):
                raise ValueError(f"{name} is {values}, expected values from {low:g} to {high:g}")

    def cadence_hz(self, leg_m: float) -> float:
        """Steps a second of a person with this length of leg.

        The ratio of step length to cadence hardly depends on speed (Sekiya & Nagasaki 1998, Gait & Posture 7:225).
        """
        return float(np.sqrt(self.speed_mps / (60.0 * self.walk_ratio_m * leg_m / 0.9)))

    def step_m(self, leg_m: float) -> float:
        """Length of a step."""
        return self.speed_mps / self.cadence_hz(leg_m)


LIMITS = {
    "speed_mps": (0.2, 2.0),
    "walk_ratio_m": (0.003, 0.01),
    "width_m": (0.04, 0.3),
    "toe_out_deg": (-10.0, 40.0),
    "lean_deg": (-10.0, 30.0),
    "bounce": (0.0, 1.0),
    "shift": (0.0, 1.0),
    "surge_m": (0.0, 0.05),
    "list_deg": (0.0, 12.0),
    "twist_deg": (0.0, 20.0),
    "counter_deg": (0.0, 30.0),
    "toe_off_deg": (0.0, 75.0),
    "strike_deg": (0.0, 35.0),
    "clearance_m": (0.0, 0.3),
    "arm_swing_deg": (0.0, 60.0),
    "elbow_deg": (2.0, 110.0),
    "elbow_swing_deg": (0.0, 40.0),
    "roll_deg": (0.0, 40.0),
    "ripple_deg": (0.0, 15.0),
    "jolt_mps2": (0.0, 30.0),
    "jolt_deg": (0.0, 5.0),
    "jolt_hz": (4.0, 40.0),
    "jolt_s": (0.005, 0.3),
    "variation": (0.0, 0.2),
}
"""What `Gait` takes; NaN is refused too."""


@dataclass(frozen=True, kw_only=True)
class GaitRanges:
    """The population of gaits. Pairs are closed ranges, drawn uniformly unless said otherwise.

    Speed: from slow indoor steps to brisk walking. Movements of the pelvis: Perry & Burnfield (2010), Gait Analysis,
    chapters 4-8, with their spread assumed; the rest is assumed and compared with people by `squat validate`.

    Attributes:
        speed_mps, walk_ratio_m, width_m, toe_out_deg, lean_deg, bounce, shift, surge_m, list_deg, twist_deg,
        counter_deg, toe_off_deg, strike_deg, clearance_m, elbow_deg, elbow_swing_deg, roll_deg, variation: Ranges of
            the values of the same name in `Gait`.
        arm_swing_deg: Range, log-uniform; both arms are within `arm_asymmetry` (log) of it.
        arm_asymmetry: Spread.
        ripple_deg, jolt_mps2, jolt_deg, jolt_hz, jolt_s: Ranges, log-uniform.
    """

    speed_mps: tuple[float, float] = (0.4, 1.5)
    walk_ratio_m: tuple[float, float] = (0.0046, 0.0068)
    width_m: tuple[float, float] = (0.07, 0.17)
    toe_out_deg: tuple[float, float] = (0.0, 15.0)
    lean_deg: tuple[float, float] = (0.0, 8.0)
    bounce: tuple[float, float] = (0.35, 0.75)
    shift: tuple[float, float] = (0.2, 0.5)
    surge_m: tuple[float, float] = (0.005, 0.02)
    list_deg: tuple[float, float] = (2.0, 6.0)
    twist_deg: tuple[float, float] = (2.0, 9.0)
    counter_deg: tuple[float, float] = (4.0, 14.0)
    toe_off_deg: tuple[float, float] = (48.0, 66.0)
    strike_deg: tuple[float, float] = (8.0, 26.0)
    clearance_m: tuple[float, float] = (0.015, 0.05)
    arm_swing_deg: tuple[float, float] = (8.0, 42.0)
    arm_asymmetry: float = 0.2
    elbow_deg: tuple[float, float] = (8.0, 40.0)
    elbow_swing_deg: tuple[float, float] = (2.0, 18.0)
    roll_deg: tuple[float, float] = (2.0, 16.0)
    ripple_deg: tuple[float, float] = (1.3, 5.0)
    jolt_mps2: tuple[float, float] = (0.4, 2.5)
    jolt_deg: tuple[float, float] = (0.5, 2.2)
    jolt_hz: tuple[float, float] = (5.0, 11.0)
    jolt_s: tuple[float, float] = (0.025, 0.07)
    variation: tuple[float, float] = (0.015, 0.06)


_UNIFORM = (
    *("speed_mps", "walk_ratio_m", "width_m", "toe_out_deg", "lean_deg", "bounce", "shift", "surge_m", "list_deg"),
    *("twist_deg", "counter_deg", "toe_off_deg", "strike_deg", "clearance_m", "elbow_deg", "elbow_swing_deg"),
    *("roll_deg", "variation"),
)
_LOG_UNIFORM = ("arm_swing_deg", "ripple_deg", "jolt_mps2", "jolt_deg", "jolt_hz", "jolt_s")


def sample_gait(ranges: GaitRanges, rng: np.random.Generator) -> Gait:
    """Draws one person's way of walking."""
    drawn = {name: uniform(rng, *getattr(ranges, name)) for name in _UNIFORM}
    drawn |= {name: log_uniform(rng, *getattr(ranges, name)) for name in _LOG_UNIFORM}
    left, right = np.minimum(drawn.pop("arm_swing_deg") * np.exp(rng.normal(0.0, ranges.arm_asymmetry, 2)), 60.0)
    return Gait(arm_swing_deg=(float(left), float(right)), **drawn)
