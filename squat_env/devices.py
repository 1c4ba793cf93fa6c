"""The devices that are worn: which errors a watch, a phone and the link between them have, and how those are drawn.

`inertial` and `ranging` apply them to ideal signals. One `level` scales every error: 0 gives ideal devices, 1 nominal
ones.
"""

import math
from dataclasses import dataclass

import numpy as np

from squat_env.draws import choose, uniform

GRAVITY = 9.80665  # m/s^2 per g of a data sheet
STALL_S = (0.3, 5.0)  # how long an inertial stream stalls
BURST_S = (0.1, 1.0)  # how long a link is lost
MOST_LOST = 0.9  # no level loses more of a link's readings than this
EXACT = np.eye(3, dtype=bool)  # scale and cross-axis sensitivity of a unit without errors
Vector = tuple[float, float, float]
Matrix = tuple[Vector, Vector, Vector]
_IDENTITY: Matrix = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))


@dataclass(frozen=True, kw_only=True)
class Clock:
    """A device's clock against true time: it shows time + offset + drift * time.

    Attributes:
        offset_s: What it shows at time 0 [s].
        drift: How much too fast it runs, relative.
    """

    offset_s: float = 0.0
    drift: float = 0.0

    def true_time(self, shown: np.ndarray) -> np.ndarray:
        """True times [s] at which the clock shows these [s]."""
        return (shown - self.offset_s) / (1.0 + self.drift)


@dataclass(frozen=True, kw_only=True)
class ImuErrors:
    """One inertial unit's errors, drawn once a set. The defaults are an ideal unit.

    Attributes:
        accel_noise, gyro_noise: White noise, one-sided density [m/s^2/sqrt(Hz)], [rad/s/sqrt(Hz)]; its Allan deviation
            at 1 s is density / sqrt(2).
        accel_bias, gyro_bias: Turn-on offset of each axis [m/s^2], [rad/s].
        accel_instability, gyro_instability: Bias instability B of IEEE Std 952: the flat minimum of the Allan deviation
            is 0.664 B [m/s^2], [rad/s].
        accel_matrix, gyro_matrix: Scale and cross-axis sensitivity, measured = matrix @ true.
        accel_limit, gyro_limit: Full scale [m/s^2], [rad/s]; readings beyond it are clipped. 0: no limit and no steps.
        bits: Resolution over the full scale.
        clock: Of the device; it stamps the samples.
        rate_error: Rate of the stream over the one that was asked for, minus one.
        jitter_s: Standard deviation of the sampling instants; the stamps tell of it.
        stalls_per_s: Mean rate at which the stream stalls; what would have come meanwhile is lost.
    """

    accel_noise: float = 0.0
    gyro_noise: float = 0.0
    accel_bias: Vector = (0.0, 0.0, 0.0)
    gyro_bias: Vector = (0.0, 0.0, 0.0)
    accel_instability: float = 0.0
    gyro_instability: float = 0.0
    accel_matrix: Matrix = _IDENTITY
    gyro_matrix: Matrix = _IDENTITY
    accel_limit: float = 0.0
    gyro_limit: float = 0.0
    bits: int = 16
    clock: Clock = Clock()
    rate_error: float = 0.0
    jitter_s: float = 0.0
    stalls_per_s: float = 0.0


@dataclass(frozen=True, kw_only=True)
class RangeErrors:
    """One phone-watch link's errors. The defaults are an ideal link.

    A reading is true distance + calibration + noise; with body in the way also an exponential excess, more noise, and
    more losses. The phone's clock stamps it.

    Attributes:
        calibration_m: Constant offset of the pair.
        noise_m: Standard deviation in line of sight.
        blocked_noise_m: Further standard deviation without it.
        excess_m, excess_per_m: Mean of the excess without line of sight: a constant, and metres per metre of body
            crossed.
        loss, blocked_loss: Share of lost readings with and without line of sight.
        burst_s: Shortest and longest loss [s].
        clock: The phone's.
        jitter_s: Standard deviation of the instants of the readings.
    """

    calibration_m: float = 0.0
    noise_m: float = 0.0
    blocked_noise_m: float = 0.0
    excess_m: float = 0.0
    excess_per_m: float = 0.0
    loss: float = 0.0
    blocked_loss: float = 0.0
    burst_s: tuple[float, float] = BURST_S
    clock: Clock = Clock()
    jitter_s: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Devices:
    """The errors of a watch, a phone and the link between them."""

    watch: ImuErrors = ImuErrors()
    phone: ImuErrors = ImuErrors()
    range: RangeErrors = RangeErrors()


