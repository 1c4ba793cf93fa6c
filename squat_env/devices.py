"""What real devices read: rate, clock, noise, bias, clipping, loss. Pure functions on arrays of ideal signals.

One `level` scales every error: 0 gives ideal devices, 1 nominal ones.
"""

from dataclasses import dataclass

import numpy as np

from squat_env.signals import CUTOFF_PER_RATE, low_pass, resample

GRAVITY = 9.80665  # m/s^2 per g of a data sheet
NOT_IN_SIGHT_CAP_M = 0.6
_IDENTITY = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
Vector = tuple[float, float, float]
Matrix = tuple[Vector, Vector, Vector]


@dataclass(frozen=True, kw_only=True)
class ImuErrors:
    """One inertial unit's errors, drawn once a set. The defaults are an ideal unit.

    Attributes:
        accel_noise: White noise density [m/s^2/sqrt(Hz)].
        gyro_noise: White noise density [rad/s/sqrt(Hz)].
        accel_bias, gyro_bias: Offset of each axis [m/s^2], [rad/s].
        accel_matrix, gyro_matrix: Scale and cross-axis sensitivity, measured = matrix @ true.
        accel_limit, gyro_limit: Full scale [m/s^2], [rad/s], in 16 bits; readings beyond it are clipped. 0 is no limit.
        clock_offset_s, clock_drift: The stream's stamps are true time + offset + drift * time.
        jitter_s: Standard deviation of the sampling instants.
    """

    accel_noise: float = 0.0
    gyro_noise: float = 0.0
    accel_bias: Vector = (0.0, 0.0, 0.0)
    gyro_bias: Vector = (0.0, 0.0, 0.0)
    accel_matrix: Matrix = _IDENTITY
    gyro_matrix: Matrix = _IDENTITY
    accel_limit: float = 0.0
    gyro_limit: float = 0.0
    clock_offset_s: float = 0.0
    clock_drift: float = 0.0
    jitter_s: float = 0.0


@dataclass(frozen=True, kw_only=True)
class RangeErrors:
    """One phone-watch link's errors. The defaults are an ideal link.

    A reading is true distance + calibration + noise; with body in the way also an exponential excess, more noise, and
    more losses.

    Attributes:
        calibration_m: Constant offset of the pair.
        noise_m: Standard deviation in line of sight.
        blocked_noise_m: Further standard deviation without it.
        excess_m, excess_per_m: Mean of the excess without line of sight: a constant and a share of the metres of body
            crossed.
        loss, blocked_loss: Probability of a lost reading with and without line of sight.
        burst: Probability that a lost reading is followed by another.
        jitter_s: Standard deviation of the instants of the readings.
    """

    calibration_m: float = 0.0
    noise_m: float = 0.0
    blocked_noise_m: float = 0.0
    excess_m: float = 0.0
    excess_per_m: float = 0.0
    loss: float = 0.0
    blocked_loss: float = 0.0
    burst: float = 0.0
    jitter_s: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Devices:
    """The errors of a watch, a phone and the link between them."""

    watch: ImuErrors = ImuErrors()
    phone: ImuErrors = ImuErrors()
    range: RangeErrors = RangeErrors()


@dataclass(frozen=True, kw_only=True)
class DeviceRanges:
    """The population of devices.

    Attributes:
        level: Factor on every error.
        fused_share: Share of units whose offsets are removed by the device's own fusion (as Core Motion's).
    """

    level: float = 1.0
    fused_share: float = 0.5

    def __post_init__(self):
        if not 0.0 <= self.level <= 10.0:
            raise ValueError(f"level is {self.level}, expected a factor from 0 (ideal) to 10")


def sample_devices(ranges: DeviceRanges, rng: np.random.Generator) -> Devices:
    """Draws the errors of a watch, a phone and their link."""
    return Devices(
        watch=_sample_imu(ranges, rng), phone=_sample_imu(ranges, rng), range=_sample_link(ranges.level, rng)
    )


def _sample_imu(ranges: DeviceRanges, rng: np.random.Generator) -> ImuErrors:
    """Figures of consumer units: Bosch BMI270 data sheet (noise, offsets), scale and cross-axis assumed."""
    level = ranges.level
    fused = rng.random() < ranges.fused_share
    accel_noise, gyro_noise = np.exp(rng.normal(0.0, 0.3, 2)) * [160e-6 * GRAVITY, np.deg2rad(0.007)]
    offset_accel, offset_gyro = (0.02, 0.02) if fused else (0.15, 1.0)
    accel_bias = rng.normal(0.0, offset_accel, 3)
    gyro_bias = rng.normal(0.0, np.deg2rad(offset_gyro), 3)
    matrices = rng.normal(0.0, 0.005, (2, 3, 3)) * level + np.eye(3)
    offset, drift = rng.normal(0.0, [0.02, 30e-6])
    return ImuErrors(
        accel_noise=level * float(accel_noise),
        gyro_noise=level * float(gyro_noise),
        accel_bias=_vector(level * accel_bias),
        gyro_bias=_vector(level * gyro_bias),
        accel_matrix=_matrix(matrices[0]),
        gyro_matrix=_matrix(matrices[1]),
        accel_limit=8 * GRAVITY if level else 0.0,
        gyro_limit=float(np.deg2rad(2000)) if level else 0.0,
        clock_offset_s=level * float(offset),
        clock_drift=level * float(drift),
        jitter_s=level * 1e-4,
    )


