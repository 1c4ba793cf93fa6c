"""How severe each fault of form was in what a person did: read from poses and landmarks, not from what was asked."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from squat_env.arms import ARM_POSTURES
from squat_env.exercises import Exercise, exercise_named
from squat_env.faults import FAULTS, FULL_DEPTH_DEG, FULL_LIFT_DEG, LEAST_DROP_M
from squat_env.model import LANDMARKS, joint_names
from squat_env.placement import SIDES
from squat_env.rotations import about, euler_yxz, of_quaternions
from squat_env.timeline import least_time, minimum_jerk

HELD = 0.1  # share of the way within which arms are held at either end of it
CLOSE = 0.05  # share of the way within which a person is at the start position or at the turning point
TIMED = (0.2, 0.8)  # shares of the way between which a movement is timed
STRAIGHT_BACK = (0.1, 0.64)  # shares of the way between which nobody's pelvis tips on its own
WINKING = 0.8  # share of the way from which it may have tipped
_WAYS = np.linspace(0.0, 1.0, 2001)
_TIMED_TIME = float(np.diff(np.interp(TIMED, minimum_jerk(_WAYS), _WAYS))[0])


@dataclass(frozen=True, kw_only=True)
class Performance:
    """One repetition as it was done.

    Attributes:
        exercise: Key of `EXERCISES`.
        lead: 0 the left leg leads, 1 the right one.
        time: (T,) [s].
        qpos: (T, 36) poses [m, rad].
        landmarks: (T, 17, 3) in the order of `LANDMARKS`, z up [m].
    """

    exercise: str
    lead: int
    time: np.ndarray
    qpos: np.ndarray
    landmarks: np.ndarray

    @property
    def kind(self) -> Exercise:
        """The exercise."""
        return exercise_named(self.exercise)

    @property
    def legs(self) -> list[int]:
        """The sides that count: both, or the leading one."""
        return [0, 1] if self.kind.prime_sides == "both" else [self.lead]

    def joint(self, name: str) -> np.ndarray:
        """(T, 2) a joint of both sides [deg]."""
        return np.rad2deg(self.qpos[:, [7 + joint_names().index(f"{side}_{name}") for side in SIDES]])

    def place(self, name: str) -> np.ndarray:
        """(T, 2, 3) a landmark of both sides [m]."""
        return self.landmarks[:, [LANDMARKS.index(f"{side}_{name}") for side in SIDES]]

    @cached_property
    def depth_deg(self) -> np.ndarray:
        """(T,) knee flexion of the leading leg, or of the straighter one [deg]."""
        return self.joint("knee_flexion")[:, self.legs].min(1)

    @cached_property
    def lumbar(self) -> np.ndarray:
        """(T, 3) flexion, bend to the side and rotation of the lower back [rad]."""
        return self.qpos[:, 7:10]

    @cached_property
    def pelvis(self) -> np.ndarray:
        """(T, 3, 3) orientation of the pelvis."""
        return of_quaternions(self.qpos[:, 3:7])

    def lean_of(self, axis: np.ndarray) -> np.ndarray:
        """(T,) lean of an axis (T, 3) of the body towards where the pelvis faces [deg]."""
        x, y, _ = self.pelvis[:, :, 1].T
        ahead = (axis[:, 0] * y - axis[:, 1] * x) / np.hypot(x, y)
        return np.rad2deg(np.arctan2(ahead, axis[:, 2]))

    @cached_property
    def trunk_deg(self) -> np.ndarray:
        """(T,) forward lean of the thorax [deg]."""
        return self.lean_of((self.pelvis @ euler_yxz(self.lumbar, (1, 1, 1)))[:, :, 2])

    @cached_property
    def pelvis_deg(self) -> np.ndarray:
        """(T,) forward tilt of the pelvis [deg]."""
        return self.lean_of(self.pelvis[:, :, 2])

    def foot_rise_deg(self, side: int) -> np.ndarray:
        """(T,) how far a foot points down [deg]."""
        sign, leg = (1, -1)[side], self.qpos[:, 20 + 8 * side : 28 + 8 * side]
        shank = self.pelvis @ euler_yxz(leg[:, :3], (-1, sign, sign)) @ about("y", leg[:, 3])
        down = -(shank[:, 2:] @ euler_yxz(leg[:, 4:7], (-1, sign, sign)))[:, 0, 0]
        return np.rad2deg(np.arcsin(np.clip(down, -1.0, 1.0)))

    def way(self, angle: np.ndarray) -> np.ndarray:
        """(T,) share of the way from the start position to the turning point that an angle (T,) has come."""
        low, high = angle.min(), angle.max()
        return (angle - low) / max(high - low, 1e-9)


def amounts(done: Performance) -> dict[str, float]:
    """Amount of every fault of the exercise, in the fault's own unit."""
    return {name: float(MEASURES[name](done)) for name in done.kind.faults}


def assess(done: Performance) -> dict[str, float]:
    """Severity, 0 to 1, of every fault of the exercise in what was done."""
    return {name: FAULTS[name].severity(amount, done.exercise) for name, amount in amounts(done).items()}


def _missing_depth(done: Performance) -> float:
    return 1.0 - done.depth_deg.max() / FULL_DEPTH_DEG[done.exercise]


