"""Steps to feet: where each foot stands, how it swings, and where the pelvis is carried meanwhile.

A foot stands still on its heel, its sole or its ball; it slides nowhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import PchipInterpolator
from scipy.ndimage import gaussian_filter1d

from squat_env.gait import Gait
from squat_env.geometry import Geometry
from squat_env.rotations import about

KNOT_HZ = 50.0  # at which feet and pelvis are placed
DOUBLE_SUPPORT = 0.2  # of a step's time, until the rear foot leaves the ground
PELVIS_SMOOTHING_S, TURN_SMOOTHING_S = 0.11, 0.16  # standard deviation of the kernels that round its way and turns
IN_PLACE = 0.35  # intensity of a step that goes nowhere; a step straight on has 1
EARLIEST_S = 0.08  # when a foot first stirs
HEEL_OFF, FLAT_AGAIN = 0.6, 0.2  # of a step: before lifting the heel begins to rise, after landing the sole is down


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step of the body; the other foot's turn each time.

    Attributes:
        duration_s: From the other foot's landing to this one's.
        ahead_m, aside_m: How far the body goes, forwards and to the left.
        turn_rad: How far it turns to the left.
        pause_s: Standing before it.
        lift_m: How high the foot is raised besides.
    """

    duration_s: float
    ahead_m: float = 0.0
    aside_m: float = 0.0
    turn_rad: float = 0.0
    pause_s: float = 0.0
    lift_m: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Footing:
    """Both feet on the ground.

    Attributes:
        place: (2, 2) of the ankles of flat feet over the ground [m].
        yaw: (2,) [rad].
        pitch: (2,) rise of the heel, as rotation about the ball [rad].
    """

    place: np.ndarray
    yaw: np.ndarray
    pitch: np.ndarray

    def moved(self, place: np.ndarray, yaw: float) -> "Footing":
        """Turned about the origin [rad], then shifted by `place` (2,) [m]."""
        return Footing(place=self.place @ _turn(yaw).T + place, yaw=self.yaw + yaw, pitch=self.pitch)


@dataclass(frozen=True, kw_only=True)
class Footwork:
    """What feet and pelvis do at K knots.

    Attributes:
        time: (K,) [s].
        ankles: (K, 2, 3) left and right [m].
        yaw, pitch, toes: (K, 2) of the feet, and extension of the toes [rad].
        planted: (K, 2) bool.
        pelvis: (K, 2) place carried by the feet [m].
        heading: (K,) of the body [rad].
        stride: (K,) phase of the gait [rad]: 0 where the left foot lands, pi where the right one does.
        intensity: (K,) 0 standing, 1 walking straight on.
        landings: (time [s], side, intensity) of every step.
        end: (3,) x, y [m] and heading [rad] of the body after the last step.
    """

    time: np.ndarray
    ankles: np.ndarray
    yaw: np.ndarray
    pitch: np.ndarray
    toes: np.ndarray
    planted: np.ndarray
    pelvis: np.ndarray
    heading: np.ndarray
    stride: np.ndarray
    intensity: np.ndarray
    landings: tuple[tuple[float, int, float], ...]
    end: np.ndarray


@dataclass(frozen=True, kw_only=True)
class _Swing:
    """One foot from where it stood to where it lands."""

    lift_s: float
    land_s: float
    step_s: float
    start: np.ndarray  # (3,) x, y, yaw of the flat foot
    end: np.ndarray
    clearance_m: float
    toe_off: float  # rad
    strike: float


