"""Sequences in frames that need no label and no other recording: turned to gravity, scaled by themselves."""

from dataclasses import replace

import numpy as np

from real2sim.sequences import GROUPS, Sequence
from real2sim.windows import SMALLEST_STD

DEVICES = ("watch", "phone")


def aligned(sequences: list[Sequence]) -> list[Sequence]:
    """Every sequence with each device's z axis along its mean acceleration and every channel scaled.

    About the vertical, x is the horizontal axis that the device turns about most, and points to where its angular
    velocity is skewed to; so a device in another mounting reads nearly the same. Then every channel has mean 0 and
    standard deviation 1.
    """
    return [replace(sequence, values=_scaled(_turned(sequence))) for sequence in sequences]


def _turned(sequence: Sequence) -> np.ndarray:
    values = sequence.values.copy()
    for device in DEVICES:
        if GROUPS[device][0] in sequence.channels:
            first = sequence.channels.index(GROUPS[device][0])
            accel, gyro = values[:, first : first + 3], values[:, first + 3 : first + 6]
            if np.isfinite(accel).all(axis=1).any() and np.isfinite(gyro).all(axis=1).any():
                turn = mounting(accel, gyro)
                values[:, first : first + 3], values[:, first + 3 : first + 6] = accel @ turn.T, gyro @ turn.T
    return values


def mounting(accel: np.ndarray, gyro: np.ndarray) -> np.ndarray:
    """The rotation from the device's axes to gravity's and the movement's.

    Args:
        accel: (T, 3) proper acceleration, m/s^2, device frame; NaN where nothing was measured.
        gyro: (T, 3) angular velocity, rad/s, device frame.

    Returns:
        (3, 3) rotation whose rows are the new x, y and z axes in the device frame.
    """
    up = np.nanmean(accel, axis=0)
    up = up / max(float(np.linalg.norm(up)), SMALLEST_STD)
    rates = gyro[np.isfinite(gyro).all(axis=1)]
    across = rates - (rates @ up)[:, None] * up
    x = np.linalg.eigh(across.T @ across)[1][:, -1]
    x = x - (x @ up) * up
    x = x / np.linalg.norm(x)
    if ((across @ x) ** 3).sum() < 0:
        x = -x
    return np.stack([x, np.cross(up, x), up]).astype(np.float32)


def _scaled(values: np.ndarray) -> np.ndarray:
    known = np.isfinite(values)
    number = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, values, 0.0).sum(axis=0) / number
    std = np.sqrt(np.where(known, (values - mean) ** 2, 0.0).sum(axis=0) / number)
    return ((values - mean) / np.maximum(std, SMALLEST_STD)).astype(np.float32)
