"""A sequence turned to gravity reads the same however its device was mounted."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from real2sim.sequences import GROUPS, Sequence
from real2sim.views import aligned, mounting

CHANNELS = (*GROUPS["watch"], "range")


def made(seed: int = 0, samples: int = 400) -> Sequence:
    """Swings about a horizontal axis with a skewed rate, gravity and noise; some moments lost."""
    rng = np.random.default_rng(seed)
    swing = np.sin(np.arange(samples) / 9.0) ** 3 + 0.4 * np.sin(np.arange(samples) / 4.5 + 0.5)
    gyro = np.outer(swing + 0.3 * swing**2, (0.3, 1.0, 0.0)) + rng.normal(0, 0.02, (samples, 3))
    accel = np.outer(swing, (1.0, 0.2, 0.5)) + rng.normal(0, 0.05, (samples, 3))
    accel[:, 2] += 9.81
    values = np.column_stack([accel, gyro, 0.8 + 0.1 * swing]).astype(np.float32)
    values[50:60, :6] = np.nan
    blank = np.zeros(samples, np.int8)
    return Sequence(
        name="made", subject=1, rate_hz=20.0, channels=CHANNELS, values=values, phase=blank, repetition=blank
    )


@pytest.mark.parametrize("seed", range(5))
def test_another_mounting_reads_the_same(seed):
    sequence = made(seed)
    turn = Rotation.random(random_state=seed).as_matrix().astype(np.float32)
    values = sequence.values.copy()
    values[:, :3], values[:, 3:6] = values[:, :3] @ turn.T, values[:, 3:6] @ turn.T
    one, other = (view.values for view in aligned([sequence, replace(sequence, values=values)]))
    np.testing.assert_allclose(one, other, atol=2e-3)
    assert np.isnan(one[50:60, :6]).all()


def test_every_channel_is_scaled():
    (view,) = aligned([made()])
    np.testing.assert_allclose(np.nanmean(view.values, axis=0), 0.0, atol=1e-4)
    np.testing.assert_allclose(np.nanstd(view.values, axis=0), 1.0, atol=1e-4)


def test_the_new_axes_are_a_rotation_with_gravity_up():
    values = made().values
    turn = mounting(values[:, :3], values[:, 3:6])
    np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-5)
    assert np.linalg.det(turn) == pytest.approx(1.0, abs=1e-5)
    up = np.nanmean(values[:, :3], axis=0)
    np.testing.assert_allclose(turn @ up, (0.0, 0.0, np.linalg.norm(up)), atol=1e-4)
