"""Single draws: as NumPy's own, in less time."""

import numpy as np
import pytest

from squat_env.draws import choose, log_uniform, uniform


@pytest.fixture
def twins():
    return np.random.default_rng(3), np.random.default_rng(3)


def test_uniform_draws_are_those_of_numpy(twins):
    mine, theirs = twins
    assert [uniform(mine, -3.0, 7.0) for _ in range(20)] == [theirs.uniform(-3.0, 7.0) for _ in range(20)]


def test_a_logarithm_is_uniform_between_positive_ends(twins):
    mine, theirs = twins
    assert log_uniform(mine, 2.0, 50.0) == pytest.approx(np.exp(theirs.uniform(np.log(2.0), np.log(50.0))), rel=1e-12)
    assert log_uniform(mine, 0.0, 50.0) == theirs.uniform(0.0, 50.0)


def test_choices_have_their_shares(twins):
    mine, theirs = twins
    options = [("a", 1.0), ("b", 5.0), ("c", 2.0), ("never", 0.0)]
    chosen = [choose(mine, options) for _ in range(4000)]
    assert chosen == theirs.choice([name for name, _ in options], 4000, p=np.array([1.0, 5.0, 2.0, 0.0]) / 8.0).tolist()
