"""Device errors: each does what it says, and nothing else."""

import numpy as np
import pytest

from squat_env.devices import (
    DeviceRanges,
    Devices,
    ImuErrors,
    RangeErrors,
    distort_imu,
    distort_range,
    measure_imu,
    measure_range,
    quantise,
    sample_devices,
)

TIME = np.arange(0, 10, 0.0025)
SLOW = np.column_stack([np.sin(2 * np.pi * f * TIME) for f in (0.3, 0.7, 1.1)])


def test_level_zero_draws_ideal_devices():
    assert sample_devices(DeviceRanges(level=0.0), np.random.default_rng(0)) == Devices()


def test_an_ideal_unit_reads_slow_signals_as_they_are():
    before = SLOW.copy()
    stamps, accel, gyro = measure_imu(TIME, SLOW, 2 * SLOW, ImuErrors(), np.random.default_rng(0), rate_hz=20.0)
    assert np.allclose(np.diff(stamps), 0.05)
    assert np.abs(accel - SLOW[::20][: len(accel)]).max() < 0.02
    assert np.allclose(gyro, 2 * accel)
    assert np.array_equal(before, SLOW)


def test_what_is_above_the_rate_is_filtered_out():
    fast = np.sin(2 * np.pi * 30.0 * TIME)[:, None] * np.ones(3)
    _, accel, _ = measure_imu(TIME, fast, fast, ImuErrors(), np.random.default_rng(0), rate_hz=20.0)
    assert np.abs(accel[5:-5]).max() < 0.01


@pytest.mark.parametrize("rate", [20.0, 100.0])
def test_noise_has_its_density(rate):
    errors = ImuErrors(accel_noise=0.01, gyro_noise=0.002)
    zero = np.zeros((40_000, 3))
    accel, gyro = distort_imu(zero, zero, errors, np.random.default_rng(0), rate_hz=rate)
    assert np.isclose(accel.std(), 0.01 * np.sqrt(rate / 2), rtol=0.02)
    assert np.isclose(gyro.std(), 0.002 * np.sqrt(rate / 2), rtol=0.02)


def test_bias_and_scale():
    errors = ImuErrors(accel_bias=(0.1, 0.0, -0.2), gyro_matrix=((1.1, 0, 0), (0, 1, 0), (0.2, 0, 1)))
    ones = np.ones((3, 3))
    accel, gyro = distort_imu(ones, ones, errors, np.random.default_rng(0), rate_hz=20.0)
    assert np.allclose(accel, [1.1, 1.0, 0.8])
    assert np.allclose(gyro, [1.1, 1.0, 1.2])


def test_clipping_and_steps():
    x = np.array([-200.0, -1.0, 0.0, 0.00123, 200.0])
    y = quantise(x, 78.0)
    assert y.min() == -78.0
    assert y.max() == pytest.approx(78.0, abs=0.003)
    assert np.allclose(y / (78.0 / 2**15), np.round(y / (78.0 / 2**15)))
    assert np.array_equal(quantise(x, 0.0), x)


def test_readings_through_the_body_are_too_long_and_more_so_the_more_of_it():
    errors = RangeErrors(noise_m=0.01, excess_m=0.05, excess_per_m=0.5)
    rng, distance = np.random.default_rng(0), np.full(5000, 0.7)
    mean = [distort_range(distance, np.full(5000, d), errors, rng).mean() - 0.7 for d in (0.0, 0.1, 0.3)]
    assert abs(mean[0]) < 0.002
    assert mean[0] < mean[1] < mean[2]
    assert np.isclose(mean[1], 0.10, atol=0.01)


def test_losses_are_nan_at_the_asked_share_and_in_bursts():
    errors = RangeErrors(loss=0.05, blocked_loss=0.4, burst=0.5)
    rng, distance = np.random.default_rng(0), np.ones(20_000)
    clear = np.isnan(distort_range(distance, np.zeros(20_000), errors, rng))
    blocked = np.isnan(distort_range(distance, np.full(20_000, 0.2), errors, rng))
    assert np.isclose(clear.mean(), 0.05, atol=0.01)
    assert 0.3 < blocked.mean() < 0.45
    assert clear[1:][clear[:-1]].mean() > 0.4


def test_range_readings_have_their_own_times():
    distance = 1.0 + 0.1 * np.sin(TIME)
    errors = RangeErrors(jitter_s=0.01)
    when, reading = measure_range(TIME, distance, np.zeros(len(TIME)), errors, np.random.default_rng(0), rate_hz=5.0)
    assert (np.diff(when) > 0).all()
    assert 48 <= len(when) <= 51
    assert np.allclose(reading, np.interp(when, TIME, distance))


def test_the_same_seed_draws_the_same_devices():
    one, other = (sample_devices(DeviceRanges(), np.random.default_rng(4)) for _ in range(2))
    assert one == other
    assert one != sample_devices(DeviceRanges(), np.random.default_rng(5))
