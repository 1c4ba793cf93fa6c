"""Devices mounted a little otherwise: their axes turned, the movement the same.

A turned device measures exactly the same vectors in other axes, so one recorded window stands for all mountings near
its own. What is learnt from windows that are turned anew each time cannot lean on one mounting.
"""

from collections.abc import Sequence as ListLike
from dataclasses import dataclass

import torch
from torch import Tensor

from real2sim.windows import FIELDS, Statistics

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
        measured = values * self.std + self.mean
        result = measured.clone()
        for columns, turn in zip(self.triads, turns, strict=True):
            for first in columns:
                axes = slice(first, first + 3)
                result[..., axes] = torch.einsum("bij,bwj->bwi", turn, measured[..., axes])
        return (result - self.mean) / self.std * present


def _rotation(vector: Tensor) -> Tensor:
    """Rotation vectors (B, 3) to matrices (B, 3, 3)."""
    x, y, z = vector.unbind(-1)
    zero = torch.zeros_like(x)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1)
    return torch.linalg.matrix_exp(cross.reshape(-1, 3, 3))
