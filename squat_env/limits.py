"""What a body cannot do: motions that are refused, each with a reason to count by and what to change."""

import math

import numpy as np

from squat_env.compiled import compiled
from squat_env.exercises import Exercise
from squat_env.geometry import Geometry, InfeasibleMotion, Path, TooFast
from squat_env.model import joint_names
from squat_env.motion import Motion
from squat_env.placement import SIDES
from squat_env.posture import Pose
from squat_env.support import SEAT_BACK_M
from squat_env.timeline import PEAK_ACCELERATION, peak_acceleration

MAX_DORSIFLEXION_DEG = 50.0  # under load, as in the weight-bearing lunge test
MAX_ASIDE_DEG = 38.0  # of the line from ankle to hip, at the bottom
MAX_INVERSION_DEG = 45.0  # of ankle and subtalar joint together, either way
MAX_HIP_DEG = 140.0  # between thigh and pelvis, in any direction
LEAST_GROUND = 0.2  # of the weight, that the ground carries all the time
ALONE_SHIFT = 0.95  # share of the shift of weight from which one foot stands alone
FOOT_HALF_WIDTH = 0.13  # of its length, where it can carry
TIPTOE = 0.92  # of the foot's length, where it can carry
BALL = 0.62  # of the foot's length, from where a foot on its ball carries
BUTTOCKS_M = 0.06  # how far they reach towards the legs
LEAST_LOAD = 0.02  # share of the weight below which a foot that is to stand does not stay where it is
FEET_APART_M = 0.005  # between the soles of feet side by side
SAME_PLACE_M = 1e-9  # what corners of a sole differ by rounding


def refuse_haste(motion: Motion, exercise: Exercise, drop: float) -> None:
    """Refuses a set in which the pelvis comes down too fast for the feet to stay on the ground."""
    share = dict(exercise.stages).get("depth", 1.0)
    peaks = [peak_acceleration(c) * drop * c.depth / (share * min(c.descent_s, c.ascent_s)) ** 2 for c in motion.cycles]
    peak, cycle = max(peaks), motion.cycles[int(np.argmax(peaks))]
    if peak > PEAK_ACCELERATION:
        slowdown, fastest = float(np.sqrt(peak / PEAK_ACCELERATION)), share * min(cycle.descent_s, cycle.ascent_s)
        raise TooFast(
            slowdown,
            f"moving {drop * cycle.depth:.2f} m in {fastest:.2f} s takes {peak:.1f} m/s^2, expected at most"
            f" {PEAK_ACCELERATION:.1f}; take {slowdown * fastest / share:.2f} s or squat less deep",
        )


def refuse_leap(ground: np.ndarray) -> None:
    """Refuses a movement in which the ground carries a share (K,) of the weight that is next to nothing."""
    if ground.min() < LEAST_GROUND:
        raise InfeasibleMotion(
            "tempo",
            f"the ground would carry {100 * ground.min():.0f} % of the weight, expected at least"
            f" {100 * LEAST_GROUND:.0f} %; move slower or less far",
        )


def refuse_wide_stance(geometry: Geometry, motion: Motion, exercise: Exercise) -> None:
    """The deeper the squat, the shorter the line from ankle to hip, and the further it leans inwards."""
    if exercise.height != "knees":
        return
    bend = np.deg2rad(motion.knee_flexion_deg)
    length = np.sqrt(geometry.thigh**2 + geometry.shank**2 + 2 * geometry.thigh * geometry.shank * np.cos(bend))
    aside = abs(geometry.ankles[0, 1] - geometry.hips[0, 1])
    if aside > length * np.sin(np.deg2rad(MAX_ASIDE_DEG)):
        raise InfeasibleMotion(
            "stance",
            f"the ankles are {aside:.2f} m outside the hips and {length:.2f} m from them, expected the hips at most"
            f" {MAX_ASIDE_DEG:.0f} degrees aside; stand narrower or go less deep",
        )


def refuse_stiff_ankle(posed: Pose) -> None:
    """Refuses poses in which an ankle would bend further than ankles do."""
    joints = np.rad2deg(posed.joints)
    for movement, most, advice in (
        ("flexion", MAX_DORSIFLEXION_DEG, "lean further forward or go less deep"),
        ("inversion", MAX_INVERSION_DEG, "stand narrower or go less deep"),
    ):
        columns = [joint_names().index(f"{side}_ankle_{movement}") for side in SIDES]
        bend = joints[:, columns].max() if movement == "flexion" else np.abs(joints[:, columns]).max()
        if bend > most:
            raise InfeasibleMotion(
                "ankle",
                f"the {movement} of an ankle would be {bend:.0f} degrees, expected at most {most:.0f}; {advice}",
            )


