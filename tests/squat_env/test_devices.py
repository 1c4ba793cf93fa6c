"""How devices are drawn: named kinds, one level, everything from the seed."""

from dataclasses import astuple, replace

import numpy as np
import pytest

from generators.repetition import flatten
from squat_env.devices import GRADES, PROFILES, Clock, DeviceRanges, Devices, sample_devices


def drawn(ranges: DeviceRanges, count: int = 400) -> list[Devices]:
    return [sample_devices(ranges, np.random.default_rng(seed)) for seed in range(count)]


def numbers(devices: Devices) -> dict[str, np.ndarray]:
    return {name: np.asarray(value, dtype=float) for name, value in flatten(devices, "devices")}


@pytest.mark.parametrize("grade", sorted(GRADES))
def test_level_zero_draws_ideal_devices(grade):
    ranges = DeviceRanges(level=0.0, grades=((grade, 1.0),))
    assert sample_devices(ranges, np.random.default_rng(0)) == Devices()
    assert sample_devices(PROFILES["ideal"], np.random.default_rng(0)) == Devices()


@pytest.mark.parametrize("profile", ["fused", "raw", "cheap"])
def test_the_level_is_a_factor_on_every_error(profile):
    one = numbers(sample_devices(PROFILES[profile], np.random.default_rng(1)))
    half = numbers(sample_devices(replace(PROFILES[profile], level=0.5), np.random.default_rng(1)))
    fixed = ("limit", "bits", "burst_s")
    for name, value in one.items():
        ideal = numbers(Devices())[name]
        expected = value if name.endswith(fixed) else ideal + 0.5 * (value - ideal)
        assert np.allclose(half[name], expected, rtol=1e-12, atol=1e-15), name


@pytest.mark.parametrize(
    ("profile", "accel_sd", "gyro_sd"), [("fused", 0.02, 0.02), ("raw", 0.15, 1.0), ("cheap", 0.4, 3.0)]
)
def test_turn_on_biases_have_their_grades_spread(profile, accel_sd, gyro_sd):
    devices = drawn(PROFILES[profile])
    accel = np.std([d.watch.accel_bias for d in devices] + [d.phone.accel_bias for d in devices])
    gyro = np.std([d.watch.gyro_bias for d in devices] + [d.phone.gyro_bias for d in devices])
    assert np.isclose(accel, accel_sd, rtol=0.06)
    assert np.isclose(np.rad2deg(gyro), gyro_sd, rtol=0.06)


def test_scale_and_cross_axis_have_their_spread():
    matrices = np.array([d.phone.gyro_matrix for d in drawn(PROFILES["raw"])])
    diagonal = np.eye(3, dtype=bool)
    assert np.isclose((matrices[:, diagonal] - 1.0).std(), 0.0075, rtol=0.1)
    assert np.isclose(matrices[:, ~diagonal].std(), 0.005, rtol=0.1)


def test_instability_lies_where_body_trackers_have_it():
    instability = [d.watch.accel_instability for d in drawn(PROFILES["fused"], 100)]
    assert 0.24e-3 <= min(instability) < 0.3e-3
    assert 0.95e-3 < max(instability) <= 1.03e-3


def test_fused_units_run_at_the_rate_of_phones():
    rates = [100.0 * (1.0 + d.phone.rate_error) for d in drawn(PROFILES["fused"])]
    assert np.isclose(np.median(rates), 100.09, atol=0.005)


def test_the_two_clocks_are_independent_and_the_link_has_the_phones():
    devices = drawn(PROFILES["raw"])
    watch, phone = (np.array([astuple(getattr(d, name).clock) for d in devices]) for name in ("watch", "phone"))
    assert np.allclose(watch.std(0), [0.03, 50e-6], rtol=0.15)
    assert np.abs(np.corrcoef(watch[:, 0], phone[:, 0])[0, 1]) < 0.15
    assert all(d.range.clock == d.phone.clock for d in devices)


def test_a_minority_of_watches_stalls_and_no_phone():
    devices = drawn(DeviceRanges())
    assert 0.14 < np.mean([d.watch.stalls_per_s > 0 for d in devices]) < 0.26
    assert {d.phone.stalls_per_s for d in devices} == {0.0}


def test_blocked_links_lie_around_the_nominal_one():
    links = [d.range for d in drawn(DeviceRanges())]
    assert np.isclose(np.mean([link.excess_m for link in links]), 0.10, atol=0.01)
    assert np.isclose(np.mean([link.excess_per_m for link in links]), 0.5, atol=0.05)
    assert max(link.blocked_noise_m for link in links) <= 0.25
    assert all(0.1 <= link.blocked_loss <= 0.5 for link in links)


def test_a_clock_shows_and_tells_true_time():
    clock, true = Clock(offset_s=0.03, drift=1e-4), np.linspace(0.0, 60.0, 7)
    assert np.allclose(clock.true_time(true + 0.03 + 1e-4 * true), true, atol=1e-12)


def test_the_same_seed_draws_the_same_devices():
    one, other = (sample_devices(DeviceRanges(), np.random.default_rng(4)) for _ in range(2))
    assert one == other
    assert one != sample_devices(DeviceRanges(), np.random.default_rng(5))


@pytest.mark.parametrize("change", [{"level": -1.0}, {"level": np.nan}, {"grades": (("best", 1.0),)}, {"grades": ()}])
def test_absurd_ranges_are_refused(change):
    with pytest.raises(ValueError, match="expected"):
        DeviceRanges(**change)
