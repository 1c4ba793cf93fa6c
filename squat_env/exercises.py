"""The exercises, as data: what moves, what carries, and how people vary it."""

from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from squat_env.body import Body, ankle_height, segments
from squat_env.draws import uniform
from squat_env.equipment import Equipment, Load
from squat_env.motion import MotionRanges

Height = Literal["knees", "lead_knee", "seat", "floor"]
Stage = Literal["depth", "shift", "settle"]

_SQUAT = MotionRanges(
    knee_flexion_deg=(40.0, 145.0),
    standing_knee_deg=(1.5, 22.0),
    lean_deg=(3.0, 52.0),
    deep_lean_deg=(20.0, 64.0),
    standing_lean_deg=(-9.0, 9.0),
    lumbar_share=(0.0, 0.45),
    stance=(0.6, 2.1),
    split=(0.0, 0.06),
    toe_out_deg=(-4.0, 42.0),
    balance=(0.33, 0.54),
    balance_change=(-0.06, 0.06),
    load_share=(0.45, 0.55),
    knee_valgus_m=(-0.08, 0.015),
    pelvis_roll_sd_deg=1.5,
    arm_drift_sd_deg=14.0,
    bounce_share=0.5,
    bottom_s=(0.0, 1.0),
    stand_s=(0.05, 1.5),
    tempo_variation=(0.02, 0.2),
    depth_variation=(0.01, 0.3),
    fatigue=(-0.25, 0.3),
    sway_deg=(1.5, 12.0),
)
_REST_ARMS = tuple((name, 1.0) for name in ("sides", "hips", "crossed", "forward", "head", "goblet"))
_STILL_LEGS = MotionRanges(
    knee_flexion_deg=(4.0, 12.0),
    lean_deg=(0.0, 6.0),
    stance=(0.5, 1.3),
    toe_out_deg=(0.0, 25.0),
    arm_follow=(0.6, 1.0),
    movement_s=(1.4, 5.0),
    sway_deg=(0.5, 3.0),
)
_ONE_LEG = MotionRanges(
    knee_flexion_deg=(4.0, 10.0),
    standing_knee_deg=(3.0, 10.0),
    stance=(0.3, 0.55),
    toe_out_deg=(0.0, 20.0),
    balance=(0.42, 0.5),
    load_share=(0.0, 0.0),
    movement_s=(4.0, 8.0),
    stand_s=(0.4, 1.8),
    sway_deg=(0.5, 4.0),
)


@dataclass(frozen=True, kw_only=True)
class Exercise:
    """One exercise.

    Attributes:
        meaning: One line for people.
        ranges: How people vary it.
        prime: The joint whose angle says how far a repetition went.
        prime_sides: Both sides, or the leading one.
        phase_of: What the binary phase is read from, the height of the pelvis or the prime joint.
        stages: What happens one after the other on the way to the turning point, and each one's share of the time:
            "shift" the weight to the other leg, "depth" the movement itself, "settle" on the seat.
        height: What sets the height of the pelvis.
        lifts: The leading leg leaves the ground.
        straight_trail: The other leg stays straight, which says how far the weight goes to the leading one.
        feedback: Stiffness [1/s^2] and damping [1/s] of a virtual force on the centre of mass that the feet exert, for
            exercises that a fixed plan cannot balance.
        load: What the hands hold.
        load_of_mass: Its mass over the body's.
        seat_of_knee: Height of the seat over the height of the knee.
        faults: Keys of `squat_env.faults.FAULTS` that matter here.
    """

    meaning: str
    ranges: MotionRanges = field(default_factory=MotionRanges)
    prime: str = "knee_flexion"
    prime_sides: Literal["both", "lead"] = "both"
    phase_of: Literal["pelvis", "prime"] = "pelvis"
    stages: tuple[tuple[Stage, float], ...] = (("depth", 1.0),)
    height: Height = "knees"
    lifts: bool = False
    straight_trail: bool = False
    feedback: tuple[float, float] | None = None
    load: Load = "none"
    load_of_mass: tuple[float, float] = (0.0, 0.0)
    seat_of_knee: tuple[float, float] | None = None
    faults: tuple[str, ...] = ()


