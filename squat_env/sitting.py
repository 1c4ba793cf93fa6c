"""What a person does on a seat before rising and after sitting down: arms, trunk and legs move, the pelvis stays.

It is kinematic. It leads from one seated pose to the same one at rest.
"""

import numpy as np

from squat_env.coordinates import ROOT, Course
from squat_env.gestures import arms_at
from squat_env.interlude import Interlude, Poise, joining, moved_body
from squat_env.model import joint_names
from squat_env.motion import Motion
from squat_env.placement import SIDES
from squat_env.posture import sample_sway
from squat_env.timeline import minimum_jerk

KNOT_HZ = 50.0
EASE_S = 0.4  # in which sway begins and ends
LEGS_SWAY = 1.0  # of the arms' (assumed): rms angle of the thighs, whose feet stay on the ground
_ARMS = slice(ROOT + 3, ROOT + 13)
_THIGHS = [
    [ROOT + joint_names().index(f"{side}_{name}") for name in ("hip_flexion", "hip_abduction", "knee_flexion")]
    for side in SIDES
]


def sit_still(
    interlude: Interlude, poise: Poise, *, timestep: float, free: tuple[bool, bool] = (False, False)
) -> Course:
    """What is done on the seat, in the body's own frame.

    Args:
        interlude: What is done; it has neither steps nor dips.
        poise: The seated pose that it leads from and to.
        timestep: Of the result [s].
        free: Whether the start, the end is that of the recording: there the body sways, and arms may be elsewhere.
    """
    count = round(interlude.duration_s / timestep)
    duration = count * timestep
    knots = np.arange(int(np.ceil(duration * KNOT_HZ)) + 2) / KNOT_HZ
    steady = np.ones(len(knots))
    if not free[0]:
        steady = minimum_jerk(knots / EASE_S)
    if not free[1]:
        steady = steady * minimum_jerk((duration - knots) / EASE_S)
    value = np.tile(poise.value, (len(knots), 1))
    rest = poise.value[_ARMS].reshape(2, 5)
    arms, _ = arms_at(knots, interlude.arms, rest, rest)
    sway, legs = (
        sample_sway(Motion(sway_deg=interlude.sway_deg, sway_seed=seed), knots)
        for seed in (interlude.sway_seed, interlude.sway_seed + 1)
    )
    value[:, _ARMS] = (arms + sway.arms * steady[:, None, None]).reshape(len(knots), 10)
    value[:, ROOT : ROOT + 3] += moved_body(interlude.body, knots)[:, :3] + sway.trunk * steady[:, None]
    for side, columns in enumerate(_THIGHS):  # the shank turns back as far as the thigh is raised
        value[:, columns] += LEGS_SWAY * legs.arms[:, side, [0, 1, 0]] * steady[:, None]
    time = np.arange(count + 1) * timestep
    course = Course.splined(knots, value, time)
    course = sum((joining(course, poise, time, row) for row, no in ((0, free[0]), (-1, free[1])) if not no), course)
    return Course(value=course.value[:-1], rate=course.rate[:-1], curve=course.curve[:-1])
