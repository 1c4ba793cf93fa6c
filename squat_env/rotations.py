"""Rotation matrices of whole trajectories."""

import math

import numpy as np

from squat_env.compiled import compiled


def cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Cross products (K, 3) of (K, 3); numpy's own takes five times as long on short arrays."""
    (ax, ay, az), (bx, by, bz) = a.T, b.T
    return np.array([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx]).T


def turned(quat: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """Vectors (K, 3) turned by unit quaternions (K, 4), wxyz."""
    scalar, axis = quat[:, :1], quat[:, 1:]
    twice = 2.0 * cross(axis, vector)
    return vector + scalar * twice + cross(axis, twice)


def about(axis: str, angle: np.ndarray | float) -> np.ndarray:
    """Rotations (..., 3, 3) about a coordinate axis by angles (...) [rad]."""
    angle = np.asarray(angle, dtype=float)
    c, s = np.cos(angle), np.sin(angle)
    i, j = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
    matrix = np.zeros((*angle.shape, 3, 3))
    matrix[..., 3 - i - j, 3 - i - j] = 1.0
    matrix[..., i, i] = matrix[..., j, j] = c
    matrix[..., i, j], matrix[..., j, i] = -s, s
    return matrix


@compiled
def of_quaternions(quat: np.ndarray) -> np.ndarray:
    """Rotations (K, 3, 3) of unit quaternions (K, 4), wxyz."""
    matrix = np.empty((len(quat), 3, 3))
    for k in range(len(quat)):
        w, x, y, z = quat[k]
        row = matrix[k]
        row[0, 0], row[0, 1], row[0, 2] = 1.0 - 2.0 * (y * y + z * z), 2.0 * (x * y - w * z), 2.0 * (x * z + w * y)
        row[1, 0], row[1, 1], row[1, 2] = 2.0 * (x * y + w * z), 1.0 - 2.0 * (x * x + z * z), 2.0 * (y * z - w * x)
        row[2, 0], row[2, 1], row[2, 2] = 2.0 * (x * z - w * y), 2.0 * (y * z + w * x), 1.0 - 2.0 * (x * x + y * y)
    return matrix


@compiled
def euler_yxz(angles: np.ndarray, signs: tuple[int, int, int]) -> np.ndarray:
    """Rotation (K, 3, 3) of three hinges in a row about +-y, +-x, +-z by angles (K, 3) [rad]."""
    matrix = np.empty((len(angles), 3, 3))
    for k in range(len(angles)):
        y, x, z = angles[k, 0], angles[k, 1], angles[k, 2]
        cy, cx, cz = math.cos(y), math.cos(x), math.cos(z)
        sy, sx, sz = signs[0] * math.sin(y), signs[1] * math.sin(x), signs[2] * math.sin(z)
        row = matrix[k]
        row[0, 0], row[0, 1], row[0, 2] = cy * cz + sy * sx * sz, sy * sx * cz - cy * sz, sy * cx
        row[1, 0], row[1, 1], row[1, 2] = cx * sz, cx * cz, -sx
        row[2, 0], row[2, 1], row[2, 2] = cy * sx * sz - sy * cz, sy * sz + cy * sx * cz, cy * cx
    return matrix
