"""What a person does before, between and after repetitions, as a course of movement: steps, arms, trunk and sway.

An interlude is kinematic. It leads from one pose of the body to another one, each with its velocity and acceleration,
and its feet stand on the ground as those of a walker do.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.ndimage import gaussian_filter1d, maximum_filter1d

from squat_env.coordinates import ROOT, Course
from squat_env.footwork import KNOT_HZ, Footing, Footwork, Step, tread
from squat_env.gait import Gait
from squat_env.geometry import Geometry
from squat_env.gestures import HANG, ArmMove, arms_at
from squat_env.model import joint_names
from squat_env.motion import Motion
from squat_env.posture import leg_angles, sample_sway
from squat_env.rotations import about
from squat_env.timeline import minimum_jerk

EASE_S = 0.7  # into and out of the poses at both ends
JOIN_S = 0.4  # in which what is left between the poses at an end is made up for
STRAIGHTEST_DEG = 2.5  # flexion of a knee that is as straight as it goes
WALKING_DEG = 9.0  # the same while walking
WALKING_KNEE_M = 0.012  # how much lower than standing a walker is carried at mid-stance
GIVEN_WAY_S = 0.1  # the pelvis gives way so long before and after a leg would be too short
AHEAD_M, AHEAD_OF_STEP = 0.02, 0.06  # of the middle of the ankles, where a walker's pelvis is: all, and of the step
SOFT_S = 0.025  # standard deviation of the kernel that rounds the legs' movement while walking
LOW_AFTER = 0.5  # rad of a stride: the pelvis is lowest this much after a landing
KNEES_AHEAD = 1.0  # where a walker's knees point: 0 along the feet, 1 along the body
RIPPLES = range(2, 7)  # harmonics of the stride in uneven arms
RIPPLED = (0.22, 0.22, 0.7, 0.4, 1.7)  # how much of it each of an arm's angles has
ARM_LAG, ELBOW_LAG = 0.25, 0.7  # rad of a stride behind the legs
TRUNK_LEAD_S, MOST_TRUNK_LEAD = 0.12, 0.35  # how far the trunk turns ahead of the pelvis; rad


@dataclass(frozen=True, kw_only=True)
class BodyMove:
    """The way of trunk and pelvis to somewhere, where they stay until the next move.

    Attributes:
        start_s, duration_s: Of the way.
        spine_deg: Flexion, bend to the left and turn to the left of the spine.
        aside_m: Shift of the pelvis to the left, over one foot.
    """

    start_s: float
    duration_s: float
    spine_deg: tuple[float, float, float] = (0.0, 0.0, 0.0)
    aside_m: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Dip:
    """A bend of hips and knees, down, held and up again.

    Attributes:
        start_s, down_s, hold_s, up_s: When; up_s 0 to stay down.
        drop_m: How far the pelvis sinks.
        back_m: How far it goes backwards.
        lean_deg: How far the pelvis tilts forwards on the way, and at the end.
    """

    start_s: float
    down_s: float
    hold_s: float
    up_s: float
    drop_m: float
    back_m: float
    lean_deg: tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Interlude:
    """What is done in one interlude.

    Attributes:
        duration_s: Of the whole.
        steps: Empty to stand; else two or more, the last one on the spot (see `footwork.tread`).
        first: The foot that begins: 0 left, 1 right.
        arms, body: Moves, in order; the last ones end where the interlude is to end.
        dips: Bends, not at the same time.
        sway_deg, sway_seed: As in `Motion`.
    """

    duration_s: float
    steps: tuple[Step, ...] = ()
    first: int = 0
    arms: tuple[ArmMove, ...] = ()
    body: tuple[BodyMove, ...] = ()
    dips: tuple[Dip, ...] = ()
    sway_deg: float = 2.0
    sway_seed: int = 0


@dataclass(frozen=True, kw_only=True)
class Poise:
    """How a body stands and moves at one instant, in its own frame: between its feet, heading along x.

    Attributes:
        value, rate, curve: (35,) coordinates and their derivatives.
        feet: Where the feet stand.
    """

    value: np.ndarray
    rate: np.ndarray
    curve: np.ndarray
    feet: Footing

    def at(self, place: np.ndarray) -> "Poise":
        """The same with the body at x, y [m] and heading [rad] `place` (3,)."""
        turn, (value, rate, curve) = about("z", place[2])[:2, :2], (self.value, self.rate, self.curve)
        value, rate, curve = value.copy(), rate.copy(), curve.copy()
        value[:2] = turn @ value[:2] + place[:2]
        value[5] += place[2]
        rate[:2], curve[:2] = turn @ rate[:2], turn @ curve[:2]
        return Poise(value=value, rate=rate, curve=curve, feet=self.feet.moved(place[:2], place[2]))

    @property
    def still(self) -> "Poise":
        """The same at rest."""
        return replace(self, rate=0.0 * self.rate, curve=0.0 * self.curve)


@dataclass(frozen=True, kw_only=True)
class Passage:
    """An interlude carried out.

    Attributes:
        course: Of N physics steps; row 0 is the first pose, the row after the last one would be the second.
        end: (3,) x, y [m] and heading [rad] of the body at the end, seen from its start.
        footwork: What the feet did.
    """

    course: Course
    end: np.ndarray
    footwork: Footwork


def perform(
    interlude: Interlude,
    geometry: Geometry,
    gait: Gait,
    start: Poise,
    end: Poise,
    *,
    timestep: float,
    free: tuple[bool, bool] = (False, False),
) -> Passage:
    """Carries out an interlude.

    Args:
        interlude: What is done.
        geometry: The person's.
        gait: How the person walks.
        start, end: Where it leads from and to, each in the body's own frame.
        timestep: Of the result [s].
        free: Whether the start, the end is that of the recording: there the pose is kept roughly only.

    Raises:
        InfeasibleMotion: A leg is too short.
    """
    duration = round(interlude.duration_s / timestep) * timestep
    work = tread(
        geometry,
        gait,
        interlude.steps,
        start=start.feet,
        end=end.feet if interlude.steps else start.feet,
        first=interlude.first,
        duration_s=duration + 0.04,
    )
    last = end.at(work.end)
    value = _pose(interlude, geometry, gait, work, start, end, duration)
    time = np.arange(round(duration / timestep) + 1) * timestep
    course = Course.splined(work.time, value, time) + _jolts(gait, work, time)
    joins = [
        joining(course, poise, time, row) for poise, row, no in ((start, 0, free[0]), (last, -1, free[1])) if not no
    ]
    course = sum(joins, course)
    course = Course(value=course.value[:-1], rate=course.rate[:-1], curve=course.curve[:-1])
    return Passage(course=course, end=work.end, footwork=work)


def _pose(
    interlude: Interlude,
    geometry: Geometry,
    gait: Gait,
    work: Footwork,
    start: Poise,
    end: Poise,
    duration: float,
) -> np.ndarray:
    """Coordinates (K, 35) at the footwork's knots."""
    time, stride, power = work.time, work.stride, work.intensity
    ease = min(EASE_S, 0.45 * duration)
    leaving, arriving = 1.0 - minimum_jerk(time / ease), minimum_jerk((time - duration + ease) / ease)
    steady = minimum_jerk(time / ease) * minimum_jerk((duration - time) / ease)
    sway = sample_sway(Motion(sway_deg=interlude.sway_deg, sway_seed=interlude.sway_seed), time)

    def eased(free: np.ndarray, column: int) -> np.ndarray:
        return free + leaving * (start.value[column] - free) + arriving * (end.value[column] - free)

    lean, dip, back = _bent(interlude.dips, time)
    extra = moved_body(interlude.body, time)
    twist = np.deg2rad(gait.twist_deg) * np.cos(stride) * power
    roll = np.deg2rad(gait.list_deg) * np.sin(stride) * power
    tilt = np.deg2rad(0.3 * gait.lean_deg + np.cos(2.0 * stride)) * power
    root = np.empty((len(time), ROOT))
    stepping = gait.step_m(geometry.thigh + geometry.shank) * power
    surge = gait.surge_m * np.sin(2.0 * stride) * power + AHEAD_M + AHEAD_OF_STEP * stepping
    ahead = eased(surge + sway.balance[:, 0] * steady, 0) - back
    aside = eased(sway.balance[:, 1] * steady + extra[:, 3], 1)
    c, s = np.cos(work.heading), np.sin(work.heading)
    root[:, 0] = work.pelvis[:, 0] + c * ahead - s * aside
    root[:, 1] = work.pelvis[:, 1] + s * ahead + c * aside
    root[:, 3], root[:, 4] = eased(roll, 3), eased(tilt, 4) + lean
    root[:, 5] = work.heading + eased(-twist, 5)
    pelvis = about("z", root[:, 5]) @ about("y", root[:, 4]) @ about("x", root[:, 3])
    height = eased(_height(geometry, gait, work), 2) - dip
    bend = WALKING_DEG + (STRAIGHTEST_DEG - WALKING_DEG) * np.maximum(leaving, arriving)
    root[:, 2] = _within_reach(geometry, work, pelvis, root[:, :2], height, _longest(geometry, bend))
    spine = np.column_stack(
        [
            eased(np.deg2rad(0.7 * gait.lean_deg) * power, 6) + 0.4 * lean,
            eased(-0.9 * roll, 7),
            eased(twist + np.deg2rad(gait.counter_deg) * np.cos(stride) * power + _leading(work), 8),
        ]
    )
    spine += extra[:, :3] + sway.trunk * steady[:, None]
    arms = _arms(interlude, gait, work, start, end) + sway.arms * steady[:, None, None]
    legs = _legs(geometry, work, root[:, :3], pelvis)
    return np.hstack([root, spine, arms.reshape(len(time), 10), *legs])


