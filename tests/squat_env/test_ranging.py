"""Distance readings: excess, noise, losses, instants."""

import numpy as np
import pytest

from squat_env import sensors
from squat_env.devices import Clock, RangeErrors
from squat_env.ranging import (
    EXCESS_CAP_M,
    IN_SIGHT_M,
    apply_range_errors,
    distort_range,
    draw_range_noise,
    measure_range,
)

TIME = np.arange(0, 10, 0.0025)
NLOS = RangeErrors(excess_m=0.10, excess_per_m=0.5)


def readings(errors: RangeErrors, thickness: float, count: int = 20_000, rate_hz: float = 5.0) -> np.ndarray:
    """Readings of a distance of 1 m."""
    rng = np.random.default_rng(0)
    return distort_range(np.ones(count), np.full(count, thickness), errors, rng, rate_hz=rate_hz)


def test_an_ideal_link_reads_the_distance():
    distance, thickness = 1.0 + 0.1 * np.sin(TIME), np.full(len(TIME), 0.3)
    before = distance.copy(), thickness.copy()
    when, reading = measure_range(TIME, distance, thickness, RangeErrors(), np.random.default_rng(0))
    assert np.allclose(np.diff(when), 0.2)
    assert np.allclose(reading, np.interp(when, TIME, distance), rtol=0, atol=1e-12)
    assert np.array_equal(distance, before[0])
    assert np.array_equal(thickness, before[1])


def test_readings_through_the_body_are_too_long_and_more_so_the_more_of_it():
    excess = [readings(NLOS, thickness) - 1.0 for thickness in (0.0, 0.1, 0.2, 0.4)]
    assert np.array_equal(excess[0], np.zeros(20_000))
    for values, thickness in zip(excess[1:], (0.1, 0.2, 0.4), strict=True):
        mean = 0.10 + 0.5 * thickness
        capped = mean * (1.0 - np.exp(-EXCESS_CAP_M / mean))
        assert np.isclose(values.mean(), capped, rtol=0.03)
        assert values.min() >= 0.0
        assert values.max() <= EXCESS_CAP_M + 1e-12


def test_noise_grows_where_the_body_is_in_the_way():
    errors = RangeErrors(calibration_m=0.05, noise_m=0.03, blocked_noise_m=0.2)
    clear, blocked = readings(errors, 0.0), readings(errors, 0.2)
    assert np.isclose(clear.mean(), 1.05, atol=0.002)
    assert np.isclose(clear.std(), 0.03, rtol=0.03)
    assert np.isclose(blocked.std(), np.hypot(0.03, 0.2), rtol=0.03)


@pytest.mark.parametrize("rate_hz", [5.0, 20.0, 50.0])
@pytest.mark.parametrize(("thickness", "share"), [(0.0, 0.05), (0.2, 0.4)], ids=["clear", "blocked"])
def test_losses_have_their_share_and_last_as_long_as_asked(rate_hz, thickness, share):
    errors = RangeErrors(loss=0.05, blocked_loss=0.4, burst_s=(0.1, 1.0))
    lost = np.isnan(readings(errors, thickness, count=400_000, rate_hz=rate_hz))
    assert np.isclose(lost.mean(), share, rtol=0.1)
    if thickness == 0.0:  # two bursts hardly ever touch
        edges = np.flatnonzero(np.diff(lost.astype(int), prepend=0, append=0))
        lengths = np.diff(edges)[::2]
        assert lengths.min() >= np.ceil(0.1 * rate_hz)
        assert np.isclose(np.median(lengths), np.ceil(0.55 * rate_hz), atol=1 + 0.06 * rate_hz)


def test_a_link_is_blocked_where_the_scene_says_so():
    assert IN_SIGHT_M == sensors.IN_SIGHT_M
    edge = np.array([0.99, 1.01]) * IN_SIGHT_M
    reading = distort_range(np.ones(2), edge, NLOS, np.random.default_rng(0))
    assert reading[0] == 1.0 < reading[1]


def test_readings_have_their_own_times():
    distance, errors = 1.0 + 0.1 * np.sin(TIME), RangeErrors(jitter_s=0.01)
    when, reading = measure_range(TIME, distance, 0 * TIME, errors, np.random.default_rng(0), rate_hz=5.0)
    assert 48 <= len(when) <= 51
    assert np.isclose(np.diff(when).std(), np.sqrt(2) * 0.01, rtol=0.3)
    assert np.allclose(reading, np.interp(when, TIME, distance))


@pytest.mark.parametrize("rate_hz", [5.0, 50.0])
def test_no_jitter_lets_readings_overtake_each_other(rate_hz):
    errors = RangeErrors(jitter_s=0.5)
    when, _ = measure_range(TIME, 1 + 0 * TIME, 0 * TIME, errors, np.random.default_rng(0), rate_hz=rate_hz)
    assert (np.diff(when) > 0).all()
    assert TIME[0] <= when[0] < when[-1] <= TIME[-1]


def test_the_phones_clock_stamps_them():
    errors = RangeErrors(clock=Clock(offset_s=0.4, drift=1e-3))
    when, reading = measure_range(TIME, 1.0 + 0.1 * TIME, 0 * TIME, errors, np.random.default_rng(0))
    true = np.clip((when - 0.4) / 1.001, 0.0, TIME[-1])
    assert np.allclose(reading, 1.0 + 0.1 * true)


def test_readings_one_by_one_are_those_of_the_stream():
    errors = RangeErrors(noise_m=0.03, excess_m=0.1, loss=0.2, blocked_loss=0.5)
    distance, thickness = np.linspace(0.5, 1.0, 300), np.where(np.arange(300) % 40 < 20, 0.0, 0.2)
    whole = distort_range(distance, thickness, errors, np.random.default_rng(2), rate_hz=20.0)
    noise, left = draw_range_noise(300, errors, np.random.default_rng(2), rate_hz=20.0), 0
    for k in range(300):
        one = slice(k, k + 1)
        reading, left = apply_range_errors(distance[one], thickness[one], errors, noise[one], still_lost=left)
        assert np.array_equal(reading, whole[one], equal_nan=True), k
    assert 0.1 < np.isnan(whole).mean() < 0.6


@pytest.mark.parametrize("rate_hz", [0.0, np.nan])
def test_absurd_rates_are_refused(rate_hz):
    with pytest.raises(ValueError, match="rate_hz is"):
        measure_range(TIME, TIME, TIME, RangeErrors(), np.random.default_rng(0), rate_hz=rate_hz)
