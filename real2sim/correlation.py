"""CORAL's term: the covariances of what a network makes of simulation and of recordings are to be equal.

References:
    Sun and Saenko 2016, "Deep CORAL: Correlation Alignment for Deep Domain Adaptation", ECCV workshops.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from real2sim.training import Batches

CALIBRATION = 8  # batches that the weight of the term is calibrated on
BATCH = 128  # their windows


def covariance_distance(one: Tensor, other: Tensor) -> Tensor:
    """Squared distance of the covariances of features (..., d) and (..., d) of any number of samples, over 4 d^2."""
    difference = torch.cov(one.flatten(0, -2).T) - torch.cov(other.flatten(0, -2).T)
    return (difference**2).sum() / (4 * one.shape[-1] ** 2)


@torch.no_grad()
def calibrated(losses: Callable[[Batches], tuple[Tensor, Tensor]], train: Batches, share: float) -> float:
    """The weight with which the term starts at a share of the phases' loss, whatever the features' scale.

    Args:
        losses: Phases' loss and distance of a batch.
        train: The windows that batches are drawn from.
        share: Of the weighted distance over the phases' loss.
    """
    of_batches = [torch.stack(losses(train.some(BATCH))) for _ in range(CALIBRATION)]
    phases, distance = torch.stack(of_batches).mean(0)
    return float(share * phases / distance)