def _height(geometry: Geometry, gait: Gait, work: Footwork) -> np.ndarray:
    """Height (K,) at which a walker's pelvis is carried [m]: over nearly straight legs, lowest after each landing."""
    leg = geometry.thigh + geometry.shank
    aside = 0.5 * gait.width_m - abs(geometry.hips[0, 1])
    straight = np.sqrt(_longest(geometry, WALKING_DEG) ** 2 - aside**2)
    half = 0.5 * gait.step_m(leg) * work.intensity
    fall = gait.bounce * (leg - np.sqrt(leg**2 - half**2))
    low = 0.5 * (1.0 + np.cos(2.0 * work.stride - LOW_AFTER))
    return -geometry.foot.sole_z + straight - WALKING_KNEE_M * np.minimum(work.intensity, 1.0) - fall * low


def _longest(geometry: Geometry, bend_deg: np.ndarray | float) -> np.ndarray:
    """Distance of hip and ankle with knees that are bent so far, of the same shape."""
    a, b = geometry.thigh, geometry.shank
    return np.sqrt(a**2 + b**2 + 2.0 * a * b * np.cos(np.deg2rad(bend_deg)))


def _within_reach(
    geometry: Geometry,
    work: Footwork,
    pelvis: np.ndarray,
    place: np.ndarray,
    height: np.ndarray,
    reach: np.ndarray,
) -> np.ndarray:
    """The height (K,) lowered, smoothly, where a leg would be too short."""
    short = np.zeros(len(height))
    for side in range(2):
        offset = pelvis @ geometry.hips[side]
        across = place + offset[:, :2] - work.ankles[:, side, :2]
        up = np.sqrt(np.maximum(reach**2 - (across**2).sum(1), 1e-4))
        short = np.maximum(short, height - (work.ankles[:, side, 2] + up - offset[:, 2]))
    ahead = round(GIVEN_WAY_S * KNOT_HZ)
    short = maximum_filter1d(short, 2 * ahead + 1, mode="nearest")
    return height - gaussian_filter1d(short, 0.5 * ahead, radius=ahead, mode="nearest")


