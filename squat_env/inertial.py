"""From what a device feels to what its inertial unit reports: clock, rate, noise, bias, clipping, gaps. Pure functions.

A whole stream goes through `measure_imu`. Whoever makes samples one by one draws the noise of all of them first
(`draw_imu_noise`) and passes the matching rows to `apply_imu_errors`; both ways have the same errors.
"""

import math
from dataclasses import dataclass

import numpy as np

from squat_env.devices import STALL_S, ImuErrors
from squat_env.kernels import add_gauss_markov
from squat_env.signals import CUTOFF_PER_RATE, low_pass

FLICKER_S = (3.0, 30.0, 300.0)  # correlation times whose sum makes the Allan deviation flat from 5 to 400 s
MOST_JITTER = 0.4  # of a sampling period; samples never overtake each other


@dataclass(frozen=True, kw_only=True, eq=False)
class ImuNoise:
    """The random part of a unit's samples: white noise and the wandering of the bias.

    Attributes:
        accel, gyro: (T, 3) [m/s^2], [rad/s].
    """

    accel: np.ndarray
    gyro: np.ndarray

    def __getitem__(self, rows: slice) -> "ImuNoise":
        return ImuNoise(accel=self.accel[rows], gyro=self.gyro[rows])


def measure_imu(
    time: np.ndarray,
    accel: np.ndarray,
    gyro: np.ndarray,
    errors: ImuErrors,
    rng: np.random.Generator,
    *,
    rate_hz: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Samples ideal inertial signals as a real unit does.

    The stream begins up to two samples before `time` and ends up to two after it, so that a grid within it is enclosed;
    the signals keep their end values there.

    Args:
        time: (N,) uniform true times [s].
        accel, gyro: (N, 3) ideal signals [m/s^2], [rad/s].
        errors: The unit.
        rng: Noise.
        rate_hz: The rate asked for; the unit's own differs by its `rate_error`.

    Returns:
        Stamps (T,) of the unit's own clock, increasing [s], accel (T, 3), gyro (T, 3); rows of NaN where it stalled.

    Raises:
        ValueError: The rate is not above 0, or above that of the signals.
    """
    source_hz = (len(time) - 1) / (time[-1] - time[0])
    if not 0.0 < rate_hz <= source_hz * (1 + 1e-6):
        raise ValueError(f"rate_hz is {rate_hz:g}, expected one above 0, up to the {source_hz:g} Hz of the signals")
    own_hz = rate_hz * (1.0 + errors.rate_error)
    stamps = _stamps(time, own_hz, errors.jitter_s, rng)
    both = low_pass(np.column_stack([accel, gyro]), source_hz, CUTOFF_PER_RATE * own_hz)
    both = _interpolate(both, (errors.clock.true_time(stamps) - time[0]) * source_hz)
    accel, gyro = distort_imu(both[:, :3], both[:, 3:], errors, rng, rate_hz=own_hz)
    lost = stalled(stamps, errors.stalls_per_s, rng)
    accel[lost], gyro[lost] = np.nan, np.nan
    return stamps, accel, gyro


def _stamps(time: np.ndarray, rate_hz: float, jitter_s: float, rng: np.random.Generator) -> np.ndarray:
    count = int(np.ceil((time[-1] - time[0]) * rate_hz - 1e-6)) + 3
    jitter = np.clip(jitter_s * rate_hz * rng.standard_normal(count), -MOST_JITTER, MOST_JITTER)
    return time[0] + (np.arange(-1, count - 1) + jitter) / rate_hz


def _interpolate(x: np.ndarray, position: np.ndarray) -> np.ndarray:
    """Rows of x (N, k) at fractional positions (T,), linearly; the end rows beyond the ends."""
    position = np.clip(position, 0.0, len(x) - 1.0)
    before = np.minimum(position.astype(int), len(x) - 2)
    share = (position - before)[:, None]
    return (1.0 - share) * x[before] + share * x[before + 1]


def distort_imu(
    accel: np.ndarray, gyro: np.ndarray, errors: ImuErrors, rng: np.random.Generator, *, rate_hz: float
) -> tuple[np.ndarray, np.ndarray]:
    """Adds a unit's errors to consecutive samples (T, 3) of a stream of this rate; returns accel and gyro (T, 3)."""
    return apply_imu_errors(accel, gyro, errors, draw_imu_noise(len(accel), errors, rng, rate_hz=rate_hz))


def draw_imu_noise(count: int, errors: ImuErrors, rng: np.random.Generator, *, rate_hz: float) -> ImuNoise:
    """Draws the random part of `count` consecutive samples of a stream of this rate."""
    white = rng.standard_normal((count, 6)) * np.sqrt(0.5 * rate_hz)
    slow = flicker(count, 6, rng, rate_hz=rate_hz)
    return ImuNoise(
        accel=errors.accel_noise * white[:, :3] + errors.accel_instability * slow[:, :3],
        gyro=errors.gyro_noise * white[:, 3:] + errors.gyro_instability * slow[:, 3:],
    )


def flicker(count: int, columns: int, rng: np.random.Generator, *, rate_hz: float) -> np.ndarray:
    """Independent flicker noise with bias instability B = 1 in each column.

    A sum of three stationary first-order Gauss-Markov processes whose correlation times are a decade apart. It has the
    1/f spectrum between them and, unlike a random walk, stays bounded.

    Args:
        count, columns: Shape of the result.
        rng: Noise.
        rate_hz: Of the samples.

    Returns:
        (count, columns); its Allan deviation is 0.664 within 8 % from 5 to 400 s.

    References:
        IEEE Std 952-1997, annex C (Gauss-Markov processes in place of bias instability); El-Sheimy, Hou, Niu, Analysis
        and modeling of inertial sensors using Allan variance, IEEE Trans. Instrum. Meas. 57(1), 2008.
    """
    spread = np.sqrt(np.log(10.0) / np.pi)
    total = np.zeros((count, columns))
    for correlation_s in FLICKER_S:
        start, steps = rng.standard_normal(columns), rng.standard_normal((count, columns))
        add_gauss_markov(math.exp(-1.0 / (rate_hz * correlation_s)), start, steps, total)
    return spread * total


def apply_imu_errors(
    accel: np.ndarray, gyro: np.ndarray, errors: ImuErrors, noise: ImuNoise
) -> tuple[np.ndarray, np.ndarray]:
    """Adds a unit's errors, with the noise already drawn, to ideal samples (T, 3); returns accel and gyro (T, 3)."""
    accel = accel @ np.array(errors.accel_matrix).T + errors.accel_bias + noise.accel
    gyro = gyro @ np.array(errors.gyro_matrix).T + errors.gyro_bias + noise.gyro
    return (
        quantise(accel, errors.accel_limit, bits=errors.bits),
        quantise(gyro, errors.gyro_limit, bits=errors.bits),
    )


def quantise(x: np.ndarray, limit: float, *, bits: int = 16) -> np.ndarray:
    """Clips at +-limit and rounds to this many bits over it; a limit of 0 changes nothing."""
    if limit == 0:
        return x.copy()
    half = 2 ** (bits - 1)
    step = limit / half
    return np.clip(np.round(x / step), -half, half - 1) * step


def stalled(stamps: np.ndarray, stalls_per_s: float, rng: np.random.Generator) -> np.ndarray:
    """Which samples (T,) bool of a stream are lost because it stalls, each time for some of `STALL_S`.

    Stalls come as a Poisson process; one may have begun before the stream does.
    """
    begin, end = stamps[0] - STALL_S[1], stamps[-1]
    count = rng.poisson(stalls_per_s * (end - begin))
    starts, lengths = rng.uniform(begin, end, count), rng.uniform(*STALL_S, count)
    since = stamps[:, None] - starts
    return ((since >= 0.0) & (since < lengths)).any(axis=1)
