"""Whether numbers can be what a stream says they are: units, gravity, and channels that measured nothing."""

from __future__ import annotations

import numpy as np

from real2sim.recordings.recording import Stream, refusal

GRAVITY = 9.80665
"""Standard gravity, m/s^2 (BIPM, The International System of Units, 9th edition, 2019)."""

NORM_IN_G = (0.5, 2.0)
"""Median norm of an acceleration that was recorded in g."""

NORM_WITH_GRAVITY = (0.4 * GRAVITY, 2.5 * GRAVITY)
"""Median norm of a proper acceleration in m/s^2 that includes gravity; exercise leaves it near 1 g."""

FASTEST_GYRO = np.deg2rad(2000)
"""Full scale of gyroscopes in watches and phones, rad/s; 1 % of the samples beyond it means another unit."""

LONGEST_S = 24 * 3600.0
"""Longest recording, s; times that span more are in another unit, or one of them is wrong."""


def refuse_implausible(sensor: str, stream: Stream, where: str) -> None:
    """Refuse a stream that cannot be what it claims to be.

    Args:
        sensor: "watch", "phone" or "range".
        stream: The stream in SI units.
        where: The place to name in the message, e.g. a file.

    Raises:
        RecordingError: If the stream has fewer than two samples or lasts more than a day, a channel never
            changes or is empty, the acceleration looks as if it was in g or lacked gravity, or the angular
            velocity as if in degrees.
    """
    span = float(stream.t[-1] - stream.t[0]) if len(stream.t) else 0.0
    if not 0 < span <= LONGEST_S:
        raise refusal(
            f"{where}, column 't'",
            got=f"{len(stream.t)} times within {span:g}",
            expected=f"two or more, within {LONGEST_S:g} s",
            remedy="convert t to seconds, or leave the stream out",
        )
    for name, column in zip(stream.columns, stream.values.T, strict=True):
        _refuse_constant(column[np.isfinite(column)], f"{where}, column {name!r}")
    if sensor != "range":
        acceleration, rotation = stream.values[:, :3], stream.values[:, 3:]
        _refuse_acceleration(np.linalg.norm(acceleration, axis=1), f"{where}, columns 'acc_x' to 'acc_z'")
        _refuse_rotation(np.linalg.norm(rotation, axis=1), f"{where}, columns 'gyr_x' to 'gyr_z'")


def _refuse_constant(known: np.ndarray, where: str) -> None:
    if not len(known) or known.min() == known.max():
        raise refusal(
            where,
            got=f"{known[0]:g} throughout" if len(known) else "no value at all",
            expected="a signal that changes",
            remedy="leave the stream out if its sensor did not run",
        )


def _refuse_acceleration(norm: np.ndarray, where: str) -> None:
    median = float(np.median(norm))
    if NORM_WITH_GRAVITY[0] <= median <= NORM_WITH_GRAVITY[1]:
        return
    if NORM_IN_G[0] <= median <= NORM_IN_G[1]:
        remedy = f"it looks like g, so multiply by {GRAVITY}"
    else:
        remedy = "add gravity if it was taken out, and convert to m/s^2"
    raise refusal(
        where,
        got=f"a median norm of {median:.3g}",
        expected=f"about {GRAVITY:.2f} m/s^2 of proper acceleration, gravity included",
        remedy=remedy,
    )


def _refuse_rotation(norm: np.ndarray, where: str) -> None:
    high = float(np.quantile(norm, 0.99))
    if high > FASTEST_GYRO:
        raise refusal(
            where,
            got=f"a norm above {high:.3g} in 1 % of the samples",
            expected=f"less than {FASTEST_GYRO:.3g} rad/s",
            remedy="it looks like deg/s, so multiply by pi/180",
        )
