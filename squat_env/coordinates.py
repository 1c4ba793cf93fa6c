"""A course of movement in generalised coordinates, and what MuJoCo calls position, velocity and acceleration of it.

Coordinates are 35 columns: the root's x, y, z [m], its roll, pitch, yaw [rad], and the joints' angles [rad]. The
orientation is yaw, then pitch, then roll.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicSpline

from squat_env.compiled import compiled

ROOT = 6  # columns before the joints'


@dataclass(frozen=True, kw_only=True)
class Course:
    """Coordinates over time with their derivatives; courses of the same times can be added.

    Attributes:
        value, rate, curve: (N, 35) each, per 1, s, s^2.
    """

    value: np.ndarray
    rate: np.ndarray
    curve: np.ndarray

    @classmethod
    def splined(cls, knots: np.ndarray, value: np.ndarray, time: np.ndarray) -> "Course":
        """The cubic spline through `value` (K, 35) at `knots` (K,), at `time` (N,) [s]."""
        spline = CubicSpline(knots, value)
        return cls(value=spline(time), rate=spline(time, 1), curve=spline(time, 2))

    def __add__(self, other: "Course") -> "Course":
        return Course(value=self.value + other.value, rate=self.rate + other.rate, curve=self.curve + other.curve)

    @property
    def qpos(self) -> np.ndarray:
        """(N, 36) MuJoCo's position."""
        return qpos_of(self.value)

    @property
    def qvel(self) -> np.ndarray:
        """(N, 35) MuJoCo's velocity."""
        return qvel_of(self.value, self.rate)

    @property
    def qacc(self) -> np.ndarray:
        """(N, 35) MuJoCo's acceleration, the derivative of `qvel`."""
        (roll, pitch), (d_roll, d_pitch, d_yaw) = self.value[:, 3:5].T, self.rate[:, 3:6].T
        (cr, sr), (cp, sp) = (np.cos(roll), np.sin(roll)), (np.cos(pitch), np.sin(pitch))
        result = qvel_of(self.value, self.curve)
        result[:, 3] -= d_yaw * d_pitch * cp
        result[:, 4] += -d_pitch * d_roll * sr + d_yaw * (d_roll * cp * cr - d_pitch * sp * sr)
        result[:, 5] += -d_pitch * d_roll * cr - d_yaw * (d_roll * cp * sr + d_pitch * sp * cr)
        return result


@compiled
def qpos_of(value: np.ndarray) -> np.ndarray:
    """MuJoCo's position (N, 36) of coordinates (N, 35)."""
    qpos = np.empty((len(value), 1 + value.shape[1]))
    qpos[:, :3], qpos[:, 7:] = value[:, :3], value[:, ROOT:]
    for k in range(len(value)):
        roll, pitch, yaw = 0.5 * value[k, 3], 0.5 * value[k, 4], 0.5 * value[k, 5]
        cr, cp, cy = math.cos(roll), math.cos(pitch), math.cos(yaw)
        sr, sp, sy = math.sin(roll), math.sin(pitch), math.sin(yaw)
        qpos[k, 3] = cr * cp * cy + sr * sp * sy
        qpos[k, 4] = sr * cp * cy - cr * sp * sy
        qpos[k, 5] = cr * sp * cy + sr * cp * sy
        qpos[k, 6] = cr * cp * sy - sr * sp * cy
    return qpos


@compiled
def qvel_of(value: np.ndarray, rate: np.ndarray) -> np.ndarray:
    """MuJoCo's velocity (N, 35) of coordinates and their rates (N, 35): the root turns in its own frame."""
    qvel = rate.copy()
    for k in range(len(value)):
        roll, pitch = value[k, 3], value[k, 4]
        d_roll, d_pitch, d_yaw = rate[k, 3], rate[k, 4], rate[k, 5]
        sin, cos, level = math.sin(roll), math.cos(roll), math.cos(pitch)
        qvel[k, 3] = d_roll - d_yaw * math.sin(pitch)
        qvel[k, 4] = d_pitch * cos + d_yaw * level * sin
        qvel[k, 5] = -d_pitch * sin + d_yaw * level * cos
    return qvel


def coordinates_of(qpos: np.ndarray) -> np.ndarray:
    """Coordinates (N, 35) of MuJoCo's positions (N, 36); the yaw goes on over half turns."""
    w, x, y, z = qpos[:, 3:7].T
    roll = np.arctan2(2.0 * (w * x + y * z), 1.0 - 2.0 * (x**2 + y**2))
    pitch = np.arcsin(np.clip(2.0 * (w * y - z * x), -1.0, 1.0))
    yaw = np.unwrap(np.arctan2(2.0 * (w * z + x * y), 1.0 - 2.0 * (y**2 + z**2)))
    return np.column_stack([qpos[:, :3], roll, pitch, yaw, qpos[:, 7:]])


def moved(qpos: np.ndarray, place: np.ndarray, yaw: float) -> np.ndarray:
    """Positions (N, 36) turned about the world's vertical [rad], then shifted over the ground by `place` (2,) [m]."""
    c, s = np.cos(yaw), np.sin(yaw)
    half_c, half_s = np.cos(0.5 * yaw), np.sin(0.5 * yaw)
    result = qpos.copy()
    result[:, :2] = qpos[:, :2] @ np.array([[c, s], [-s, c]]) + place
    w, x, y, z = qpos[:, 3:7].T
    result[:, 3:7] = np.column_stack(
        [half_c * w - half_s * z, half_c * x - half_s * y, half_c * y + half_s * x, half_c * z + half_s * w]
    )
    return result
