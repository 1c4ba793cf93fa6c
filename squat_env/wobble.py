"""How a device in a loose pocket or on a loose strap turns against the segment that wears it."""

import math
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from scipy.signal import lfilter

Vector = tuple[float, float, float]


@dataclass(frozen=True, kw_only=True)
class Looseness:
    """How a device is held: a damped swing about a pivot, between stops. The default is tight.

    Vectors are in the device's frame.

    Attributes:
        play_deg: Largest angle to either side; 0 is tight.
        natural_hz: Undamped natural frequency of the swing, the cloth's or strap's stiffness as worn.
        damping: Damping ratio, between 0 and 1.
        axis: Direction of the swing's axis.
        arm_m: From the pivot to the device, perpendicular to the axis.

    Raises:
        ValueError: A value is out of range, or the arm is not perpendicular to the axis.
    """

    play_deg: float = 0.0
    natural_hz: float = 4.0
    damping: float = 0.3
    axis: Vector = (1.0, 0.0, 0.0)
    arm_m: Vector = (0.0, 0.05, 0.0)

    def __post_init__(self):
        if not 0.0 <= self.play_deg <= 45.0:
            raise ValueError(f"play_deg is {self.play_deg}, expected an angle from 0 (tight) to 45")
        if not 0.0 < self.natural_hz <= 50.0:
            raise ValueError(f"natural_hz is {self.natural_hz}, expected a frequency above 0, up to 50 Hz")
        if not 0.0 < self.damping < 1.0:
            raise ValueError(f"damping is {self.damping}, expected a ratio between 0 and 1")
        length, arm = math.hypot(*self.axis), math.hypot(*self.arm_m)
        along = sum(a * b for a, b in zip(self.axis, self.arm_m, strict=True))
        if not (length > 0 < arm and abs(along) <= 1e-6 * length * arm):
            raise ValueError(f"arm_m is {self.arm_m}, expected a vector perpendicular to the axis {self.axis}")


def mirrored_looseness(looseness: Looseness) -> Looseness:
    """The same hold on a device that is mirrored left to right: its x axis is turned round."""
    (ax, ay, az), (x, y, z) = looseness.axis, looseness.arm_m
    return replace(looseness, axis=(ax, -ay, -az), arm_m=(-x, y, z))


def wobble(
    accel: np.ndarray,
    gyro: np.ndarray,
    looseness: Looseness,
    *,
    timestep_s: float,
    state: complex | None = None,
) -> tuple[np.ndarray, np.ndarray, complex]:
    """What a loose device feels where a tight one would feel these signals.

    The device is a point mass at the end of the arm. Its swing phi obeys phi'' + 2 zeta w phi' + w^2 phi = -a_t / arm,
    a_t being the proper acceleration along the arc: it lags behind every jolt, and sags where the segment tilts. Stops
    limit it smoothly, theta = play tanh(phi / play). Acceleration and angular velocity are those of one and the same
    movement: turned by theta, with the swing's tangential, centripetal and Coriolis acceleration added. The centimetre
    by which the device moves is not in the segment's acceleration nor in the range.

    Causal: feeding a stream in pieces, each with the state that the last one returned, gives the same samples.

    Args:
        accel, gyro: (N, 3) ideal signals of the tight device [m/s^2], [rad/s].
        looseness: How it is held.
        timestep_s: Between samples [s]; a fraction of the swing's period.
        state: Of the swing after the last piece. None is at rest under the first sample.

    Returns:
        accel (N, 3), gyro (N, 3) in the turned device's frame, and the state after the last sample.
    """
    if looseness.play_deg == 0 or not len(accel):
        return accel.copy(), gyro.copy(), 0j if state is None else state
    arm = float(np.linalg.norm(looseness.arm_m))
    basis = swing_basis(looseness)
    felt, turning = accel @ basis, gyro @ basis
    (angle, speed, rise), state = _swing(felt[:, 1] / -arm, looseness, timestep_s, state)
    turn = np.exp(-1j * angle)
    plane = (felt[:, 0] + 1j * felt[:, 1]) * turn + arm * (1j * rise - speed**2)
    spin = (turning[:, 0] + 1j * turning[:, 1]) * turn
    across = 2.0 * arm * speed
    felt = np.stack([plane.real - across * turning[:, 2], plane.imag, felt[:, 2] + across * spin.real], axis=1)
    turning = np.stack([spin.real, spin.imag, turning[:, 2] + speed], axis=1)
    return felt @ basis.T, turning @ basis.T, state


@lru_cache(maxsize=64)
def swing_basis(looseness: Looseness) -> np.ndarray:
    """Columns (3, 3): outwards along the arm, along the arc, along the axis."""
    axis, outward = (np.array(v) / np.linalg.norm(v) for v in (looseness.axis, looseness.arm_m))
    return np.column_stack([outward, np.cross(axis, outward), axis])


@lru_cache(maxsize=64)
def swing_constants(looseness: Looseness, timestep_s: float) -> tuple[complex, complex, complex, complex]:
    """Pole [1/s], and what one step makes of the state, of the drive at its end and of the drive at its beginning."""
    omega, zeta = 2.0 * np.pi * looseness.natural_hz, looseness.damping
    pole = omega * complex(-zeta, np.sqrt(1.0 - zeta**2))
    growth = complex(np.exp(pole * timestep_s))
    late = (growth - 1.0 - pole * timestep_s) / (pole**2 * timestep_s)
    return pole, growth, late, (growth - 1.0) / pole - late


def hanging(looseness: Looseness, timestep_s: float, drive: float) -> complex:
    """The state of a device at rest under a drive [rad/s^2]."""
    pole, _, late, _ = swing_constants(looseness, timestep_s)
    return complex(-drive * (1.0 / pole + late))


def _swing(
    drive: np.ndarray, looseness: Looseness, timestep_s: float, state: complex | None
) -> tuple[tuple[np.ndarray, np.ndarray, np.ndarray], complex]:
    """Angle, angular velocity and acceleration (N,) of the swing between its stops, and the state.

    With the pole s = w (-zeta + i sqrt(1 - zeta^2)), z = phi' - conj(s) phi obeys z' = s z + drive; the recursion is
    exact for a drive that is linear between samples.
    """
    pole, growth, late, early = swing_constants(looseness, timestep_s)
    if state is None:
        state = hanging(looseness, timestep_s, drive[0])
    z, carried = lfilter([late, early], [1.0, -growth], drive, zi=[state])
    phi = z.imag / pole.imag
    speed = z.real + pole.real * phi
    rise = drive + 2.0 * pole.real * speed - abs(pole) ** 2 * phi
    play = np.deg2rad(looseness.play_deg)
    share = np.tanh(phi / play)
    slope = 1.0 - share**2
    stopped = play * share, slope * speed, slope * (rise - 2.0 / play * share * speed**2)
    return stopped, complex(carried[0])