def _sample_link(level: float, rng: np.random.Generator) -> RangeErrors:
    """Body-worn ultra-wideband links between consumer devices; the split into terms is assumed.

    How badly a body in the way disturbs the link differs from none at all to twice the mean.
    """
    severity = 2.0 * rng.random() ** 2
    return RangeErrors(
        calibration_m=level * float(rng.normal(0.0, 0.05)),
        noise_m=level * 0.03,
        blocked_noise_m=level * 0.12 * severity,
        excess_m=level * 0.10 * severity,
        excess_per_m=level * 0.5 * severity,
        loss=min(level * 0.01, 0.9),
        blocked_loss=min(level * 0.25 * severity, 0.9),
        burst=min(level * 0.3, 0.9),
        jitter_s=level * 0.01,
    )


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

    Args:
        time: (N,) uniform [s].
        accel, gyro: (N, 3) ideal signals [m/s^2], [rad/s].
        errors: The unit.
        rng: Noise.
        rate_hz: Of the stream, above 0.

    Returns:
        Stamps (T,) [s], accel (T, 3), gyro (T, 3). Stamps are the unit's nominal grid: its clock's error and jitter are
        in the values, as they are for whoever receives the stream.
    """
    own_rate = 1.0 / (time[1] - time[0])
    stamps = time[0] + np.arange(int((time[-1] - time[0]) * rate_hz + 1e-6) + 1) / rate_hz
    true = stamps - errors.clock_offset_s - errors.clock_drift * stamps
    true = np.clip(true + errors.jitter_s * rng.standard_normal(len(true)), time[0], time[-1])
    both = low_pass(np.column_stack([accel, gyro]), own_rate, CUTOFF_PER_RATE * rate_hz)
    both = resample(time, both, true, max_gap_s=np.inf)
    return stamps, *distort_imu(both[:, :3], both[:, 3:], errors, rng, rate_hz=rate_hz)


def distort_imu(
    accel: np.ndarray, gyro: np.ndarray, errors: ImuErrors, rng: np.random.Generator, *, rate_hz: float
) -> tuple[np.ndarray, np.ndarray]:
    """Adds a unit's errors to samples (T, 3) of a stream of this rate; returns accel and gyro (T, 3)."""
    noise = rng.standard_normal((len(accel), 6)) * np.sqrt(0.5 * rate_hz)
    measured_accel = accel @ np.array(errors.accel_matrix).T + errors.accel_bias
    measured_gyro = gyro @ np.array(errors.gyro_matrix).T + errors.gyro_bias
    return (
        quantise(measured_accel + errors.accel_noise * noise[:, :3], errors.accel_limit),
        quantise(measured_gyro + errors.gyro_noise * noise[:, 3:], errors.gyro_limit),
    )


def quantise(x: np.ndarray, limit: float) -> np.ndarray:
    """Clips at +-limit and rounds to 16 bits over it; a limit of 0 changes nothing."""
    if limit == 0:
        return x.copy()
    step = limit / 2**15
    return np.clip(np.round(x / step), -(2**15), 2**15 - 1) * step


def measure_range(
    time: np.ndarray,
    distance: np.ndarray,
    thickness: np.ndarray,
    errors: RangeErrors,
    rng: np.random.Generator,
    *,
    rate_hz: float = 5.0,
    in_sight_m: float = 0.005,
) -> tuple[np.ndarray, np.ndarray]:
    """Samples the distance between two devices as a link does.

    Args:
        time: (N,) [s].
        distance: (N,) true distance [m].
        thickness: (N,) metres of body in the way.
        errors: The link.
        rng: Noise, excess and losses.
        rate_hz: Of the readings, above 0.
        in_sight_m: Thickness below which the devices see each other.

    Returns:
        Times (R,) [s], increasing, and readings (R,) [m]; NaN where lost.
    """
    count = int((time[-1] - time[0]) * rate_hz) + 1
    start = time[0] + rng.uniform(0.0, min(1.0 / rate_hz, time[-1] - time[0]) if errors.jitter_s else 0.0)
    when = start + np.arange(count) / rate_hz + errors.jitter_s * rng.standard_normal(count)
    when = np.unique(np.clip(when, time[0], time[-1]))
    true, crossed = np.interp(when, time, distance), np.interp(when, time, thickness)
    return when, distort_range(true, crossed, errors, rng, in_sight_m=in_sight_m)


def distort_range(
    distance: np.ndarray,
    thickness: np.ndarray,
    errors: RangeErrors,
    rng: np.random.Generator,
    *,
    in_sight_m: float = 0.005,
) -> np.ndarray:
    """Readings (R,) [m] of consecutive true distances (R,) with `thickness` (R,) of body in the way; NaN is lost."""
    blocked = thickness >= in_sight_m
    excess = rng.exponential(1.0, len(distance)) * (errors.excess_m + errors.excess_per_m * thickness)
    spread = np.where(blocked, np.hypot(errors.noise_m, errors.blocked_noise_m), errors.noise_m)
    reading = distance + errors.calibration_m + spread * rng.standard_normal(len(distance))
    reading += np.where(blocked, np.minimum(excess, NOT_IN_SIGHT_CAP_M), 0.0)
    lost = _bursts(np.where(blocked, errors.blocked_loss, errors.loss), errors.burst, rng)
    return np.where(lost, np.nan, np.maximum(reading, 0.0))


def _bursts(chance: np.ndarray, burst: float, rng: np.random.Generator) -> np.ndarray:
    """Losses (R,) bool with the given chance (R,); a loss drags the next one along with probability `burst`."""
    first, follow = rng.random((2, len(chance)))
    lost = first < chance * (1.0 - burst)
    for k in range(1, len(lost)):
        lost[k] |= lost[k - 1] and follow[k] < burst
    return lost


def _vector(values: np.ndarray) -> Vector:
    x, y, z = (float(v) for v in values)
    return x, y, z


def _matrix(values: np.ndarray) -> Matrix:
    first, second, third = (_vector(row) for row in values)
    return first, second, third