def refuse_stiff_hip(posed: Pose) -> None:
    """Refuses poses in which a hip would bend further than hips do, in whatever direction."""
    flexion, abduction = (
        posed.joints[:, [joint_names().index(f"{side}_hip_{name}") for side in SIDES]]
        for name in ("flexion", "abduction")
    )
    bend = float(np.rad2deg(np.arccos(np.clip(np.cos(flexion) * np.cos(abduction), -1.0, 1.0))).max())
    if bend > MAX_HIP_DEG:
        raise InfeasibleMotion(
            "hip",
            f"a thigh would be {bend:.0f} degrees from where it hangs, expected at most {MAX_HIP_DEG:.0f}; lean forward"
            " less or go less deep",
        )


def refuse_imbalance(
    exercise: Exercise, geometry: Geometry, motion: Motion, path: Path, root: np.ndarray, pressure: np.ndarray
) -> None:
    """Refuses a movement whose weight would have to be carried where nothing carries."""
    if exercise.height == "floor":
        beyond = pressure[:, 0] - root[:, 0] - BUTTOCKS_M
    elif exercise.height == "seat":
        feet = _beyond(_soles(geometry, motion, (0, 1)), pressure)
        behind = root[:, 0] - SEAT_BACK_M * path.settle - pressure[:, 0]
        seat = np.maximum(behind, feet * (pressure[:, 0] > geometry.ankles[:, 0].max()))
        beyond = np.where(path.settle > 0, seat, feet)
    else:
        beyond = _beyond(_soles(geometry, motion, (0, 1)), pressure)
        if exercise.lifts:
            alone = _beyond(_soles(geometry, motion, (1 - geometry.lead,)), pressure)
            beyond = np.where(path.shift > ALONE_SHIFT, alone, beyond)
    if beyond.max() > 0:
        raise InfeasibleMotion(
            "balance",
            f"the weight would be {1e3 * beyond.max():.0f} mm beside what carries it, expected above it;"
            " move slower or less far",
        )


def refuse_light_foot(carried: np.ndarray) -> None:
    """Refuses a movement in which a standing foot carries a share (K, S) of the weight too small to stay in place."""
    if carried.min() < LEAST_LOAD:
        raise InfeasibleMotion(
            "balance",
            f"a standing foot would carry {100 * carried.min():.1f} % of the weight, expected at least"
            f" {100 * LEAST_LOAD:.0f} %; move slower or less far",
        )


def refuse_crossed_feet(geometry: Geometry) -> None:
    """Refuses feet that would stand in each other."""
    gap = geometry.feet_gap
    if gap < FEET_APART_M:
        raise InfeasibleMotion(
            "feet",
            f"the feet would be {1e3 * gap:.0f} mm apart, expected at least {1e3 * FEET_APART_M:.0f} mm; stand wider"
            " or turn the toes out less",
        )


def _soles(geometry: Geometry, motion: Motion, feet: tuple[int, ...]) -> np.ndarray:
    """Corners (4 F, 2) of the parts of the soles that can carry [m]."""
    corners = []
    for foot in feet:
        back = BALL if foot != geometry.lead and motion.rear_heel_deg[1] else 1.0 - TIPTOE
        x = geometry.foot.along(np.array([back, back, TIPTOE, TIPTOE]))
        y = FOOT_HALF_WIDTH * geometry.foot.length * np.array([-1.0, 1.0, -1.0, 1.0])
        corners.append(geometry.ankles[foot, :2] + np.column_stack([x, y]) @ geometry.feet[foot, :2, :2].T)
    return np.concatenate(corners)


@compiled
def _beyond(corners: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Distance (K,) of points (K, 2) outside the convex hull of the corners (C, 2); negative inside [m]."""
    outside = np.full(len(points), -np.inf)
    for i in range(len(corners)):
        for j in range(len(corners)):
            x, y = corners[j, 1] - corners[i, 1], corners[i, 0] - corners[j, 0]
            length = math.hypot(x, y)
            if length < SAME_PLACE_M:
                continue
            x, y = x / length, y / length
            edge = True  # of the hull, if no corner is beyond it
            for k in range(len(corners)):
                edge = edge and x * (corners[k, 0] - corners[i, 0]) + y * (corners[k, 1] - corners[i, 1]) < SAME_PLACE_M
            if edge:
                for k in range(len(points)):
                    away = x * (points[k, 0] - corners[i, 0]) + y * (points[k, 1] - corners[i, 1])
                    outside[k] = max(outside[k], away)
    return outside
