"""CORAL's term."""

import numpy as np
import pytest
import torch

from real2sim.correlation import calibrated, covariance_distance
from real2sim.training import Batches


def test_covariances_are_compared_as_published():
    rng = np.random.default_rng(0)
    one, other = rng.normal(size=(50, 4)), rng.normal(size=(30, 4)) * 2
    expected = ((np.cov(one.T) - np.cov(other.T)) ** 2).sum() / (4 * 4**2)
    assert float(covariance_distance(torch.as_tensor(one), torch.as_tensor(other))) == pytest.approx(expected)


def test_windows_are_compared_sample_by_sample():
    one, other = torch.randn(6, 10, 3), torch.randn(4, 10, 3)
    flat = covariance_distance(one.flatten(0, 1), other.flatten(0, 1))
    torch.testing.assert_close(covariance_distance(one, other), flat)


@pytest.mark.parametrize("scale", [1.0, 100.0])
def test_the_term_starts_at_its_share_whatever_the_scale(scale):
    values = torch.full((7, 2, 1), 2.0)
    train = Batches(values, values, values[..., 0].long(), torch.arange(7), {})
    weight = calibrated(lambda batch: (0.2 * batch.values.mean(), scale * batch.values.mean()), train, share=3.0)
    assert weight * scale * 2.0 == pytest.approx(3.0 * 0.4)