@dataclass(frozen=True, kw_only=True)
class ImuGrade:
    """What inertial units of one kind have in common; pairs are (accelerometer, gyroscope).

    Attributes:
        noise: Median white noise density [g/sqrt(Hz)], [deg/s/sqrt(Hz)].
        noise_spread: Standard deviation of its logarithm.
        bias_sd: Standard deviation of the turn-on offset [m/s^2], [deg/s].
        accel_instability, gyro_instability: Range of the bias instability [m/s^2], [deg/s].
        scale_sd, cross_axis_sd: Standard deviation of the scale of each axis and of its sensitivity to the others.
        full_scale: [g], [deg/s].
        bits: Resolution over the full scale.
        clock_offset_sd_s, clock_drift_sd: Of the clock, once set by network time.
        rate_error, rate_error_sd: Mean and standard deviation of the stream's rate over the nominal one, minus one.
        jitter_s, most_jitter_s: Median and largest standard deviation of the sampling instants.
        jitter_spread: Standard deviation of the jitter's logarithm.
        stalling_watches: Share of the watches whose stream stalls at all.
        stalls_per_s: How often theirs does.
    """

    noise: tuple[float, float] = (160e-6, 0.007)
    noise_spread: float = 0.3
    bias_sd: tuple[float, float] = (0.15, 1.0)
    accel_instability: tuple[float, float] = (0.24e-3, 1.03e-3)
    gyro_instability: tuple[float, float] = (0.001, 0.003)
    scale_sd: float = 0.0075
    cross_axis_sd: float = 0.005
    full_scale: tuple[float, float] = (8.0, 2000.0)
    bits: int = 16
    clock_offset_sd_s: float = 0.03
    clock_drift_sd: float = 50e-6
    rate_error: float = 0.0
    rate_error_sd: float = 0.02
    jitter_s: float = 1e-4
    most_jitter_s: float = 4.6e-3
    jitter_spread: float = 1.0
    stalling_watches: float = 0.2
    stalls_per_s: float = 1.0 / 60.0


@dataclass(frozen=True, kw_only=True)
class LinkGrade:
    """What ranging links of one kind have in common; `RangeErrors` says what the terms mean.

    How badly a body in the way disturbs a link is one number a link, from not at all to twice the mean.

    Attributes:
        calibration_sd_m, noise_m: In line of sight.
        excess_m, excess_per_m, blocked_noise_m: Mean over the links.
        loss: In line of sight.
        blocked_loss: Of the least and of the most disturbed link.
        jitter_s: Standard deviation of the instants of the readings.
    """

    calibration_sd_m: float = 0.05
    noise_m: float = 0.03
    excess_m: float = 0.10
    excess_per_m: float = 0.5
    blocked_noise_m: float = 0.125
    loss: float = 0.01
    blocked_loss: tuple[float, float] = (0.1, 0.5)
    jitter_s: float = 0.01


@dataclass(frozen=True, kw_only=True)
class Grade:
    """A watch, a phone and their link of one kind."""

    imu: ImuGrade = ImuGrade()
    link: LinkGrade = LinkGrade()


# White noise, offsets and full scale: Bosch BMI270 data sheet and the class of units around it. Bias instability: Allan
# variance of a body-worn tracker. Rate and jitter: time stamps of 35 iPhone and 117 Android models, 100.09 Hz on the
# former where 100 were asked for. The link: consumer ultra-wideband, body-worn. The split of raw and fused offsets,
# scale, cross-axis, stalls and all of "cheap" are assumed; its scale is that of older parts, 7.5 and 5 % at 3 sigma.
GRADES: dict[str, Grade] = {
    # offsets removed by the device's own fusion, as Core Motion does
    "fused": Grade(imu=ImuGrade(bias_sd=(0.02, 0.02), rate_error=9e-4, rate_error_sd=1e-4, jitter_s=7e-6)),
    "raw": Grade(),
    "cheap": Grade(
        imu=ImuGrade(
            noise=(300e-6, 0.014),
            bias_sd=(0.4, 3.0),
            accel_instability=(1e-3, 3e-3),
            gyro_instability=(0.005, 0.02),
            scale_sd=0.025,
            cross_axis_sd=0.017,
            full_scale=(4.0, 1000.0),
            bits=12,
            clock_offset_sd_s=0.08,
            clock_drift_sd=100e-6,
            jitter_s=1e-3,
            stalling_watches=0.5,
        ),
        link=LinkGrade(calibration_sd_m=0.10, noise_m=0.08, loss=0.05, blocked_loss=(0.3, 0.6), jitter_s=0.02),
    ),
}


