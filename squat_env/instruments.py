"""What the wearers' devices read, step by step: the random part of their errors is drawn at the start of a set.

These are the errors that `inertial`, `ranging` and `wobble` put on whole streams, a sample at a time and cheap. A
device's clock, its jitter and its stalls belong to streams: here every step has its sample.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import block_diag

from squat_env.devices import ImuErrors, RangeErrors
from squat_env.inertial import draw_imu_noise
from squat_env.model import DEVICES
from squat_env.population import Draw
from squat_env.ranging import EXCESS_CAP_M, IN_SIGHT_M, RangeNoise, draw_range_noise
from squat_env.swings import ARC, COURSES, FELT, basis_of, courses, felt_mean, hanging, swing_matrix

UNIT_COLUMNS = 12  # the first of the model's readings: watch accel, watch gyro, phone accel, phone gyro, 3 each
FINEST = 1e-9  # step of a unit without steps of its own: finer than the float32 of an observation


@dataclass(frozen=True, kw_only=True, eq=False)
class Units:
    """The inertial units of one wearer for one set.

    Attributes:
        loose: One of the devices is.
        map: From the sums of the readings of n ticks to steps of the units, (12, 12); for loose devices from the sums
            of the products in `swings`, (12, 112).
        basis: (12, 12) takes readings to the parts `swings.FELT`.
        swing, hanging: Of both devices, (2, 3 n + 2, n + 2) and (2, 3); see `swings`.
        play: (2, 1) [rad].
        low, high: (12,) lowest and highest reading in steps.
        step: (12,) of the units [m/s^2], [rad/s].
        offset: (S, 12) bias and noise of every sample in steps.
    """

    loose: bool
    map: np.ndarray
    basis: np.ndarray
    swing: np.ndarray
    hanging: np.ndarray
    play: np.ndarray
    low: np.ndarray
    high: np.ndarray
    step: np.ndarray
    offset: np.ndarray


def draw_units(
    draw: Draw, rng: np.random.Generator, *, samples: int, rate_hz: float, ticks: int, limits: np.ndarray
) -> Units:
    """Draws the noise of a wearer's units.

    Args:
        draw: The wearer.
        rng: Noise.
        samples: Of the set.
        rate_hz: Of the samples.
        ticks: Physics steps a sample.
        limits: (12,) no reading is beyond +- these [m/s^2], [rad/s].
    """
    held = [getattr(draw.placement, device).looseness for device in DEVICES]
    units: list[ImuErrors] = [getattr(draw.devices, device) for device in DEVICES]
    noise = [draw_imu_noise(samples, unit, rng, rate_hz=rate_hz) for unit in units]
    full = np.repeat([limit for unit in units for limit in (unit.accel_limit, unit.gyro_limit)], 3)
    half = np.where(full > 0, np.repeat([2.0 ** (unit.bits - 1) for unit in units], 6), np.inf)
    step = np.where(full > 0, full / half, FINEST)
    loose = any(looseness.play_deg > 0 for looseness in held)
    matrix = block_diag(*(matrix for unit in units for matrix in (unit.accel_matrix, unit.gyro_matrix)))
    if loose:
        matrix = matrix @ block_diag(*(felt_mean(looseness, ticks).reshape(6, -1) for looseness in held))
    bias = np.hstack([bias for unit in units for bias in (unit.accel_bias, unit.gyro_bias)])
    return Units(
        loose=loose,
        map=matrix / step[:, None] if loose else matrix / (ticks * step[:, None]),
        basis=np.asarray(block_diag(*(basis_of(looseness) for looseness in held))),
        swing=np.array([swing_matrix(looseness, ticks) for looseness in held]),
        hanging=np.array([hanging(looseness) for looseness in held]),
        play=np.array([[np.deg2rad(looseness.play_deg) or 1.0] for looseness in held]),
        low=np.maximum(-half, -limits / step),
        high=np.minimum(half - 1, limits / step),
        step=step,
        offset=(bias + np.hstack([part for one in noise for part in (one.accel, one.gyro)])) / step,
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class Group:
    """Wearers whose units are read by the same operations; arrays are those of their `Units`, stacked."""

    rows: list[int]  # which of those who are read
    where: Any  # the same as an index, a slice where it is all of them
    wearers: list[int]
    offsets: list[np.ndarray]
    loose: bool
    map: np.ndarray
    basis: np.ndarray
    swing: np.ndarray
    play: np.ndarray
    low: np.ndarray
    high: np.ndarray
    step: np.ndarray


class Panel:
    """Reads the units of several wearers; what one of them reads does not depend on who else is there."""

    def __init__(self, wearers: int):
        self._units: dict[int, Units] = {}
        self._states = np.zeros((wearers, 2, 2))
        self._groups: dict[tuple[int, ...], list[Group]] = {}

    def put(self, wearer: int, units: Units, readings: np.ndarray) -> np.ndarray:
        """Gives a wearer new units, whose loose devices hang at rest, and reads them for the first time.

        Args:
            wearer: Number.
            units: The new ones.
            readings: (nsensordata,) of the first state.

        Returns:
            (12,) as `read` writes them.
        """
        self._units[wearer] = units
        self._groups.clear()
        (group,) = self._grouped((wearer,))
        ticks = units.swing.shape[2] - 2
        still = np.repeat(readings[None, None, :UNIT_COLUMNS], ticks, axis=1)
        if units.loose:
            felt = still @ group.basis
            hanging = units.hanging * felt[0, 0, ARC::6, None]
            self._states[wearer] = hanging[:, 1:]
            free = np.zeros((3, 1, 2, ticks))
            free[0, 0] = hanging[:, :1]
            found = _products(felt, free, group.play)
        else:
            found = np.add.reduce(still, axis=1)
        out = np.empty((1, UNIT_COLUMNS))
        _report(group, found, (0,), out)
        return out[0]

    def read(self, wearers: Sequence[int], samples: Sequence[int], readings: np.ndarray, out: np.ndarray) -> None:
        """Writes what the units of some wearers deliver: watch accel and gyro, phone accel and gyro [m/s^2], [rad/s].

        Args:
            wearers: (K,) numbers.
            samples: (K,) the number of the sample in each one's set.
            readings: (K, n, nsensordata) ideal readings of the n ticks since the sample before.
            out: (K, 12) of any floating type, overwritten.
        """
        for group in self._grouped(tuple(wearers)):
            theirs = readings[group.where, :, :UNIT_COLUMNS]
            found = self._swing(group, theirs) if group.loose else np.add.reduce(theirs, axis=1)
            _report(group, found, samples, out)

    def _grouped(self, wearers: tuple[int, ...]) -> list[Group]:
        """The loose and the tight among some wearers."""
        if wearers not in self._groups:
            self._groups[wearers] = [
                self._group(wearers, rows)
                for loose in (False, True)
                if (rows := [row for row, wearer in enumerate(wearers) if self._units[wearer].loose == loose])
            ]
        return self._groups[wearers]

    def _group(self, wearers: tuple[int, ...], rows: list[int]) -> Group:
        units = [self._units[wearers[row]] for row in rows]
        return Group(
            rows=rows,
            where=rows if len(rows) < len(wearers) else slice(None),
            wearers=[wearers[row] for row in rows],
            offsets=[one.offset for one in units],
            loose=units[0].loose,
            **{name: np.stack([getattr(one, name) for one in units]) for name in _STACKED},
        )

    def _swing(self, group: Group, readings: np.ndarray) -> np.ndarray:
        """Lets the loose devices swing on under readings (K, n, 12); the sums of products of `swings`, (K, 112)."""
        felt = readings @ group.basis
        count, ticks, _ = felt.shape
        before = np.empty((count, 2, ticks + 2, 1))
        before[:, :, :ticks, 0] = felt[:, :, ARC::6].transpose(0, 2, 1)
        before[:, :, ticks:, 0] = self._states[group.wearers]
        after = (group.swing @ before)[..., 0]
        self._states[group.wearers] = after[:, :, 3 * ticks :]
        free = after[:, :, : 3 * ticks].reshape(count, 2, 3, ticks).transpose(2, 0, 1, 3)
        return _products(felt, free, group.play)


_STACKED = ("map", "basis", "swing", "play", "low", "high", "step")


def _products(felt: np.ndarray, free: np.ndarray, play: np.ndarray) -> np.ndarray:
    """Sums over n ticks of the products of `COURSES` with `FELT` for both devices of K wearers, (K, 112)."""
    count, ticks, _ = felt.shape
    swung = courses(free, play).transpose(1, 2, 0, 3)
    sums = np.empty((count, 2, len(COURSES), len(FELT)))
    np.matmul(swung, felt.reshape(count, ticks, 2, 6).transpose(0, 2, 1, 3), out=sums[..., :6])
    np.add.reduce(swung, axis=-1, out=sums[..., 6])
    return sums.reshape(count, -1)


def _report(group: Group, found: np.ndarray, samples: Sequence[int], out: np.ndarray) -> None:
    """From what is felt to what is delivered: errors, steps and full scale."""
    steps = (group.map @ found[..., None])[..., 0]
    for row, number in enumerate(group.rows):
        steps[row] += group.offsets[row][samples[number]]
    np.rint(steps, out=steps)
    np.maximum(steps, group.low, out=steps)
    np.minimum(steps, group.high, out=steps)
    steps *= group.step
    out[group.where] = steps


def tame(readings: np.ndarray) -> np.ndarray:
    """Readings of a physics that may have failed, without what is not finite and far from overflow."""
    return np.clip(np.nan_to_num(readings, posinf=0.0, neginf=0.0), -1e9, 1e9)


class RangeLink:
    """The link between the devices, reading after reading."""

    def __init__(self, errors: RangeErrors, rng: np.random.Generator, *, readings: int, rate_hz: float):
        """Draws the noise of so many readings."""
        self._errors = errors
        self._noise: RangeNoise = draw_range_noise(readings, errors, rng, rate_hz=rate_hz)
        self._still_lost = self._number = 0

    def read(self, distance: float, thickness: float) -> float:
        """The next reading [m], NaN where it is lost; `ranging.apply_range_errors` for one reading.

        Args:
            distance: True distance [m].
            thickness: Metres of body in the way.
        """
        errors, noise, number = self._errors, self._noise, self._number
        spread, share, excess = errors.noise_m, errors.loss, 0.0
        if thickness >= IN_SIGHT_M:
            spread, share = math.hypot(errors.noise_m, errors.blocked_noise_m), errors.blocked_loss
            excess = min(noise.excess[number] * (errors.excess_m + errors.excess_per_m * thickness), EXCESS_CAP_M)
        if not self._still_lost and noise.chance[number] < share / (share + noise.mean_burst * (1.0 - share)):
            self._still_lost = int(noise.burst[number])
        reading = max(0.0, float(distance + errors.calibration_m + spread * noise.normal[number] + excess))
        lost, self._still_lost = self._still_lost > 0, max(self._still_lost - 1, 0)
        self._number += 1
        return math.nan if lost else reading
