"""From the distance of two devices to what their ultra-wideband link reports: instants, excess, noise, losses.

A whole stream goes through `measure_range`. Whoever makes readings one by one draws the noise of all of them first
(`draw_range_noise`) and passes the matching part to `apply_range_errors`; both ways have the same errors.
"""

from dataclasses import dataclass

import numpy as np

from squat_env.devices import RangeErrors

EXCESS_CAP_M = 0.6  # the longest detour around a body
IN_SIGHT_M = 0.005  # less body than this between the devices does not block the link
MOST_JITTER = 0.4  # of a period; readings never overtake each other


@dataclass(frozen=True, kw_only=True, eq=False)
class RangeNoise:
    """The random numbers of consecutive readings.

    Attributes:
        normal: (R,) standard normal.
        excess: (R,) standard exponential.
        chance: (R,) uniform in [0, 1).
        burst: (R,) int, readings that are lost if a loss begins here.
        mean_burst: Their expected value.
    """

    normal: np.ndarray
    excess: np.ndarray
    chance: np.ndarray
    burst: np.ndarray
    mean_burst: float

    def __getitem__(self, part: slice) -> "RangeNoise":
        return RangeNoise(
            normal=self.normal[part],
            excess=self.excess[part],
            chance=self.chance[part],
            burst=self.burst[part],
            mean_burst=self.mean_burst,
        )


def measure_range(
    time: np.ndarray,
    distance: np.ndarray,
    thickness: np.ndarray,
    errors: RangeErrors,
    rng: np.random.Generator,
    *,
    rate_hz: float = 5.0,
) -> tuple[np.ndarray, np.ndarray]:
    """Samples the distance between two devices as a link does.

    Args:
        time: (N,) true times [s].
        distance: (N,) true distance [m].
        thickness: (N,) metres of body in the way.
        errors: The link.
        rng: Noise, excess and losses.
        rate_hz: Of the readings.

    Returns:
        Stamps (R,) of the phone's clock, increasing and within `time` [s], and readings (R,) [m]; NaN where lost.

    Raises:
        ValueError: The rate is not above 0.
    """
    if not rate_hz > 0.0:
        raise ValueError(f"rate_hz is {rate_hz:g}, expected a rate above 0 Hz")
    stamps = _stamps(time, rate_hz, errors.jitter_s, rng)
    true = errors.clock.true_time(stamps)
    between = np.interp(true, time, distance), np.interp(true, time, thickness)
    return stamps, distort_range(*between, errors, rng, rate_hz=rate_hz)


def _stamps(time: np.ndarray, rate_hz: float, jitter_s: float, rng: np.random.Generator) -> np.ndarray:
    """Instants from a random one within the first period on; without jitter from time[0] on."""
    start = rng.random() if jitter_s else 0.0
    count = int((time[-1] - time[0]) * rate_hz - start + 1e-6) + 1
    jitter = np.clip(jitter_s * rate_hz * rng.standard_normal(count), -MOST_JITTER, MOST_JITTER)
    stamps = time[0] + (start + np.arange(count) + jitter) / rate_hz
    return stamps[(stamps >= time[0]) & (stamps <= time[-1])]


def distort_range(
    distance: np.ndarray,
    thickness: np.ndarray,
    errors: RangeErrors,
    rng: np.random.Generator,
    *,
    rate_hz: float = 5.0,
) -> np.ndarray:
    """Readings (R,) [m] of consecutive true distances (R,) with `thickness` (R,) of body in the way; NaN is lost."""
    noise = draw_range_noise(len(distance), errors, rng, rate_hz=rate_hz)
    return apply_range_errors(distance, thickness, errors, noise)[0]


def draw_range_noise(count: int, errors: RangeErrors, rng: np.random.Generator, *, rate_hz: float = 5.0) -> RangeNoise:
    """Draws the random numbers of `count` consecutive readings at this rate."""
    normal, excess = rng.standard_normal(count), rng.standard_exponential(count)
    chance, length = rng.random((2, count))
    shortest, longest = (rate_hz * limit for limit in errors.burst_s)
    burst = np.ceil(shortest + (longest - shortest) * length).astype(int)
    return RangeNoise(
        normal=normal, excess=excess, chance=chance, burst=burst, mean_burst=_mean_ceiling(shortest, longest)
    )


def _mean_ceiling(low: float, high: float) -> float:
    """Expected value of ceil(x), x uniform in [low, high]."""

    def area(x: float) -> float:
        whole = np.floor(x)
        return float((whole + 1.0) * (x - 0.5 * whole))

    return (area(high) - area(low)) / (high - low) if high > low else float(np.ceil(high))


def apply_range_errors(
    distance: np.ndarray,
    thickness: np.ndarray,
    errors: RangeErrors,
    noise: RangeNoise,
    *,
    still_lost: int = 0,
) -> tuple[np.ndarray, int]:
    """Adds a link's errors, with the noise already drawn, to true distances.

    Args:
        distance: (R,) [m].
        thickness: (R,) metres of body in the way.
        errors: The link.
        noise: Of R readings.
        still_lost: How many of these readings are lost to a burst that began before them.

    Returns:
        Readings (R,) [m], NaN where lost, and how many of the readings to come are lost to the last burst.
    """
    blocked = thickness >= IN_SIGHT_M
    spread = np.where(blocked, np.hypot(errors.noise_m, errors.blocked_noise_m), errors.noise_m)
    excess = np.minimum(noise.excess * (errors.excess_m + errors.excess_per_m * thickness), EXCESS_CAP_M)
    reading = distance + errors.calibration_m + spread * noise.normal + np.where(blocked, excess, 0.0)
    share = np.where(blocked, errors.blocked_loss, errors.loss)
    # of a loss and the readings up to the next one, mean_burst are lost on average
    begins = noise.chance < share / (share + noise.mean_burst * (1.0 - share))
    lost, still_lost = _bursts(begins, noise.burst, still_lost)
    return np.where(lost, np.nan, np.maximum(reading, 0.0)), still_lost


def _bursts(begins: np.ndarray, burst: np.ndarray, left: int) -> tuple[np.ndarray, int]:
    lost = np.zeros(len(begins), dtype=bool)
    for k in range(len(begins)):
        if not left and begins[k]:
            left = int(burst[k])
        lost[k] = left > 0
        left = max(left - 1, 0)
    return lost, left
