"""What the wearers' devices read, step by step: the random part of their errors is drawn at the start of a set.

These are the errors that `inertial`, `ranging` and `wobble` put on whole streams, a sample at a time and cheap. A
device's clock, its jitter and its stalls belong to streams: here every step has its sample.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from squat_env.devices import ImuErrors, RangeErrors
from squat_env.inertial import draw_imu_noise
from squat_env.kernels import read_lanes, read_units
from squat_env.model import TIMESTEP_S
from squat_env.population import Draw
from squat_env.ranging import EXCESS_CAP_M, IN_SIGHT_M, RangeNoise, draw_range_noise
from squat_env.stepping import with_rows
from squat_env.wearables import DEVICES
from squat_env.wobble import Looseness, hanging, swing_basis, swing_constants

UNIT_COLUMNS = 12  # the first of the model's readings: watch accel, watch gyro, phone accel, phone gyro, 3 each
FINEST = 1e-9  # step of a unit without steps of its own: finer than the float32 of an observation


@dataclass(frozen=True, kw_only=True, eq=False)
class Units:
    """The inertial units of one wearer for one set, as `kernels.read_units` takes them.

    Attributes:
        held: How both devices are.
        swings: (2, 19) the same as numbers.
        errors: (4, 3, 3) from the sum of the readings of all ticks to steps of the units.
        steps: (3, 12) lowest and highest reading in steps, and the steps [m/s^2], [rad/s].
        offset: (S, 12) bias and noise of every sample in steps.
    """

    held: tuple[Looseness, ...]
    swings: np.ndarray
    errors: np.ndarray
    steps: np.ndarray
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
    held = tuple(getattr(draw.placement, device).looseness for device in DEVICES)
    units: list[ImuErrors] = [getattr(draw.devices, device) for device in DEVICES]
    noise = [draw_imu_noise(samples, unit, rng, rate_hz=rate_hz) for unit in units]
    full = np.repeat([limit for unit in units for limit in (unit.accel_limit, unit.gyro_limit)], 3)
    half = np.where(full > 0, np.repeat([2.0 ** (unit.bits - 1) for unit in units], 6), np.inf)
    step = np.where(full > 0, full / half, FINEST)
    errors = np.array([matrix for unit in units for matrix in (unit.accel_matrix, unit.gyro_matrix)])
    bias = np.hstack([bias for unit in units for bias in (unit.accel_bias, unit.gyro_bias)])
    return Units(
        held=held,
        swings=np.array([_swing(looseness) for looseness in held]),
        errors=errors / (ticks * step.reshape(4, 3, 1)),
        steps=np.array([np.maximum(-half, -limits / step), np.minimum(half - 1, limits / step), step]),
        offset=(bias + np.hstack([part for one in noise for part in (one.accel, one.gyro)])) / step,
    )


def _swing(looseness: Looseness) -> np.ndarray:
    """Play [rad], arm [m], `wobble.swing_constants` as real and imaginary parts, and the basis: (19,); 0 if tight."""
    if not looseness.play_deg:
        return np.zeros(19)
    numbers = np.array([np.deg2rad(looseness.play_deg) + 1j * np.linalg.norm(looseness.arm_m)])
    constants = np.array(swing_constants(looseness, TIMESTEP_S))
    return np.concatenate([numbers.view(float), constants.view(float), swing_basis(looseness).ravel()])


class Panel:
    """Reads the inertial units of one wearer. A copy or a pickle of it goes on with the same bits."""

    def __init__(self, units: Units, state: np.ndarray | None = None):
        """`state` (2, 2) is that of the swings; without one, `start` comes before `read`."""
        self._units, self._state = units, np.zeros((2, 2)) if state is None else state
        self._call = self._state, units.swings, units.errors, units.steps

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return Panel, self.copied()

    def copied(self) -> tuple[Units, np.ndarray]:
        """The units, and a copy of the state (2, 2) of their swings."""
        return self._units, self._state.copy()

    def start(self, readings: np.ndarray, ticks: int, out: np.ndarray) -> None:
        """Lets loose devices hang at rest, and reads the units for the first time.

        Args:
            readings: (nsensordata,) of the first state.
            ticks: Physics steps a sample.
            out: (12,) as `read` writes it.
        """
        for device, looseness in enumerate(self._units.held):
            if looseness.play_deg:
                arc = float(readings[6 * device : 6 * device + 3] @ swing_basis(looseness)[:, 1])
                rest = hanging(looseness, TIMESTEP_S, -arc / float(np.linalg.norm(looseness.arm_m)))
                self._state[device] = rest.real, rest.imag
        self.read(0, np.tile(readings, (ticks, 1)), out)

    def read(self, sample: int, readings: np.ndarray, out: np.ndarray) -> None:
        """Writes what the units deliver: watch accel and gyro, phone accel and gyro [m/s^2], [rad/s].

        Args:
            sample: Its number in the set.
            readings: (n, nsensordata) ideal readings of the n ticks since the sample before.
            out: (12,) of any floating type, overwritten.
        """
        read_units(readings, *self._call, self._units.offset[sample], out)


class Panels:
    """Reads the inertial units of several wearers at once; each lane goes on as its `Panel` would."""

    def __init__(self, count: int):
        """`put` comes before `read`."""
        shapes = (2, 2), (2, 19), (4, 3, 3), (3, 12)
        self._units = tuple(np.zeros((count, *shape)) for shape in shapes)
        self._offset = np.empty((count, 0, UNIT_COLUMNS))

    def put(self, lane: int, panel: Panel) -> None:
        """Gives a lane the units of a wearer, as they are."""
        units, state = panel.copied()
        for lanes, one in zip(self._units, (state, units.swings, units.errors, units.steps), strict=True):
            lanes[lane] = one
        self._offset = with_rows(self._offset, lane, units.offset)

    def read(self, lanes: np.ndarray, samples: np.ndarray, readings: np.ndarray, out: np.ndarray) -> None:
        """Writes what the units of some lanes deliver, see `Panel.read`.

        Args:
            lanes, samples: (L,) numbers of the lanes, and of their samples in the set.
            readings: (L, n, nsensordata) ideal readings of the n ticks since the samples before.
            out: (N, W) of all lanes, of any floating type, overwritten in the first 12 columns.
        """
        read_lanes(lanes, samples, readings, self._units, self._offset, out)


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
