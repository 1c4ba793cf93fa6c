"""Mutual information of two vectors by a trained lower bound (MINE), in nats.

A statistic network f scores pairs. The Donsker-Varadhan bound

    I(x; y) >= E_joint[f(x, y)] - log E_product[exp f(x, y)]

is tight at the best f, so f is trained to raise it; whoever wants x and y independent lowers it.

References:
    Belghazi et al. 2018, "Mutual Information Neural Estimation", ICML, section 3.2 (moving average).
    Poole et al. 2019, "On Variational Bounds of Mutual Information", ICML (separable scores, all pairs).
    Choi and Lee 2022, "Combating the Instability of Mutual Information-based Losses via Regularization",
    UAI (penalty on the log term).
"""

from __future__ import annotations

import copy
import math

import numpy as np
import torch
from torch import Tensor, nn

from real2sim.compute import reproducible

SMALLEST_STD = 1e-6
"""A column that varies less than this is divided by this instead of by its deviation."""

FEWEST_PAIRS = 40
"""Fewer pairs leave no parts of a useful size to train on, to choose on and to evaluate on."""


class StatisticNetwork(nn.Module):
    """f(x, y) = a(x) + b(y) - |g(x) - h(y)|^2: scores every x of a batch against every y with one matmul.

    Each of a, b, g and h is a linear map plus one hidden layer. A distance falls for pairs unlike any that
    were seen, where the more usual product g(x) . h(y) may rise without bound and one stray product sample
    then rules the log term. `log_average` is the moving average of E_product[exp f], in logs; it belongs to
    the state of the training and is saved with the weights.
    """

    log_average: Tensor

    def __init__(self, x_size: int, y_size: int, *, hidden: int = 64, features: int = 32):
        super().__init__()
        self.x_linear = nn.Linear(x_size, features + 1)
        self.y_linear = nn.Linear(y_size, features + 1)
        self.x_curved = nn.Sequential(nn.Linear(x_size, hidden), nn.ELU(), nn.Linear(hidden, features + 1))
        self.y_curved = nn.Sequential(nn.Linear(y_size, hidden), nn.ELU(), nn.Linear(hidden, features + 1))
        self.scale = features**-0.5
        self.register_buffer("log_average", torch.tensor(math.nan))

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Score all pairs.

        Args:
            x: (B, X).
            y: (D, Y).

        Returns:
            (B, D) scores; where x and y are paired row by row, the diagonal holds the joint samples and all
            the rest are product samples.
        """
        u = self.x_linear(x) + self.x_curved(x)
        v = self.y_linear(y) + self.y_curved(y)
        gx, hy = u[:, :-1], v[:, :-1]
        distance = (gx**2).sum(1, keepdim=True) + (hy**2).sum(1) - 2 * gx @ hy.T
        return u[:, -1:] + v[:, -1] - self.scale * distance


def joint_term(scores: Tensor) -> Tensor:
    """Return E_joint[f] of (B, B) scores: the mean of the diagonal."""
    return scores.diagonal().mean()


def log_term(scores: Tensor) -> Tensor:
    """Return log E_product[exp f] of (B, B) scores.

    The product samples are all B - 1 shuffles of y in the batch that leave no pair together: every score off
    the diagonal.

    Raises:
        ValueError: If there is only one pair, which no shuffle can part.
    """
    size = len(scores)
    if size < 2:
        raise ValueError(f"got a batch of {size} for the product samples, expected 2 or more: use larger batches")
    parted = scores.flatten()[:-1].view(size - 1, size + 1)[:, 1:]
    return parted.flatten().logsumexp(0) - math.log(parted.numel())


def donsker_varadhan(scores: Tensor) -> Tensor:
    """Return the bound E_joint[f] - log E_product[exp f] of (B, B) scores, nats.

    Raises:
        ValueError: If there is only one pair.
    """
    return joint_term(scores) - log_term(scores)


def statistic_loss(
    statistic: StatisticNetwork, x: Tensor, y: Tensor, *, rate: float = 0.01, penalty: float = 0.01
) -> Tensor:
    """Return what the statistic network minimises in one step, and update its moving average.

    The gradient of the log term is E_product[exp(f) df] / average instead of / E_batch[exp f], which removes
    the bias of a small batch. The penalty holds the constant that f is free to add near log E[exp f] = 0,
    without which the average loses track of it and the training diverges.

    Args:
        statistic: The network; its `log_average` is changed in place.
        x: (B, X), without gradient.
        y: (B, Y), without gradient.
        rate: Share of the present batch in the moving average.
        penalty: Weight of the squared log term.

    Raises:
        ValueError: If there is only one pair.
    """
    scores = statistic(x, y)
    log_mean = log_term(scores)
    now, before = log_mean.detach(), statistic.log_average
    average = torch.logaddexp(before + math.log1p(-rate), now + math.log(rate))
    statistic.log_average = torch.where(before.isnan(), now, average)
    corrected = (now - statistic.log_average).exp() * log_mean
    return corrected - joint_term(scores) + penalty * log_mean**2


def estimate_mutual_information(
    x: np.ndarray,
    y: np.ndarray,
    *,
    generator: torch.Generator,
    steps: int = 1500,
    batch: int = 256,
    learning_rate: float = 3e-3,
    hidden: int = 128,
    held_out: float = 0.3,
    evaluations: int = 20,
) -> float:
    """Estimate I(x; y) from samples by training a statistic network of its own.

    The bound is read on held-out pairs from a running average of the weights. The moment to stop is chosen
    on one half of them and read on the other, both ways round, so overfitting can only lower the estimate.

    Args:
        x: (N, X) samples.
        y: (N, Y) samples; row i belongs to row i of `x`.
        generator: Source of randomness.
        steps: Most training steps.
        batch: Pairs a step.
        learning_rate: Of Adam at the start; it falls to 0 along a cosine.
        hidden: Width of the statistic network.
        held_out: Share of the pairs that is not trained on.
        evaluations: How often the bound is read; a third of them without gain ends the training.

    Returns:
        Nats, at least 0.

    Raises:
        ValueError: If the arrays do not pair up, are too few or not finite.
    """
    pairs = _standardised(x), _standardised(y)
    if len(pairs[0]) != len(pairs[1]) or len(pairs[0]) < FEWEST_PAIRS:
        raise ValueError(
            f"got {len(pairs[0])} and {len(pairs[1])} samples to pair, expected {FEWEST_PAIRS} or more of both"
        )
    with reproducible(int(torch.randint(2**62, (), generator=generator))):
        order = torch.randperm(len(pairs[0]))
        kept = len(order) - max(4, int(held_out * len(order)))
        middle = (kept + len(order)) // 2
        train, first, second = (
            tuple(values[part] for values in pairs) for part in (order[:kept], order[kept:middle], order[middle:])
        )
        statistic = StatisticNetwork(train[0].shape[1], train[1].shape[1], hidden=hidden)
        bounds = _held_out_bounds(statistic, train, (first, second), steps, batch, learning_rate, evaluations)
    chosen = bounds.argmax(axis=0)
    return max(0.0, float((bounds[chosen[0], 1] + bounds[chosen[1], 0]) / 2))


def correlated_gaussians(
    samples: int, dimension: int, rho: float, generator: torch.Generator
) -> tuple[np.ndarray, np.ndarray, float]:
    """Draw pairs whose mutual information is known: each column of y correlates by rho with the same one of x.

    Returns:
        x (samples, dimension), y (samples, dimension), and I(x; y) = -dimension / 2 log(1 - rho^2) [nat].
    """
    x, noise = torch.randn((2, samples, dimension), generator=generator, dtype=torch.float64)
    y = rho * x + math.sqrt(1 - rho**2) * noise
    return x.numpy(), y.numpy(), -0.5 * dimension * math.log(1 - rho**2)


def _standardised(values: np.ndarray) -> Tensor:
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 2 or not np.isfinite(values).all():
        raise ValueError(f"got samples of shape {values.shape}, expected finite numbers of shape (N, size)")
    scaled = (values - values.mean(axis=0)) / np.maximum(values.std(axis=0), SMALLEST_STD)
    return torch.from_numpy(scaled.astype(np.float32))


def _held_out_bounds(
    statistic: StatisticNetwork,
    train: tuple[Tensor, ...],
    held_out: tuple[tuple[Tensor, ...], ...],
    steps: int,
    batch: int,
    learning_rate: float,
    evaluations: int,
) -> np.ndarray:
    """Train, and return (evaluations, parts) bounds of the averaged weights on each held-out part."""
    optimiser = torch.optim.Adam(statistic.parameters(), lr=learning_rate, betas=(0.9, 0.99))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    averaged = copy.deepcopy(statistic)
    every, bounds = max(1, steps // evaluations), []
    for step in range(steps):
        index = torch.randint(len(train[0]), (batch,))
        optimiser.zero_grad()
        statistic_loss(statistic, train[0][index], train[1][index]).backward()
        nn.utils.clip_grad_norm_(statistic.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        with torch.no_grad():
            share = 1 - min(0.99, step / (step + 10))
            for slow, fast in zip(averaged.parameters(), statistic.parameters(), strict=True):
                slow.lerp_(fast, share)
            if (step + 1) % every == 0:
                bounds.append([float(donsker_varadhan(averaged(*part))) for part in held_out])
                best = int(np.argmax(np.mean(bounds, axis=1)))
                if len(bounds) - best > max(1, evaluations // 3):
                    break
    return np.array(bounds)
