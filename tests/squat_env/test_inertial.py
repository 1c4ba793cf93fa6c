"""Inertial units: each error does what it says, and nothing else."""

from dataclasses import replace

import numpy as np
import pytest

from squat_env.devices import Clock, ImuErrors
from squat_env.inertial import (
    FLICKER_S,
    apply_imu_errors,
    distort_imu,
    draw_imu_noise,
    flicker,
    measure_imu,
    quantise,
    stalled,
)
from squat_env.signals import imu_to_grid

TIME = np.arange(0, 10, 0.0025)
SLOW = np.column_stack([np.sin(2 * np.pi * f * TIME) for f in (0.3, 0.7, 1.1)])


def allan_deviation(x: np.ndarray, rate_hz: float, tau_s: float) -> float:
    """Overlapping Allan deviation of samples (T, k), pooled over the columns (IEEE Std 952-1997, annex C)."""
    m = round(tau_s * rate_hz)
    phase = np.cumsum(np.concatenate([np.zeros((1, x.shape[1])), x]), axis=0) / rate_hz
    second = phase[2 * m :] - 2.0 * phase[m:-m] + phase[: -2 * m]
    return float(np.sqrt(0.5 * np.mean(second**2)) / (m / rate_hz))


def stream(errors: ImuErrors, seed: int = 0, rate_hz: float = 20.0, x: np.ndarray = SLOW) -> tuple:
    return measure_imu(TIME, x, 2 * x, errors, np.random.default_rng(seed), rate_hz=rate_hz)


def at(time: np.ndarray) -> np.ndarray:
    clipped = np.clip(time, TIME[0], TIME[-1])
    return np.column_stack([np.sin(2 * np.pi * f * clipped) for f in (0.3, 0.7, 1.1)])


@pytest.mark.parametrize("rate_hz", [10.0, 20.0, 50.0, 100.0, 200.0])
def test_an_ideal_unit_reads_slow_signals_as_they_are(rate_hz):
    before = SLOW.copy()
    stamps, accel, gyro = stream(ImuErrors(), rate_hz=rate_hz)
    assert np.allclose(np.diff(stamps), 1.0 / rate_hz)
    assert stamps[0] < TIME[0] < TIME[-1] <= stamps[-1]
    inner = slice(round(0.3 * rate_hz), -round(0.3 * rate_hz))
    assert np.abs(accel - at(stamps))[inner].max() < 0.005
    assert np.allclose(gyro, 2 * accel)
    assert np.array_equal(before, SLOW)


def test_what_is_above_the_rate_is_filtered_out():
    fast = np.sin(2 * np.pi * 30.0 * TIME)[:, None] * np.ones(3)
    _, accel, _ = stream(ImuErrors(), x=fast)
    assert np.abs(accel[5:-5]).max() < 0.01


@pytest.mark.parametrize("rate_hz", [0.0, -5.0, 500.0, np.nan])
def test_a_rate_that_the_signals_do_not_have_is_refused(rate_hz):
    with pytest.raises(ValueError, match="rate_hz is"):
        stream(ImuErrors(), rate_hz=rate_hz)


@pytest.mark.parametrize("rate_hz", [20.0, 100.0])
def test_allan_deviation_at_one_second_gives_back_the_noise_density(rate_hz):
    errors = ImuErrors(accel_noise=1.57e-3, gyro_noise=1.22e-4)
    zero = np.zeros((60_000, 3))
    accel, gyro = distort_imu(zero, zero, errors, np.random.default_rng(0), rate_hz=rate_hz)
    for measured, density in ((accel, 1.57e-3), (gyro, 1.22e-4)):
        assert np.isclose(allan_deviation(measured, rate_hz, 1.0) * np.sqrt(2.0), density, rtol=0.05)
        slope = np.log2(allan_deviation(measured, rate_hz, 2.0) / allan_deviation(measured, rate_hz, 0.5)) / 2.0
        assert np.isclose(slope, -0.5, atol=0.03)
        assert np.isclose(measured.std(), density * np.sqrt(rate_hz / 2.0), rtol=0.02)


def test_the_minimum_of_the_allan_deviation_gives_back_the_bias_instability():
    errors = ImuErrors(accel_noise=1.57e-3, accel_instability=1e-3, gyro_noise=1.22e-4, gyro_instability=3.5e-5)
    zero, rate_hz = np.zeros((400_000, 3)), 10.0
    accel, gyro = distort_imu(zero, zero, errors, np.random.default_rng(0), rate_hz=rate_hz)
    for measured, density, instability in ((accel, 1.57e-3, 1e-3), (gyro, 1.22e-4, 3.5e-5)):
        deviations = [allan_deviation(measured, rate_hz, tau) for tau in (30.0, 60.0, 120.0, 240.0, 480.0)]
        floor = np.sqrt(min(deviations) ** 2 - density**2 / (2.0 * 240.0))
        assert np.isclose(floor / 0.664, instability, rtol=0.15)


def test_flicker_is_flat_over_two_decades_and_bounded():
    x = flicker(300_000, 6, np.random.default_rng(0), rate_hz=5.0)
    deviations = [allan_deviation(x, 5.0, tau) for tau in (5.0, 15.0, 50.0, 150.0, 400.0)]
    assert np.allclose(deviations, 0.664, rtol=0.15)
    bound = np.sqrt(len(FLICKER_S) * np.log(10.0) / np.pi)
    assert np.isclose(x.std(), bound, rtol=0.1)
    assert np.isclose(flicker(1, 20_000, np.random.default_rng(0), rate_hz=5.0).std(), bound, rtol=0.03)