def _knees_inwards(done: Performance) -> float:
    """How far the knees come inwards of the plane in which hip and ankle stand and the foot points [m]."""
    hip, ankle, foot = done.place("hip"), done.place("ankle"), done.place("toe") - done.place("heel")
    (x, y, z), (ahead, aside, _), knee = (
        np.moveaxis(way, 2, 0) for way in (hip - ankle, foot, done.place("knee") - hip)
    )
    hinge = -z * aside, z * ahead, x * aside - y * ahead
    length = np.sqrt(hinge[0] ** 2 + hinge[1] ** 2 + hinge[2] ** 2)
    inwards = (knee[0] * hinge[0] + knee[1] * hinge[1] + knee[2] * hinge[2]) / length * [-1.0, 1.0]
    return inwards[:, done.legs].max(0).mean()


def _rise(done: Performance) -> float:
    return float(np.mean([np.ptp(done.foot_rise_deg(side)) for side in range(2)]))


def _drop_aside(done: Performance) -> float:
    """Largest roll of the pelvis about its own forward axis [deg]."""
    _, left, up = done.pelvis[:, 2].T
    return np.rad2deg(np.abs(np.arctan2(left, up)).max())


def _wink(done: Performance) -> float:
    """How far the pelvis stays behind where it would tilt if it went on as it began [deg]."""
    way = done.way(done.depth_deg)
    before = (way > STRAIGHT_BACK[0]) & (way < STRAIGHT_BACK[1])
    mean, tilt = way[before].mean(), done.pelvis_deg[before].mean()
    slope = ((way[before] - mean) @ (done.pelvis_deg[before] - tilt)) / ((way[before] - mean) ** 2).sum()
    return (slope * (way - mean) + tilt - done.pelvis_deg)[way > WINKING].max()


def _arm_ways(done: Performance) -> tuple[np.ndarray, float]:
    """Share (2,) of the posture's whole way that each arm goes, and how much that is of the joint furthest moved [deg].

    The share is read along the line that both arms follow together, from where they are held at either end.
    """
    posture = ARM_POSTURES[done.kind.ranges.arms[0][0]]
    whole = np.subtract(posture.bottom, posture.standing)
    share = np.rad2deg(done.qpos[:, 10:20]).reshape(-1, 2, 5) @ whole / (whole @ whole)
    line = np.linalg.svd(share - share.mean(0), full_matrices=False)[2][0]
    along = share @ line
    way = done.way(along)
    ways = np.abs(line * (np.median(along[way > 1.0 - HELD]) - np.median(along[way < HELD])))
    return ways, float(np.abs(whole).max())


def _missing_range(done: Performance) -> float:
    if done.exercise in FULL_LIFT_DEG:
        return 1.0 - done.joint("hip_flexion")[:, done.legs].mean(1).max() / FULL_LIFT_DEG[done.exercise]
    return 1.0 - _arm_ways(done)[0].max()


def _uneven(done: Performance) -> float:
    ways, whole_deg = _arm_ways(done)
    return float(np.ptp(ways)) * whole_deg


def _swing(done: Performance) -> float:
    """How far the trunk goes back behind its way from the start position to the turning point [deg]."""
    angle = done.joint(done.kind.prime).mean(1)
    way = done.way(angle)
    low, high = np.median(done.trunk_deg[way < CLOSE]), np.median(done.trunk_deg[way > 1.0 - CLOSE])
    return (low + way * (high - low) - done.trunk_deg).max()


def _haste(done: Performance) -> float:
    """Shortest time for the movement over the time that it took, down or up, whichever was faster."""
    way = done.way(done.depth_deg)
    span = np.linalg.norm(done.place("hip") - done.place("ankle"), axis=2)[:, done.legs].max(1)
    turn = int(way.argmax())
    down, up = (_time_of(way[:turn], done.time[:turn]), _time_of(way[turn:][::-1], -done.time[turn:][::-1]))
    return least_time(max(float(np.ptp(span)), LEAST_DROP_M)) / min(down, up)


def _time_of(way: np.ndarray, time: np.ndarray) -> float:
    """How long a minimum-jerk movement takes whose way (T,) rises over time (T,) [s]."""
    begin, end = (_last_crossing(way, time, share) for share in TIMED)
    return max(end - begin, 1e-3) / _TIMED_TIME


def _last_crossing(way: np.ndarray, time: np.ndarray, share: float) -> float:
    below = int(np.flatnonzero(way < share)[-1]) if (way < share).any() else 0
    above = min(below + 1, len(way) - 1)
    return float(np.interp(share, way[[below, above]], time[[below, above]]))


MEASURES: dict[str, Callable[[Performance], float]] = {
    "shallow": _missing_depth,
    "too_deep": lambda done: done.depth_deg.max(),
    "knee_valgus": _knees_inwards,
    "excessive_lean": lambda done: done.trunk_deg.max(),
    "heel_rise": _rise,
    "asymmetry": _drop_aside,
    "butt_wink": _wink,
    "rounded_back": lambda done: np.rad2deg(done.lumbar[:, 0].max()),
    "partial_range": _missing_range,
    "trunk_swing": _swing,
    "uneven_arms": _uneven,
    "bent_knees": lambda done: done.joint("knee_flexion").mean(1).max(),
    "too_fast": _haste,
}
"""How each of `faults.FAULTS` is measured, in its own unit."""