def tread(
    geometry: Geometry,
    gait: Gait,
    steps: Sequence[Step],
    *,
    start: Footing,
    end: Footing,
    first: int,
    duration_s: float,
) -> Footwork:
    """Carries out steps.

    Args:
        geometry: The person's.
        gait: How the person steps.
        steps: None to stand; else two or more, of which the last goes nowhere: it brings the feet together.
        start: The feet before, their middle at the origin and the body's heading along x.
        end: The feet after the last step, in the body's frame.
        first: The foot that begins: 0 left, 1 right.
        duration_s: Of the whole; longer than the steps.
    """
    time = np.arange(round(duration_s * KNOT_HZ) + 1) / KNOT_HZ
    swings, marks = _plan(geometry, gait, steps, start, end, first)
    pitches = [_pitch(start.pitch[side], end.pitch[side], swings[side]) for side in range(2)]
    parts = [_foot(geometry, time, start, side, swings[side], pitches[side]) for side in range(2)]
    ankles, yaw, pitch, toes, planted = (np.stack(columns, axis=1) for columns in zip(*parts, strict=True))
    way = [np.interp(time, marks.time, column) for column in np.array(marks.pelvis).T]
    widths = (PELVIS_SMOOTHING_S, PELVIS_SMOOTHING_S, TURN_SMOOTHING_S)
    smooth = [gaussian_filter1d(column, s * KNOT_HZ, mode="nearest") for column, s in zip(way, widths, strict=True)]
    pelvis = np.column_stack(smooth)
    intensity = np.interp(time, marks.step_time, marks.intensity)
    begins = np.pi if first == 0 else 0.0
    return Footwork(
        time=time,
        ankles=ankles,
        yaw=yaw,
        pitch=pitch,
        toes=toes,
        planted=planted,
        pelvis=pelvis[:, :2],
        heading=pelvis[:, 2],
        stride=np.pi * np.interp(time, marks.count_time, marks.count) - begins,
        intensity=gaussian_filter1d(intensity, 0.12 * KNOT_HZ, mode="nearest"),
        landings=tuple(marks.landings),
        end=marks.body,
    )


class _Marks:
    """What happens when, gathered step by step."""

    def __init__(self):
        self.time, self.pelvis = [0.0], [np.zeros(3)]
        self.step_time, self.intensity = [0.0], [0.0]
        self.count_time, self.count = [0.0], [0.0]
        self.landings: list[tuple[float, int, float]] = []
        self.body = np.zeros(3)


def _plan(
    geometry: Geometry, gait: Gait, steps: Sequence[Step], start: Footing, end: Footing, first: int
) -> tuple[tuple[list[_Swing], list[_Swing]], _Marks]:
    swings: tuple[list[_Swing], list[_Swing]] = ([], [])
    marks, now = _Marks(), 0.0
    normal = gait.step_m(geometry.thigh + geometry.shank)
    feet = np.column_stack([start.place, start.yaw])
    half = 0.5 * gait.width_m
    stance = Footing(
        place=np.array([[0.0, half], [0.0, -half]]),
        yaw=np.deg2rad(gait.toe_out_deg) * np.array([1.0, -1.0]),
        pitch=np.zeros(2),
    )
    for number, step in enumerate(steps):
        foot, last = (first + number) % 2, number >= len(steps) - 2
        begin, land = now + step.pause_s, now + step.pause_s + step.duration_s
        heading = marks.body[2]
        way = _turn(heading + 0.5 * step.turn_rad) @ [step.ahead_m, step.aside_m]
        marks.body = np.array([*(marks.body[:2] + way), heading + step.turn_rad])
        target = (end if last else stance).moved(marks.body[:2], marks.body[2])
        here, there = feet[foot].copy(), np.array([*target.place[foot], target.yaw[foot]])
        before = feet.mean(0)
        feet[foot] = there
        after = feet.mean(0)
        share = min(1.0, float(np.linalg.norm(there[:2] - here[:2])) / (2.0 * normal))
        intensity = max(share, IN_PLACE)
        lift = begin + DOUBLE_SUPPORT * step.duration_s
        swings[foot].append(
            _Swing(
                lift_s=lift,
                land_s=land,
                step_s=step.duration_s,
                start=here,
                end=there,
                clearance_m=gait.clearance_m + step.lift_m,
                toe_off=np.deg2rad(8.0 + share * (gait.toe_off_deg - 8.0)),
                strike=np.deg2rad(share * gait.strike_deg) if not last else 0.0,
            )
        )
        middle = 0.5 * (before + after)
        over = feet[1 - foot, :2] - middle[:2]
        left = _turn(middle[2]) @ [0.0, 1.0]
        shift = min(0.9, gait.shift + 0.5 * (1.0 - share))
        middle[:2] += shift * (over @ left) * left
        marks.time += [begin, 0.5 * (lift + land), land]
        marks.pelvis += [before, middle, after]
        marks.step_time += [begin, 0.5 * (begin + land), land]
        marks.intensity += [
            0.0 if step.pause_s or not number else intensity,
            intensity,
            0.0 if number == len(steps) - 1 else intensity,
        ]
        marks.count_time += [begin, land]
        marks.count += [float(number), number + 1.0]
        marks.landings.append((land, foot, share if step.ahead_m else max(share, IN_PLACE)))
        now = land
    return swings, marks


