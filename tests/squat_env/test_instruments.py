"""Readings made step by step are those that whole streams get."""

import copy
import pickle
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from wearers import mounted

from squat_env.devices import DeviceRanges, RangeErrors, sample_devices
from squat_env.inertial import apply_imu_errors, draw_imu_noise
from squat_env.instruments import Panel, RangeLink, draw_units, tame
from squat_env.population import Population, Seeds, prepare
from squat_env.ranging import apply_range_errors, draw_range_noise
from squat_env.wearables import DEVICES
from squat_env.wobble import Looseness, wobble

TICKS, STEPS = 20, 12
LOOSE = Looseness(play_deg=12.0, natural_hz=3.0, axis=(0.0, 1.0, 0.0), arm_m=(0.06, 0.0, 0.02))
NO_LIMITS = np.full(12, 1e6)
HOLDS = {
    "tight": (Looseness(), Looseness()),
    "phone": (Looseness(), LOOSE),
    "both": (replace(LOOSE, damping=0.4), LOOSE),
}


@pytest.fixture(scope="module")
def draw():
    return prepare(Population(), Seeds(seed=0, index=0)).draw


def held(draw, holds, level=1.0):
    """The wearer with devices held like this, of this level of errors."""
    watch, phone = (
        replace(getattr(mounted(), device), looseness=hold) for device, hold in zip(DEVICES, holds, strict=True)
    )
    devices = sample_devices(DeviceRanges(level=level), np.random.default_rng(1))
    return replace(draw, placement=replace(draw.placement, watch=watch, phone=phone), devices=devices)


def stream(seed=0):
    """Readings of a first state and of the ticks after it, (1 + N, 15); the first tick is at that state."""
    rng = np.random.default_rng(seed)
    readings = np.cumsum(rng.normal(0.0, 0.8, (1 + STEPS * TICKS, 15)), axis=0)
    readings[:, [2, 8]] += 9.81
    readings[1] = readings[0]
    return readings


def read_all(panel, readings):
    """(1 + STEPS, 12)."""
    out = np.empty((1 + STEPS, 12))
    panel.start(readings[0], TICKS, out[0])
    for step in range(STEPS):
        panel.read(step + 1, readings[1 + step * TICKS :][:TICKS], out[step + 1])
    return out


@pytest.mark.parametrize("holds", HOLDS.values(), ids=HOLDS)
@pytest.mark.parametrize("level", [0.0, 1.0])
def test_inertial_readings_are_those_of_a_stream(draw, holds, level):
    wearer, readings = held(draw, holds, level), stream()
    options = {"samples": 1 + STEPS, "rate_hz": 20.0}
    units = draw_units(wearer, np.random.default_rng(5), ticks=TICKS, limits=NO_LIMITS, **options)
    found, rng = read_all(Panel(units), readings), np.random.default_rng(5)
    for number, device in enumerate(DEVICES):
        columns = slice(6 * number, 6 * number + 3), slice(6 * number + 3, 6 * number + 6)
        accel, gyro, _ = wobble(*(readings[1:, one] for one in columns), holds[number], timestep_s=0.0025)
        means = [np.vstack([signal[:1], signal.reshape(STEPS, TICKS, 3).mean(1)]) for signal in (accel, gyro)]
        errors = getattr(wearer.devices, device)
        noise = draw_imu_noise(1 + STEPS, errors, rng, rate_hz=20.0)
        for column, measured, limit in zip(
            columns, apply_imu_errors(*means, errors, noise), (errors.accel_limit, errors.gyro_limit), strict=True
        ):
            step = limit / 2 ** (errors.bits - 1)
            assert np.abs(found[:, column] - measured).max() <= step + 1e-8, (device, column)
            assert np.mean(np.abs(found[:, column] - measured) < 1e-8) > 0.95, (device, column)


def test_nothing_is_read_beyond_the_limits(draw):
    units = draw_units(
        held(draw, HOLDS["tight"]),
        np.random.default_rng(0),
        samples=2,
        rate_hz=20,
        ticks=TICKS,
        limits=np.full(12, 20.0),
    )
    out, panel = np.empty(12), Panel(units)
    panel.start(np.zeros(15), TICKS, out)
    panel.read(1, np.full((TICKS, 15), 1e5), out)
    assert np.allclose(out, 20.0, atol=0.1)
    panel.read(1, tame(np.full((TICKS, 15), -np.inf)), out)
    assert np.isfinite(out).all()


@pytest.mark.parametrize(
    "clone", [copy.deepcopy, lambda panel: pickle.loads(pickle.dumps(panel))], ids=["copy", "pickle"]
)
@pytest.mark.parametrize("holds", HOLDS.values(), ids=HOLDS)
def test_a_clone_reads_the_same_bits(draw, holds, clone):
    options = {"samples": 3, "rate_hz": 20.0, "ticks": TICKS, "limits": NO_LIMITS}
    panel = Panel(draw_units(held(draw, holds), np.random.default_rng(0), **options))
    readings, out = stream(), np.empty((3, 12))
    panel.start(readings[0], TICKS, out[0])
    panel.read(1, readings[1 : 1 + TICKS], out[0])
    other = clone(panel)
    panel.read(2, readings[1 + TICKS :][:TICKS], out[1])
    other.read(2, readings[1 + TICKS :][:TICKS], out[2])
    assert np.array_equal(out[1], out[2])
    assert not np.array_equal(out[0], out[1])


@pytest.mark.parametrize("rate_hz", [5.0, 20.0])
def test_range_readings_are_those_of_a_stream(rate_hz):
    errors = RangeErrors(
        calibration_m=0.05,
        noise_m=0.03,
        blocked_noise_m=0.2,
        excess_m=0.1,
        excess_per_m=0.5,
        loss=0.1,
        blocked_loss=0.5,
    )
    rng = np.random.default_rng(3)
    distance, thickness = rng.uniform(0.05, 1.0, 400), np.maximum(rng.uniform(-0.2, 0.4, 400), 0.0)
    link = RangeLink(errors, np.random.default_rng(8), readings=400, rate_hz=rate_hz)
    found = [link.read(*truth) for truth in zip(distance, thickness, strict=True)]
    noise = draw_range_noise(400, errors, np.random.default_rng(8), rate_hz=rate_hz)
    expected, _ = apply_range_errors(distance, thickness, errors, noise)
    assert 50 < np.isnan(expected).sum() < 350
    assert np.allclose(found, expected, rtol=0, atol=1e-12, equal_nan=True)


def test_kernels_are_compiled_where_nothing_can_be_written():
    program = """
from numba.core import caching
caching.CacheImpl._locator_classes = []  # as where no folder is writable
import numpy as np
from squat_env.kernels import squares
print(squares(np.ones(9), np.zeros(2), np.full(2, 2.0)), squares.stats.cache_path)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["(2.0,", "8.0)", "None"]