EXERCISES: dict[str, Exercise] = {
    "squat": Exercise(
        meaning="bend hips and knees with the feet side by side, and stand up",
        ranges=_SQUAT,
        faults=(
            *("shallow", "too_deep", "knee_valgus", "excessive_lean", "heel_rise", "asymmetry"),
            *("butt_wink", "too_fast"),
        ),
    ),
    "sit_to_stand": Exercise(
        meaning="sit down on a chair that carries the pelvis, and stand up",
        ranges=MotionRanges(
            standing_knee_deg=(3.0, 26.0),
            lean_deg=(24.0, 54.0),
            seated_lean_deg=(-14.0, 22.0),
            lumbar_share=(0.0, 0.4),
            stance=(0.5, 1.3),
            toe_out_deg=(0.0, 25.0),
            balance=(0.40, 0.50),
            balance_change=(-0.32, -0.18),
            arms=(
                *(("lap", 3.5), ("clasped", 1.0), ("armrests", 1.0), ("swinging", 1.0), ("sides", 1.0)),
                *(("crossed", 1.5), ("hips", 0.5), ("forward", 1.5), ("goal_post", 2.5)),
            ),
            arm_drift_sd_deg=10.0,
            arm_wait=(0.0, 1.0),
            movement_s=(2.0, 5.5),
            bottom_s=(0.1, 2.0),
            depth_variation=(0.0, 0.0),
        ),
        stages=(("depth", 0.66), ("settle", 0.34)),
        height="seat",
        feedback=(60.0, 12.0),
        seat_of_knee=(0.64, 1.05),
        faults=("excessive_lean", "asymmetry", "knee_valgus"),
    ),
    "lunge": Exercise(
        meaning="lower the rear knee with one foot in front of the other, and stand up",
        ranges=MotionRanges(
            knee_flexion_deg=(55.0, 100.0),
            standing_knee_deg=(6.0, 14.0),
            lean_deg=(0.0, 25.0),
            stance=(0.35, 0.9),
            split=(0.65, 0.95),
            toe_out_deg=(0.0, 10.0),
            balance=(0.46, 0.54),
            load_share=(0.55, 0.65),
            rear_heel_deg=((15.0, 25.0), (38.0, 52.0)),
            arms=_REST_ARMS,
            movement_s=(1.6, 4.5),
            stand_s=(0.3, 1.8),
        ),
        prime_sides="lead",
        height="lead_knee",
        feedback=(30.0, 10.0),
        faults=("shallow", "excessive_lean", "knee_valgus"),
    ),
    "side_lunge": Exercise(
        meaning="bend one leg to the side with the other one straight, and come back to the middle",
        ranges=MotionRanges(
            knee_flexion_deg=(45.0, 80.0),
            standing_knee_deg=(5.0, 12.0),
            lean_deg=(20.0, 45.0),
            stance=(1.6, 2.3),
            toe_out_deg=(5.0, 25.0),
            balance=(0.44, 0.52),
            arms=_REST_ARMS,
            movement_s=(1.8, 4.5),
            stand_s=(0.3, 1.8),
        ),
        prime_sides="lead",
        height="lead_knee",
        straight_trail=True,
        feedback=(120.0, 20.0),
        faults=("shallow", "excessive_lean", "knee_valgus"),
    ),
    "deadlift": Exercise(
        meaning="lift a bar from below the knees by stretching hips and knees",
        ranges=MotionRanges(
            knee_flexion_deg=(25.0, 65.0),
            lean_deg=(50.0, 72.0),
            lumbar_share=(0.0, 0.2),
            stance=(0.6, 1.2),
            toe_out_deg=(0.0, 25.0),
            arms=(("bar_hang", 1.0),),
            arm_sd_deg=3.0,
            arm_follow=(0.0, 0.1),
            movement_s=(1.8, 5.0),
            sway_deg=(0.5, 3.0),
        ),
        load="bar",
        load_of_mass=(0.15, 0.7),
        faults=("rounded_back", "excessive_lean", "too_fast"),
    ),
    "barbell_curl": Exercise(
        meaning="lift a bar from the thighs to the shoulders by bending the elbows",
        ranges=replace(_STILL_LEGS, arms=(("curl", 1.0),), arm_sd_deg=5.0),
        prime="elbow_flexion",
        phase_of="prime",
        load="bar",
        load_of_mass=(0.08, 0.3),
        faults=("partial_range", "trunk_swing", "uneven_arms"),
    ),
    "overhead_press": Exercise(
        meaning="press dumbbells from the shoulders to over the head",
        ranges=replace(_STILL_LEGS, arms=(("press", 1.0),), arm_sd_deg=6.0),
        prime="elbow_flexion",
        phase_of="prime",
        load="dumbbells",
        feedback=(60.0, 14.0),
        load_of_mass=(0.04, 0.3),
        faults=("partial_range", "trunk_swing", "uneven_arms"),
    ),
    "side_raise": Exercise(
        meaning="raise dumbbells sideways to the height of the shoulders",
        ranges=replace(_STILL_LEGS, arms=(("side_raise", 1.0),), arm_sd_deg=5.0),
        prime="shoulder_abduction",
        phase_of="prime",
        load="dumbbells",
        load_of_mass=(0.02, 0.12),
        faults=("partial_range", "trunk_swing", "uneven_arms"),
    ),
    "knee_up": Exercise(
        meaning="stand on one leg and raise the other knee",
        ranges=replace(
            _ONE_LEG, lean_deg=(-6.0, 8.0), lift_deg=((60.0, 105.0), (-5.0, 8.0), (70.0, 115.0)), arms=_REST_ARMS
        ),
        prime="hip_flexion",
        phase_of="prime",
        prime_sides="lead",
        stages=(("shift", 0.6), ("depth", 0.4)),
        lifts=True,
        feedback=(60.0, 14.0),
        faults=("partial_range", "excessive_lean"),
    ),
    "side_crunch": Exercise(
        meaning="stand on one leg and bring the other knee and the elbow of that side together",
        ranges=replace(
            _ONE_LEG,
            lean_deg=(0.0, 10.0),
            side_bend_deg=(10.0, 26.0),
            lift_deg=((40.0, 75.0), (25.0, 45.0), (70.0, 105.0)),
            arms=(("head", 1.0),),
        ),
        prime="hip_flexion",
        phase_of="prime",
        prime_sides="lead",
        stages=(("shift", 0.6), ("depth", 0.4)),
        lifts=True,
        feedback=(60.0, 14.0),
        faults=("partial_range", "excessive_lean"),
    ),
    "leg_raise": Exercise(
        meaning="lie on the back and raise both legs",
        ranges=MotionRanges(
            knee_flexion_deg=(4.0, 15.0),
            standing_knee_deg=(3.0, 8.0),
            lean_deg=(0.0, 0.0),
            stance=(0.4, 0.7),
            toe_out_deg=(0.0, 10.0),
            lift_deg=((60.0, 90.0), (0.0, 4.0), (0.0, 0.0)),
            arms=(("sides", 1.0),),
            arm_sd_deg=5.0,
            arm_follow=(1.0, 1.0),
            movement_s=(2.0, 5.0),
            sway_deg=(0.3, 1.5),
        ),
        prime="hip_flexion",
        phase_of="prime",
        height="floor",
        lifts=True,
        faults=("partial_range", "bent_knees"),
    ),
}


def exercise_named(name: str) -> Exercise:
    """The exercise of this name.

    Raises:
        ValueError: There is none.
    """
    if name not in EXERCISES:
        raise ValueError(f"exercise is {name!r}, expected one of {', '.join(EXERCISES)}")
    return EXERCISES[name]


def sample_equipment(exercise: Exercise, body: Body, rng: np.random.Generator) -> Equipment:
    """Draws what a person of this body uses for the exercise."""
    share = uniform(rng, *exercise.load_of_mass)
    seat = 0.0
    if exercise.seat_of_knee is not None:
        seat = uniform(rng, *exercise.seat_of_knee) * (segments(body)["shank"].length + ankle_height(body))
    return Equipment(
        load=exercise.load,
        load_kg=share * body.mass_kg,
        seat_height_m=seat,
        mat=exercise.height == "floor",
    )
