"""Turned devices measure the same vectors in other axes."""

import numpy as np
import pytest
import torch

from real2sim.mountings import AlongGravity, Mountings
from real2sim.sequences import channels_of
from real2sim.windows import Statistics

BOTH = channels_of(("watch", "range", "phone"))
STATISTICS = Statistics(channels=BOTH, mean=np.linspace(-1.0, 3.0, len(BOTH)), std=np.linspace(0.5, 4.0, len(BOTH)))


@pytest.fixture
def values() -> torch.Tensor:
    return torch.as_tensor(np.random.default_rng(0).normal(0.0, 1.0, (6, 40, len(BOTH))), dtype=torch.float32)


def measured(values: torch.Tensor) -> np.ndarray:
    return values.numpy() * STATISTICS.std + STATISTICS.mean


@pytest.mark.parametrize("first", ["watch_accel_x", "watch_gyro_x", "phone_accel_x", "phone_gyro_x"])
def test_a_turned_device_measures_vectors_of_the_same_length(values, first):
    mountings, at = Mountings.of(STATISTICS), BOTH.index(first)
    turned = mountings.turned(values, torch.ones_like(values), mountings.draw(6, 1.0))
    before, after = (measured(x)[..., at : at + 3] for x in (values, turned))
    np.testing.assert_allclose(np.linalg.norm(after, axis=-1), np.linalg.norm(before, axis=-1), rtol=1e-4)
    assert np.abs(after - before).max() > 0.5


def test_turns_are_rotations_by_normal_vectors():
    torch.manual_seed(0)
    turn, *_ = Mountings.of(STATISTICS).draw(4000, 0.2)
    torch.testing.assert_close(turn @ turn.mT, torch.eye(3).expand_as(turn), atol=1e-5, rtol=0.0)
    angle = torch.arccos(((turn.diagonal(dim1=1, dim2=2).sum(1) - 1) / 2).clamp(-1, 1))
    assert float(angle.square().mean()) == pytest.approx(3 * 0.2**2, rel=0.05)
    torch.manual_seed(0)
    vector = 0.2 * torch.randn(4000, 3)
    axis = torch.stack([turn[:, 2, 1] - turn[:, 1, 2], turn[:, 0, 2] - turn[:, 2, 0], turn[:, 1, 0] - turn[:, 0, 1]], 1)
    torch.testing.assert_close(axis / (2 * torch.sin(angle) / angle)[:, None], vector, atol=1e-3, rtol=0.0)


def test_accelerometer_and_gyroscope_of_a_device_turn_together(values):
    mountings, at = Mountings.of(STATISTICS), [BOTH.index(f"watch_{kind}_x") for kind in ("accel", "gyro")]
    turned = mountings.turned(values, torch.ones_like(values), mountings.draw(6, 1.0))

    def product(x):
        return (measured(x)[..., at[0] : at[0] + 3] * measured(x)[..., at[1] : at[1] + 3]).sum(-1)

    np.testing.assert_allclose(product(turned), product(values), atol=2e-3)


def test_turning_back_gives_the_window_and_leaves_the_range(values):
    mountings, present = Mountings.of(STATISTICS), torch.ones_like(values)
    turns = mountings.draw(6, 1.0)
    turned = mountings.turned(values, present, turns)
    back = mountings.turned(turned, present, [turn.mT for turn in turns])
    torch.testing.assert_close(back, values, atol=1e-4, rtol=0.0)
    torch.testing.assert_close(turned[..., BOTH.index("range")], values[..., BOTH.index("range")])


def test_what_is_missing_stays_missing(values):
    mountings, present = Mountings.of(STATISTICS), torch.ones_like(values)
    present[:, 10:20, BOTH.index("phone_accel_x") :] = 0.0
    turned = mountings.turned(values * present, present, mountings.draw(6))
    assert (turned[present == 0] == 0).all()


def along_gravity(values: torch.Tensor) -> torch.Tensor:
    mountings = Mountings.of(STATISTICS)
    network = AlongGravity(len(BOTH), mountings.triads)
    network.scale(mountings)
    seen = network(values)
    assert seen.shape[-1] == network.channels
    torch.testing.assert_close(seen[..., : len(BOTH)], values)
    return seen[..., len(BOTH) :]


def test_no_mounting_changes_what_is_seen_along_gravity(values):
    mountings = Mountings.of(STATISTICS)
    turned = mountings.turned(values, torch.ones_like(values), mountings.draw(6, 1.0))
    torch.testing.assert_close(along_gravity(turned), along_gravity(values), atol=5e-3, rtol=0.0)


@pytest.mark.parametrize(("first", "channel"), [("watch_accel_x", 0), ("phone_accel_x", 4)])
def test_a_device_at_rest_feels_gravity_alone_and_a_still_window_has_a_gradient(first, channel):
    still = np.zeros((1, 40, len(BOTH)))
    still[..., BOTH.index(first) + 1] = -9.81
    values = torch.as_tensor((still - STATISTICS.mean) / STATISTICS.std, dtype=torch.float32).requires_grad_()
    seen = along_gravity(values)
    torch.testing.assert_close(seen[..., channel : channel + 2], torch.zeros(1, 40, 2), atol=0.01, rtol=0.0)
    assert torch.autograd.grad(seen.sum(), values)[0].isfinite().all()


@pytest.mark.parametrize(("groups", "devices"), [(("watch", "range"), 1), (("phone",), 1), (("watch", "phone"), 2)])
def test_only_devices_that_are_there_are_turned(groups, devices):
    channels = channels_of(groups)
    mountings = Mountings.of(Statistics(channels=channels, mean=np.zeros(len(channels)), std=np.ones(len(channels))))
    assert len(mountings.draw(3)) == devices