@dataclass(frozen=True, kw_only=True)
class DeviceRanges:
    """The population of devices.

    Attributes:
        level: Factor on every error; full scale and steps are there at any level but 0.
        grades: (key of `GRADES`, share) pairs; both devices of a set are of one grade. Shares need not add up to one.

    Raises:
        ValueError: The level is out of range, or a grade is unknown.
    """

    level: float = 1.0
    grades: tuple[tuple[str, float], ...] = (("fused", 0.5), ("raw", 0.5))

    def __post_init__(self):
        if not 0.0 <= self.level <= 10.0:
            raise ValueError(f"level is {self.level}, expected a factor from 0 (ideal) to 10")
        if not self.grades or not {name for name, _ in self.grades} <= set(GRADES):
            raise ValueError(f"grades are {self.grades}, expected (name, share) pairs with names of {sorted(GRADES)}")


PROFILES: dict[str, DeviceRanges] = {
    "ideal": DeviceRanges(level=0.0),
    "fused": DeviceRanges(grades=(("fused", 1.0),)),
    "raw": DeviceRanges(grades=(("raw", 1.0),)),
    "cheap": DeviceRanges(grades=(("cheap", 1.0),)),
}
"""Populations of devices by name, for whoever wants one kind alone."""


def sample_devices(ranges: DeviceRanges, rng: np.random.Generator) -> Devices:
    """Draws the errors of a watch, a phone and their link, each from a stream of its own."""
    grade = GRADES[choose(rng, ranges.grades)]
    watch, phone, link = rng.spawn(3)
    carried = _sample_imu(grade.imu, ranges.level, phone, stalling=0.0)
    return Devices(
        watch=_sample_imu(grade.imu, ranges.level, watch, stalling=grade.imu.stalling_watches),
        phone=carried,
        range=_sample_link(grade.link, ranges.level, carried.clock, link),
    )


def _sample_imu(grade: ImuGrade, level: float, rng: np.random.Generator, *, stalling: float) -> ImuErrors:
    accel_noise, gyro_noise = level * np.array(grade.noise) * np.exp(rng.normal(0.0, grade.noise_spread, 2))
    bias = level * rng.normal(0.0, 1.0, (2, 3)) * [[grade.bias_sd[0]], [math.radians(grade.bias_sd[1])]]
    matrices = EXACT + level * rng.normal(0.0, 1.0, (2, 3, 3)) * np.where(EXACT, grade.scale_sd, grade.cross_axis_sd)
    instability = [level * uniform(rng, *ends) for ends in (grade.accel_instability, grade.gyro_instability)]
    offset, drift, rate = rng.normal(0.0, [grade.clock_offset_sd_s, grade.clock_drift_sd, grade.rate_error_sd])
    jitter = min(grade.jitter_s * np.exp(rng.normal(0.0, grade.jitter_spread)), grade.most_jitter_s)
    stalls = rng.random() < stalling
    return ImuErrors(
        accel_noise=GRAVITY * float(accel_noise),
        gyro_noise=math.radians(gyro_noise),
        accel_bias=_vector(bias[0]),
        gyro_bias=_vector(bias[1]),
        accel_instability=float(instability[0]),
        gyro_instability=math.radians(instability[1]),
        accel_matrix=_matrix(matrices[0]),
        gyro_matrix=_matrix(matrices[1]),
        accel_limit=grade.full_scale[0] * GRAVITY if level else 0.0,
        gyro_limit=math.radians(grade.full_scale[1]) if level else 0.0,
        bits=grade.bits if level else 16,
        clock=Clock(offset_s=level * float(offset), drift=level * float(drift)),
        rate_error=level * min(max(grade.rate_error + float(rate), -0.05), 0.05),
        jitter_s=level * float(jitter),
        stalls_per_s=level * grade.stalls_per_s if stalls else 0.0,
    )


def _sample_link(grade: LinkGrade, level: float, clock: Clock, rng: np.random.Generator) -> RangeErrors:
    severity = 2.0 * rng.random()
    least, most = grade.blocked_loss
    return RangeErrors(
        calibration_m=level * float(rng.normal(0.0, grade.calibration_sd_m)),
        noise_m=level * grade.noise_m,
        blocked_noise_m=level * severity * grade.blocked_noise_m,
        excess_m=level * severity * grade.excess_m,
        excess_per_m=level * severity * grade.excess_per_m,
        loss=min(level * grade.loss, MOST_LOST),
        blocked_loss=min(level * (least + 0.5 * severity * (most - least)), MOST_LOST),
        clock=clock,
        jitter_s=level * grade.jitter_s,
    )


def _vector(values: np.ndarray) -> Vector:
    x, y, z = (float(v) for v in values)
    return x, y, z


def _matrix(values: np.ndarray) -> Matrix:
    first, second, third = (_vector(row) for row in values)
    return first, second, third
