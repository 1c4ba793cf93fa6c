"""Devices mounted a little otherwise: their axes turned, the movement the same.

A turned device measures exactly the same vectors in other axes, so one recorded window stands for all mountings near
its own. What is learnt from windows that are turned anew each time cannot lean on one mounting.
"""

from collections.abc import Sequence as ListLike
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from real2sim.sequences import FIELDS
from real2sim.windows import Statistics

STANDARD_GRAVITY = 9.81  # m/s^2
ACCEL_SCALE, GYRO_SCALE = 3.0, 1.0  # m/s^2 and rad/s, of people's movements; brings the channels near unit size
TURN_RAD = 0.3  # standard deviation of a turn about each axis; a strap and a pocket vary by 15-25 degrees


@dataclass(frozen=True, eq=False)
class Mountings:
    """Turns the devices of normalised windows.

    Attributes:
        mean, std: (C,) scale of the channels.
        triads: For each device the first columns of its accelerometer and its gyroscope.
    """

    mean: Tensor
    std: Tensor
    triads: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, statistics: Statistics) -> "Mountings":
        """The devices among the channels."""
        columns = {name: k for k, name in enumerate(statistics.channels)}
        triads = (
            tuple(columns[held[0]] for name, held in FIELDS.items() if name.startswith(device) and held[0] in columns)
            for device in ("watch", "phone")
        )
        mean, std = (torch.as_tensor(values, dtype=torch.float32) for values in (statistics.mean, statistics.std))
        return cls(mean, std, tuple(columns for columns in triads if columns))

    def draw(self, windows: int, spread: float = TURN_RAD) -> list[Tensor]:
        """For each device a turn (B, 3, 3) a window, its rotation vector normal with this deviation [rad]."""
        return [_rotation(spread * torch.randn(windows, 3)) for _ in self.triads]

    def turned(self, values: Tensor, present: Tensor, turns: ListLike[Tensor]) -> Tensor:
        """Windows (B, W, C) with each device in turned axes; what is missing stays missing."""
        channels = len(self.mean)
        map_ = torch.eye(channels).repeat(len(values), 1, 1)
        for columns, turn in zip(self.triads, turns, strict=True):
            for first in columns:
                axes = slice(first, first + 3)
                map_[:, axes, axes] = turn.mT
        moved = self.mean @ map_ - self.mean
        return torch.baddbmm(moved[:, None] / self.std, values, self.std[:, None] * map_ / self.std) * present


def _rotation(vector: Tensor) -> Tensor:
    """Rotation vectors (B, 3) to matrices (B, 3, 3), by Rodrigues' formula."""
    x, y, z = vector.unbind(-1)
    zero = torch.zeros_like(x)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).unflatten(-1, (3, 3))
    turns = vector.norm(dim=-1)[:, None, None] / (2 * torch.pi)
    return torch.eye(3) + torch.sinc(2 * turns) * cross + 0.5 * torch.sinc(turns).square() * cross @ cross


class AlongGravity(nn.Module):
    """Windows with four channels more a device, which no mounting changes.

    They are the parts of acceleration and angular velocity along the device's mean acceleration over the window, which
    is taken for the vertical, and the lengths of what is across it.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, channels: int, devices: ListLike[ListLike[int]]):
        super().__init__()
        self.devices = devices
        self.channels = channels + 4 * len(devices)
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("std", torch.ones(channels))

    def scale(self, mountings: Mountings) -> None:
        """Takes the scale of the channels over."""
        self.mean.copy_(mountings.mean)
        self.std.copy_(mountings.std)

    def forward(self, x: Tensor) -> Tensor:
        """Normalised (B, W, C) to (B, W, C + 4 a device)."""
        measured = x * self.std + self.mean
        return torch.cat([x, *(part for device in self.devices for part in _along_and_across(measured, device))], -1)


def _along_and_across(measured: Tensor, device: ListLike[int]) -> list[Tensor]:
    """Four channels (B, W, 1) of the device whose accelerometer and gyroscope start in these columns."""
    accel, gyro = (measured[..., first : first + 3] for first in device)
    mean = accel.mean(1, keepdim=True)
    up = mean / (mean.norm(dim=-1, keepdim=True) + 1e-3)
    return [
        (_dot(accel, up) - STANDARD_GRAVITY) / ACCEL_SCALE,
        _length(accel - _dot(accel, up) * up) / ACCEL_SCALE,
        _dot(gyro, up) / GYRO_SCALE,
        _length(gyro - _dot(gyro, up) * up) / GYRO_SCALE,
    ]


def _dot(one: Tensor, other: Tensor) -> Tensor:
    return (one * other).sum(-1, keepdim=True)


def _length(vectors: Tensor) -> Tensor:
    """With a gradient at nothing too."""
    return (_dot(vectors, vectors) + 1e-4).sqrt()