def test_bias_and_scale():
    errors = ImuErrors(accel_bias=(0.1, 0.0, -0.2), gyro_matrix=((1.1, 0, 0), (0, 1, 0), (0.2, 0, 1)))
    ones = np.ones((3, 3))
    accel, gyro = distort_imu(ones, ones, errors, np.random.default_rng(0), rate_hz=20.0)
    assert np.allclose(accel, [1.1, 1.0, 0.8])
    assert np.allclose(gyro, [1.1, 1.0, 1.2])


@pytest.mark.parametrize("bits", [12, 16])
def test_clipping_and_steps(bits):
    x = np.array([-200.0, -1.0, 0.0, 0.00123, 200.0])
    step = 78.0 / 2 ** (bits - 1)
    y = quantise(x, 78.0, bits=bits)
    assert y.min() == -78.0
    assert y.max() == pytest.approx(78.0 - step)
    assert np.allclose(y / step, np.round(y / step))
    assert np.abs(y - x)[1:4].max() <= 0.5 * step
    assert np.array_equal(quantise(x, 0.0), x)


def test_a_unit_clips_at_its_full_scale():
    _, accel, _ = stream(ImuErrors(accel_limit=5.0), x=20.0 * SLOW)
    assert accel.min() == -5.0
    assert 4.99 < accel.max() < 5.0


def test_a_slow_clock_stamps_too_early():
    errors = ImuErrors(clock=Clock(offset_s=-0.2, drift=-1e-3))
    stamps, accel, _ = stream(errors, rate_hz=100.0)
    true = (stamps + 0.2) / (1.0 - 1e-3)
    inner = (true > 0.5) & (true < 9.5)
    assert np.abs(accel - at(true))[inner].max() < 0.005
    assert np.abs(accel - at(stamps))[inner].max() > 0.5


def test_the_streams_rate_is_the_units_own():
    stamps, accel, _ = stream(ImuErrors(rate_error=9e-4), rate_hz=100.0)
    assert np.isclose(1.0 / np.diff(stamps).mean(), 100.09, atol=1e-6)
    inner = slice(50, -50)
    assert np.abs(accel - at(stamps))[inner].max() < 0.005


def test_jitter_is_in_the_stamps_and_in_the_values():
    stamps, accel, _ = stream(ImuErrors(jitter_s=1e-3), rate_hz=100.0)
    assert np.isclose(np.diff(stamps).std(), np.sqrt(2.0) * 1e-3, rtol=0.1)
    assert np.abs(accel - at(stamps))[50:-50].max() < 0.005
    wild, _, _ = stream(ImuErrors(jitter_s=0.1), rate_hz=100.0)
    assert (np.diff(wild) > 0).all()


def test_stalls_are_gaps_of_the_asked_share_and_length():
    stamps = np.arange(0.0, 10_000.0, 0.05)
    lost = stalled(stamps, 1.0 / 60.0, np.random.default_rng(0))
    assert np.isclose(lost.mean(), 1.0 - np.exp(-2.65 / 60.0), atol=0.007)
    edges = np.flatnonzero(np.diff(lost.astype(int), prepend=0, append=0))
    lengths = np.diff(edges)[::2] * 0.05
    assert lengths.min() >= 0.25
    assert np.isclose(np.median(lengths), 2.65, atol=0.6)
    assert not stalled(stamps, 0.0, np.random.default_rng(0)).any()


def test_a_stall_leaves_no_sample_and_the_grid_shows_it():
    errors = ImuErrors(stalls_per_s=0.15)
    stamps, accel, gyro = stream(errors, seed=1, rate_hz=100.0)
    lost = np.isnan(accel).any(axis=1)
    assert 0.05 < lost.mean() < 0.95
    assert np.array_equal(np.isnan(gyro), np.repeat(lost[:, None], 3, axis=1))
    grid = np.arange(200) / 20.0
    held = imu_to_grid(stamps, accel, grid, rate_hz=20.0)
    nearest = lost[np.searchsorted(stamps, grid)]
    assert np.isclose(np.isnan(held[:, 0]).mean(), nearest.mean(), atol=0.03)


def test_without_stalls_a_grid_within_the_signals_is_covered():
    errors = ImuErrors(clock=Clock(offset_s=0.05, drift=1e-4), rate_error=-0.02, jitter_s=2e-3)
    stamps, accel, _ = stream(errors, rate_hz=100.0)
    assert np.isfinite(imu_to_grid(stamps, accel, TIME[::20], rate_hz=20.0)).all()


def test_noise_drawn_beforehand_gives_the_same_samples_row_by_row():
    errors = ImuErrors(accel_noise=0.01, gyro_instability=0.1, accel_limit=78.0, accel_bias=(0.1, 0.2, 0.3))
    accel, gyro = distort_imu(SLOW, SLOW, errors, np.random.default_rng(3), rate_hz=20.0)
    noise = draw_imu_noise(len(SLOW), errors, np.random.default_rng(3), rate_hz=20.0)
    for k in (0, 1, 700):
        row = apply_imu_errors(SLOW[k : k + 1], SLOW[k : k + 1], errors, noise[k : k + 1])
        assert np.allclose(row, (accel[k : k + 1], gyro[k : k + 1]), rtol=0, atol=1e-12)


def test_the_same_generator_gives_the_same_stream():
    errors = ImuErrors(accel_noise=0.01, jitter_s=1e-3, stalls_per_s=0.1, gyro_instability=0.01)
    one, other, another = stream(errors), stream(errors), stream(errors, seed=1)
    assert all(np.array_equal(a, b, equal_nan=True) for a, b in zip(one, other, strict=True))
    assert not np.array_equal(one[1], another[1], equal_nan=True)
    quiet = stream(replace(errors, accel_noise=0.0))
    assert np.array_equal(quiet[0], one[0])