def _legs(geometry: Geometry, work: Footwork, position: np.ndarray, pelvis: np.ndarray) -> np.ndarray:
    """Angles (2, K, 8); the knees point between feet and body."""
    feet = about("z", work.yaw) @ about("y", work.pitch)
    knee = work.yaw + KNEES_AHEAD * np.minimum(work.intensity, 1.0)[:, None] * (work.heading[:, None] - work.yaw)
    ahead = np.stack([np.cos(knee), np.sin(knee), 0.0 * knee], axis=-1)
    none = np.zeros(len(knee))
    angles = leg_angles(geometry, position, pelvis, feet, work.ankles, work.toes, ahead, none)
    angles = np.unwrap(angles, axis=1)
    softened = gaussian_filter1d(angles, SOFT_S * KNOT_HZ, axis=1, mode="nearest")
    return angles + np.minimum(2.0 * work.intensity, 1.0)[:, None] * (softened - angles)


def _leading(work: Footwork) -> np.ndarray:
    """Turn of the trunk (K,) ahead of a turning pelvis [rad]."""
    lead = TRUNK_LEAD_S * np.gradient(work.heading, work.time)
    return MOST_TRUNK_LEAD * np.tanh(lead / MOST_TRUNK_LEAD)


def _bent(dips: Sequence[Dip], time: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lean [rad], drop and way back [m] of all dips, (K,) each."""
    lean, drop, back = np.zeros((3, len(time)))
    for dip in dips:
        down = (time - dip.start_s) / dip.down_s
        share, bump = minimum_jerk(down), np.sin(np.pi * minimum_jerk(down)) ** 2
        if dip.up_s:
            up = (time - dip.start_s - dip.down_s - dip.hold_s) / dip.up_s
            share, bump = share - minimum_jerk(up), bump + np.sin(np.pi * minimum_jerk(up)) ** 2
        way, end = np.deg2rad(dip.lean_deg)
        lean, drop, back = (
            lean + share * end + bump * (way - 0.5 * end),
            drop + share * dip.drop_m,
            back + share * dip.back_m,
        )
    return lean, drop, back


def moved_body(moves: Sequence[BodyMove], time: np.ndarray) -> np.ndarray:
    """What moves add: angles of the spine [rad] and the pelvis' shift to the left [m], (K, 4)."""
    added, here = np.zeros((len(time), 4)), np.zeros(4)
    for move in moves:
        there = np.array([*np.deg2rad(move.spine_deg), move.aside_m])
        added += minimum_jerk((time - move.start_s) / move.duration_s)[:, None] * (there - here)
        here = there
    return added


def _arms(interlude: Interlude, gait: Gait, work: Footwork, start: Poise, end: Poise) -> np.ndarray:
    """Angles (K, 2, 5): the moves, and the swing of arms that hang."""
    both = slice(ROOT + 3, ROOT + 13)
    angles, free = arms_at(work.time, interlude.arms, start.value[both].reshape(2, 5), end.value[both].reshape(2, 5))
    rng = np.random.default_rng((interlude.sway_seed, 1))
    for side, sign in enumerate((-1.0, 1.0)):
        swing = work.intensity * (0.15 + 0.85 * free[:, side])
        course = sign * np.cos(work.stride - ARM_LAG)
        elbow = 0.5 * gait.elbow_swing_deg * (1.0 + sign * np.cos(work.stride - ELBOW_LAG))
        rolled = gait.roll_deg * sign * np.sin(work.stride)
        angles[:, side, 0] += np.deg2rad(gait.arm_swing_deg[side]) * course * swing
        angles[:, side, 2] -= np.deg2rad(0.5 * rolled) * swing
        angles[:, side, 3] += np.deg2rad(elbow + (gait.elbow_deg - HANG[3]) * free[:, side]) * swing
        angles[:, side, 4] += np.deg2rad(rolled) * swing
        angles[:, side] += _ripple(gait, work.stride, rng) * swing[:, None]
    return angles


def _ripple(gait: Gait, stride: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """What makes an arm's swing uneven, (K, 5) [rad]."""
    order = np.array(RIPPLES)[:, None]
    size = np.deg2rad(gait.ripple_deg) * rng.uniform(0.4, 1.6, (len(order), 5)) * RIPPLED * (2.0 / order) ** 2
    phase = rng.uniform(0.0, 2.0 * np.pi, (len(order), 5))
    return (size * np.sin(order * stride[:, None, None] + phase)).sum(1)


_JOLTED = {"z": 2} | {
    f"{side}_{name}": ROOT + joint_names().index(f"{side}_{name}")
    for side in ("left", "right")
    for name in ("hip_flexion", "knee_flexion")
}


def _jolts(gait: Gait, work: Footwork, time: np.ndarray) -> Course:
    """What the landing heels leave: damped oscillations of the pelvis' height and of the struck leg."""
    omega = 2.0 * np.pi * gait.jolt_hz
    shape = np.zeros((2, len(time)))
    for land, side, strength in work.landings:
        since = np.maximum(time - land, 0.0) / gait.jolt_s
        shape[side] += strength * since**2 * np.exp(2.0 * (1.0 - since)) * np.sin(omega * gait.jolt_s * since)
    value = np.zeros((len(time), 35))
    value[:, _JOLTED["z"]] = -gait.jolt_mps2 / omega**2 * shape.sum(0)
    for side, name in enumerate(("left", "right")):
        turn = np.deg2rad(gait.jolt_deg) * (shape[side] + 0.3 * shape[1 - side])
        value[:, _JOLTED[f"{name}_hip_flexion"]] += turn
        value[:, _JOLTED[f"{name}_knee_flexion"]] += 2.0 * turn
    columns = list(_JOLTED.values())
    spline = CubicSpline(time, value[:, columns])
    rate, curve = np.zeros_like(value), np.zeros_like(value)
    rate[:, columns], curve[:, columns] = spline(time, 1), spline(time, 2)
    return Course(value=value, rate=rate, curve=curve)


def joining(course: Course, poise: Poise, time: np.ndarray, row: int) -> Course:
    """What takes a course's first (row 0) or last (row -1) pose to a given one and dies down within `JOIN_S`."""
    span, sign = min(JOIN_S, 0.5 * time[-1]), 1.0 if row == 0 else -1.0
    u = np.minimum((time if row == 0 else time[-1] - time) / span, 1.0)
    gap = np.stack(
        [
            poise.value - course.value[row],
            sign * span * (poise.rate - course.rate[row]),
            span**2 * (poise.curve - course.curve[row]),
        ]
    )
    value, rate, curve = (_fade(u, order) @ gap for order in range(3))
    return Course(value=value, rate=sign * rate / span, curve=curve / span**2)


_FADES = tuple(
    np.polynomial.Polynomial(row)
    for row in ([1, 0, 0, -10, 15, -6], [0, 1, 0, -6, 8, -3], [0, 0, 0.5, -1.5, 1.5, -0.5])
)
"""Quintics in u that begin with value, slope or curvature 1, the other two being 0, and end with 0, 0, 0."""


def _fade(u: np.ndarray, order: int) -> np.ndarray:
    """(N, 3) their derivatives of an order at u (N,)."""
    return np.column_stack([part.deriv(order)(u) for part in _FADES])
