"""Low-pass, resampling and repair of streams, against exact signals and a slow plain loop."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import butter, sosfiltfilt

from squat_env.signals import (
    FILTER_ORDER,
    IMU_MAX_GAP_S,
    RANGE_MAX_GAP_S,
    imu_to_grid,
    in_order,
    low_pass,
    median_rate,
    range_to_grid,
    resample,
    stretches,
    uniform_grid,
)

RATE_HZ = 100.0


def sine(frequency_hz, seconds=20.0, rate_hz=RATE_HZ):
    t = np.arange(0, seconds, 1 / rate_hz)
    return t, np.sin(2 * np.pi * frequency_hz * t)


def plain_resample(t, x, t_new, max_gap_s):
    out = []
    for moment in t_new:
        value = np.nan
        for a, b, xa, xb in zip(t, t[1:], x, x[1:], strict=False):
            if a <= moment <= b and b - a <= max_gap_s:
                value = xa + (xb - xa) * (moment - a) / (b - a)
        for a, xa in zip(t, x, strict=True):
            if a == moment:
                value = xa
        out.append(value)
    return np.array(out)


@pytest.mark.parametrize("frequency_hz", [0.5, 3.0, 8.0, 12.0, 30.0])
def test_low_pass_has_the_gain_of_its_order_and_no_delay(frequency_hz):
    _, x = sine(frequency_hz)
    y = low_pass(x, RATE_HZ, 8.0)
    middle = slice(300, -300)
    gain = np.dot(x[middle], y[middle]) / np.dot(x[middle], x[middle])
    # The bilinear transform warps frequencies by tan(pi f / rate).
    warped = np.tan(np.pi * frequency_hz / RATE_HZ) / np.tan(np.pi * 8.0 / RATE_HZ)
    assert gain == pytest.approx(1 / (1 + warped ** (2 * FILTER_ORDER)), abs=2e-3)
    np.testing.assert_allclose(y[middle], gain * x[middle], atol=5e-3)


def test_low_pass_keeps_a_straight_line_to_its_ends():
    line = np.linspace(-3.0, 5.0, 200)
    np.testing.assert_allclose(low_pass(line, RATE_HZ, 8.0), line, atol=1e-4)


@pytest.mark.parametrize("cutoff_hz", [0.3, 8.0, 39.0])
def test_low_pass_is_scipys_butterworth_both_ways(cutoff_hz):
    x = np.random.default_rng(2).normal(size=(400, 3))
    padding = min(int(np.ceil(3 * RATE_HZ / cutoff_hz)), len(x) - 1)
    sections = butter(4, cutoff_hz, fs=RATE_HZ, output="sos")
    np.testing.assert_allclose(
        low_pass(x, RATE_HZ, cutoff_hz), sosfiltfilt(sections, x, axis=0, padlen=padding), atol=1e-10
    )


def test_low_pass_filters_each_stretch_alone():
    _, x = sine(2.0, seconds=4.0)
    holed = x.copy()
    holed[150:160] = np.nan
    y = low_pass(holed, RATE_HZ, 8.0)
    np.testing.assert_array_equal(y[:150], low_pass(x[:150], RATE_HZ, 8.0))
    np.testing.assert_array_equal(y[160:], low_pass(x[160:], RATE_HZ, 8.0))
    assert np.isnan(y[150:160]).all()


@pytest.mark.parametrize("samples", [0, 1, 2, 3, 10])
def test_low_pass_takes_few_samples(samples):
    assert low_pass(np.ones((samples, 2)), RATE_HZ, 8.0) == pytest.approx(np.ones((samples, 2)))


def test_low_pass_above_nyquist_is_a_copy():
    _, x = sine(3.0)
    y = low_pass(x, RATE_HZ, 50.0)
    np.testing.assert_array_equal(x, y)
    assert not np.shares_memory(x, y)


@pytest.mark.parametrize(("rate_hz", "cutoff_hz"), [(0.0, 8.0), (100.0, 0.0), (100.0, np.nan)])
def test_low_pass_refuses_what_is_no_frequency(rate_hz, cutoff_hz):
    with pytest.raises(ValueError, match="expected both above 0"):
        low_pass(np.zeros(10), rate_hz, cutoff_hz)


@given(st.integers(0, 2**32 - 1))
def test_resample_agrees_with_a_plain_loop(seed):
    rng = np.random.default_rng(seed)
    t = np.cumsum(rng.choice([0.1, 0.2, 0.3, 0.6], size=12))
    x = rng.normal(size=12)
    x[rng.random(12) < 0.2] = np.nan
    t_new = np.concatenate([np.arange(-0.2, t[-1] + 0.2, 0.07), t])
    known = np.isfinite(x)
    expected = plain_resample(t[known], x[known], t_new, 0.55)
    np.testing.assert_allclose(resample(t, x, t_new, max_gap_s=0.55), expected, atol=1e-12)


def test_resample_takes_each_column_for_itself():
    t = np.array([0.0, 0.1, 0.2])
    x = np.array([[0.0, 0.0], [np.nan, 1.0], [2.0, 2.0]])
    got = resample(t, x, np.array([0.05, 0.15]), max_gap_s=0.15)
    np.testing.assert_allclose(got, [[np.nan, 0.5], [np.nan, 1.5]])


def test_resample_of_nothing_is_missing():
    assert np.isnan(resample(np.empty(0), np.empty(0), np.array([0.0, 1.0]), max_gap_s=1.0)).all()


@pytest.mark.parametrize(
    ("start_s", "stop_s", "first", "number"),
    [(0.0, 1.0, 0.0, 21), (0.35, 0.36, 0.35, 1), (-0.003, 0.09, 0.0, 2), (0.51, 0.54, None, 0), (1.0, 0.0, None, 0)],
)
def test_uniform_grid(start_s, stop_s, first, number):
    grid = uniform_grid(start_s, stop_s, 20.0)
    assert len(grid) == number
    if number:
        assert grid[0] == pytest.approx(first)
        np.testing.assert_allclose(np.diff(grid), 0.05)


@given(st.lists(st.integers(0, 20), min_size=1, max_size=30), st.integers(0, 2**32 - 1))
def test_in_order_sorts_and_averages(stamps, seed):
    t = np.array(stamps) / 10
    x = np.random.default_rng(seed).normal(size=(len(t), 2))
    new_t, new_x, late, together = in_order(t, x)
    np.testing.assert_array_equal(new_t, np.unique(t))
    np.testing.assert_allclose(new_x, [x[t == stamp].mean(axis=0) for stamp in new_t])
    assert together == len(t) - len(new_t)
    assert late == sum(t[i] < t[:i].max() for i in range(1, len(t)))


def test_in_order_keeps_the_known_value_of_equal_stamps():
    t, x, _, together = in_order(np.array([0.0, 0.0, 1.0, 1.0]), np.array([np.nan, 2.0, np.nan, np.nan]))
    np.testing.assert_array_equal(t, [0.0, 1.0])
    np.testing.assert_array_equal(x, [2.0, np.nan])
    assert together == 2


def test_stretches():
    assert stretches(np.array([True, True, False, True])) == [(0, 2), (3, 4)]
    assert stretches(np.zeros(3, dtype=bool)) == []


def jittered(rng, seconds=10.0, spread_s=0.003):
    t = np.sort(np.arange(0, seconds, 1 / RATE_HZ) + rng.uniform(-spread_s, spread_s, int(seconds * RATE_HZ)))
    return in_order(t, t)[0]


def test_imu_to_grid_undoes_jitter_and_removes_what_would_fold_back():
    t = jittered(np.random.default_rng(1))
    wanted = np.sin(2 * np.pi * 1.5 * t)
    x = np.stack([wanted, wanted + 0.5 * np.sin(2 * np.pi * 19.0 * t)], axis=1)
    grid = uniform_grid(t[0], t[-1], 20.0)
    got = imu_to_grid(t, x, grid, rate_hz=20.0)
    middle = slice(20, -20)
    truth = np.sin(2 * np.pi * 1.5 * grid[middle])
    np.testing.assert_allclose(got[middle, 0], truth, atol=0.01)
    np.testing.assert_allclose(got[middle, 1], truth, atol=0.03)
    assert np.isfinite(got).all()


@pytest.mark.parametrize(("gap_s", "marked"), [(0.2, False), (0.3, True)])
def test_imu_to_grid_marks_a_long_gap_and_bridges_a_short_one(gap_s, marked):
    t = np.arange(0, 5, 0.01)
    t = t[(t <= 2.0) | (t >= 2.0 + gap_s)]
    grid = uniform_grid(0, 4.9, 20.0)
    got = imu_to_grid(t, np.sin(t)[:, None], grid, rate_hz=20.0)[:, 0]
    inside = (grid > 2.011) & (grid < 2.0 + gap_s - 0.011)
    assert np.isnan(got[inside]).all() == marked
    np.testing.assert_allclose(got[~inside & np.isfinite(got)], np.sin(grid[~inside & np.isfinite(got)]), atol=5e-3)
    assert np.isfinite(got[(grid < 1.98) | (grid > 2.02 + gap_s)]).all()


def test_imu_to_grid_covers_both_ends():
    t = np.arange(0, 3.0, 1 / 103.0)
    grid = uniform_grid(t[0], t[-1], 20.0)
    assert np.isfinite(imu_to_grid(t, np.ones((len(t), 6)), grid, rate_hz=20.0)).all()


@pytest.mark.parametrize("samples", [0, 1])
def test_imu_to_grid_of_too_few_samples_is_missing(samples):
    got = imu_to_grid(np.zeros(samples), np.zeros((samples, 6)), np.arange(3) / 20, rate_hz=20.0)
    assert got.shape == (3, 6)
    assert np.isnan(got).all()


@pytest.mark.parametrize(("lost", "valid"), [(1, True), (2, False)])
def test_range_to_grid_bridges_one_lost_reading_at_5_hz(lost, valid):
    t = np.arange(0, 3, 0.2)
    reading = 1.0 + 0.1 * t
    reading[5 : 5 + lost] = np.nan
    grid = uniform_grid(0, 2.8, 20.0)
    value, known = range_to_grid(t, reading, grid)
    assert known[grid == 1.1].all() == valid
    np.testing.assert_array_equal(known, np.isfinite(value))
    np.testing.assert_allclose(value[known], 1.0 + 0.1 * grid[known])


def test_inputs_stay_as_they_are():
    rng = np.random.default_rng(2)
    t, x = np.array([0.3, 0.1, 0.1, 0.2]), rng.normal(size=(4, 6))
    x[1, 2] = np.nan
    before = t.copy(), x.copy()
    low_pass(x, RATE_HZ, 8.0)
    sorted_t, sorted_x, _, _ = in_order(t, x)
    kept = sorted_t.copy(), sorted_x.copy()
    grid = np.arange(0.1, 0.3, 0.05)
    resample(sorted_t, sorted_x, grid, max_gap_s=IMU_MAX_GAP_S)
    imu_to_grid(sorted_t, sorted_x, grid, rate_hz=5.0)
    range_to_grid(sorted_t, sorted_x[:, 0], grid, max_gap_s=RANGE_MAX_GAP_S)
    for got, expected in zip((t, x, sorted_t, sorted_x), (*before, *kept), strict=True):
        np.testing.assert_array_equal(got, expected)


def test_median_rate_ignores_a_pause():
    assert median_rate(np.array([0.0, 0.01, 0.02, 5.0, 5.01])) == pytest.approx(100.0)
    assert median_rate(np.array([1.0])) == 0.0