def _foot(
    geometry: Geometry,
    time: np.ndarray,
    start: Footing,
    side: int,
    swings: Sequence[_Swing],
    pitch_of: PchipInterpolator,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Ankle (K, 3), yaw, pitch, toe extension and whether it stands, each (K,), of one foot."""
    pitch, rate = pitch_of(time), pitch_of.derivative()
    flat = np.tile([*start.place[side], start.yaw[side]], (len(time), 1))
    for swing in swings:
        flat[time >= swing.lift_s] = swing.end
    ankle = _stood(geometry, flat, pitch)
    yaw, toes, planted = flat[:, 2].copy(), np.maximum(pitch, 0.0), np.ones(len(time), bool)
    for swing in swings:
        rows = (time >= swing.lift_s) & (time < swing.land_s)
        air = swing.land_s - swing.lift_s
        u = (time[rows] - swing.lift_s) / air
        ends = np.array([swing.lift_s, swing.land_s])
        angle, speed = pitch_of(ends), rate(ends)
        standing = np.stack([swing.start, swing.end])
        place = _stood(geometry, standing, angle)
        velocity = (_stood(geometry, standing, angle + 1e-4 * speed) - place) * (air / 1e-4)
        ankle[rows] = _hermite(u, place, velocity)
        ankle[rows, 2] += swing.clearance_m * 16.0 * (u * (1.0 - u)) ** 2
        yaw[rows] = swing.start[2] + (swing.end[2] - swing.start[2]) * u**2 * (3.0 - 2.0 * u)
        toes[rows] *= (1.0 - u) ** 2
        planted[rows] = False
    return ankle, yaw, pitch, toes, planted


def _pitch(start: float, end: float, swings: Sequence[_Swing]) -> PchipInterpolator:
    """Rise of the heel (positive) or of the toes over time, from `start` before all steps to `end` after them [rad]."""
    knots = [(-1.0, start), (-0.5, start)]
    for swing in swings:
        air = swing.land_s - swing.lift_s
        before = max(swing.lift_s - HEEL_OFF * swing.step_s, EARLIEST_S, knots[-1][0] + 0.02)
        knots += [
            (before, knots[-1][1]),
            (swing.lift_s, 0.9 * swing.toe_off),
            (swing.lift_s + 0.12 * air, swing.toe_off),
            (swing.lift_s + 0.5 * air, 0.15 * swing.toe_off),
            (swing.land_s - 0.12 * air, -swing.strike),
            (swing.land_s, -0.95 * swing.strike),
            (swing.land_s + FLAT_AGAIN * swing.step_s, end if swing is swings[-1] else 0.0),
        ]
    knots += [(knots[-1][0] + 1.0, knots[-1][1]), (knots[-1][0] + 1e3, knots[-1][1])]
    time, angle = np.array(knots).T
    return PchipInterpolator(time, angle)


def _stood(geometry: Geometry, flat: np.ndarray, pitch: np.ndarray) -> np.ndarray:
    """Ankles (K, 3) of feet that stand at `flat` (K, 3) x, y, yaw, turned about the ball or, toes up, the heel."""
    foot = geometry.foot
    ball, heel = foot.toes, np.array([foot.heel_x, 0.0, foot.sole_z])
    pivot = np.where((pitch > 0)[:, None], ball, heel)
    c, s = np.cos(pitch), np.sin(pitch)
    ahead = pivot[:, 0] - c * pivot[:, 0] - s * pivot[:, 2]
    up = pivot[:, 2] + s * pivot[:, 0] - c * pivot[:, 2]
    x, y = flat[:, 0] + ahead * np.cos(flat[:, 2]), flat[:, 1] + ahead * np.sin(flat[:, 2])
    return np.column_stack([x, y, up - foot.sole_z])


def _hermite(u: np.ndarray, place: np.ndarray, velocity: np.ndarray) -> np.ndarray:
    """Cubic (K, 3) from place[0] to place[1] with these velocities at its ends, u (K,) from 0 to 1."""
    u = u[:, None]
    start = place[0] + u * velocity[0]
    step, change = place[1] - place[0] - velocity[0], velocity[1] - velocity[0]
    return start + step * u**2 * (3.0 - 2.0 * u) + change * u**2 * (u - 1.0)


def _turn(yaw: float) -> np.ndarray:
    return about("z", yaw)[:2, :2]
