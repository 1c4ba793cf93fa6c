"""A person's lengths and places for one set, the way through an exercise, and what a body cannot do."""

from dataclasses import dataclass

import numpy as np

from squat_env.body import Body, ankle_height, hip_width, segments, shoulder_width
from squat_env.equipment import Equipment
from squat_env.exercises import Exercise
from squat_env.model import FootSize, foot_size
from squat_env.motion import Motion
from squat_env.rotations import about
from squat_env.support import back_depth, seat_radius


class InfeasibleMotion(ValueError):
    """A body cannot perform a motion; `reason` is one word for counting."""

    def __init__(self, reason: str, message: str):
        super().__init__(message)
        self.reason = reason


class TooFast(InfeasibleMotion):
    """A body cannot perform a motion at its tempo; `slowdown` times slower it can."""

    def __init__(self, slowdown: float, message: str):
        super().__init__("tempo", message)
        self.slowdown = slowdown


@dataclass(frozen=True, kw_only=True)
class Path:
    """How far each stage of an exercise has come at K points, each (K,) and 0 to 1."""

    depth: np.ndarray
    shift: np.ndarray
    settle: np.ndarray

    @classmethod
    def of(cls, exercise: Exercise, path: np.ndarray) -> "Path":
        """Splits the way through an exercise (K,) into its stages; without one of its own, weight shifts with depth."""
        last = len(exercise.stages) - 1
        parts = {
            name: np.clip(path - number, 0.0 if number else None, 1.0 if number < last else None)
            for number, (name, _) in enumerate(exercise.stages)
        }
        return cls(
            depth=parts["depth"],
            shift=parts.get("shift", parts["depth"]),
            settle=parts.get("settle", np.zeros_like(path)),
        )


@dataclass(frozen=True, kw_only=True)
class Geometry:
    """Lengths [m] and places that one person's set needs; the feet's places are fixed to the ground.

    Attributes:
        thigh, shank: Lengths.
        hips: (2, 3) left and right hip centre in the pelvis frame.
        ankles: (2, 3) with flat feet.
        feet: (2, 3, 3) orientation of flat feet.
        foot: Where the sole's landmarks are.
        lead: 0 the left leg leads, 1 the right one.
        rest_height: Of the hip centres on the seat or on the floor.
        seat_radius: Of the buttocks that roll on a seat.
    """

    thigh: float
    shank: float
    hips: np.ndarray
    ankles: np.ndarray
    feet: np.ndarray
    foot: FootSize
    lead: int
    rest_height: float
    seat_radius: float

    @classmethod
    def of(cls, body: Body, motion: Motion, exercise: Exercise, equipment: Equipment) -> "Geometry":
        """Places the feet of a body for a motion."""
        parts = segments(body)
        sign, lead = np.array([1.0, -1.0]), int(motion.lead == "right")
        yaw = sign * np.deg2rad(motion.toe_out_deg)
        leg = parts["thigh"].length + parts["shank"].length
        ahead = np.where(np.arange(2) == lead, 0.5, -0.5) * motion.split * leg
        aside = sign * 0.5 * motion.stance * shoulder_width(body)
        radius = seat_radius(body)
        return cls(
            thigh=parts["thigh"].length,
            shank=parts["shank"].length,
            hips=np.column_stack([[0, 0], sign * 0.5 * hip_width(body), [0, 0]]),
            ankles=np.column_stack([ahead, aside, [ankle_height(body)] * 2]),
            feet=about("z", yaw),
            foot=foot_size(body),
            lead=lead,
            rest_height=back_depth(body) if exercise.height == "floor" else equipment.seat_height_m + radius,
            seat_radius=radius,
        )

    @property
    def side(self) -> float:
        """1 if the left leg leads, -1 if the right one does."""
        return 1.0 - 2.0 * self.lead

    @property
    def feet_gap(self) -> float:
        """Between the nearest spheres under the soles of the two feet [m]."""
        edges = [self.ankles[side, :2] + self.foot.edges @ self.feet[side, :2, :2].T for side in range(2)]
        apart = np.linalg.norm(edges[0][:, None] - edges[1], axis=2)
        return float(apart.min()) - 2 * self.foot.sole_radius
