"""MINE against distributions whose mutual information is known."""

import numpy as np
import pytest
import torch

from real2sim.mutual_information import (
    StatisticNetwork,
    correlated_gaussians,
    donsker_varadhan,
    estimate_mutual_information,
    statistic_loss,
)


def estimated(dimension: int, rho: float, samples: int) -> tuple[float, float]:
    generator = torch.Generator().manual_seed(dimension)
    x, y, known = correlated_gaussians(samples, dimension, rho, generator)
    return estimate_mutual_information(x, y, generator=generator), known


@pytest.mark.parametrize("rho", [0.0, 0.9])
def test_gaussians(rho):
    estimate, known = estimated(2, rho, 6000)
    assert abs(estimate - known) <= max(0.1, 0.1 * known)


@pytest.mark.slow
@pytest.mark.parametrize("dimension", [2, 10])
@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9])
def test_gaussians_of_more_dimensions(dimension, rho):
    estimate, known = estimated(dimension, rho, 20_000)
    assert abs(estimate - known) <= max(0.1, 0.1 * known), (estimate, known)


def test_the_known_value_is_that_of_the_samples():
    x, y, known = correlated_gaussians(200_000, 3, 0.6, torch.Generator().manual_seed(0))
    rho = np.mean([np.corrcoef(x[:, k], y[:, k])[0, 1] for k in range(3)])
    assert np.isclose(rho, 0.6, atol=0.01)
    assert np.isclose(known, -1.5 * np.log(1 - 0.36))


def test_a_batch_of_one_is_refused():
    statistic = StatisticNetwork(2, 2)
    with pytest.raises(ValueError, match="batch of 1"):
        donsker_varadhan(statistic(torch.zeros(1, 2), torch.zeros(1, 2)))


def test_the_moving_average_follows_the_batches():
    statistic = StatisticNetwork(2, 2)
    x, y = torch.randn(2, 64, 2)
    assert statistic.log_average.isnan()
    statistic_loss(statistic, x, y)
    first = float(statistic.log_average)
    for _ in range(3):
        statistic_loss(statistic, x, y)
    assert np.isclose(float(statistic.log_average), first, atol=1e-5)


def test_unpaired_samples_are_refused():
    with pytest.raises(ValueError, match="to pair"):
        estimate_mutual_information(np.zeros((50, 2)), np.zeros((60, 2)), generator=torch.Generator())
