"""Splines through values at equal steps are SciPy's."""

import numpy as np
import pytest
from scipy.interpolate import CubicSpline

from squat_env.splines import FEWEST, Spline

STEP, START = 0.04, -0.3


@pytest.fixture(params=[FEWEST, 5, 40], ids="{} knots".format)
def values(request):
    return np.cumsum(np.random.default_rng(request.param).normal(size=(request.param, 3)), axis=0)


def test_it_is_the_not_a_knot_spline(values):
    x = START + STEP * np.arange(len(values))
    mine, theirs = Spline(values, STEP, START), CubicSpline(x, values)
    between = np.linspace(x[0] - STEP, x[-1] + STEP, 200)
    assert np.allclose(mine(between), theirs(between), rtol=0, atol=1e-11)
    assert np.allclose(mine.slopes, theirs(x, 1), rtol=0, atol=1e-10)


@pytest.mark.parametrize("factor", [1, 7, 16])
@pytest.mark.parametrize("left_out", [0, 3])
def test_fine_steps_are_those_between_the_knots(values, factor, left_out):
    count = factor * (len(values) - 1) - left_out * (factor > 1)
    at = START + STEP / factor * np.arange(count)
    theirs = CubicSpline(START + STEP * np.arange(len(values)), values)
    value, slope = Spline(values, STEP, START).fine(factor, count)
    assert value.shape == slope.shape == (count, 3)
    assert np.allclose(value, theirs(at), rtol=0, atol=1e-11)
    assert np.allclose(slope, theirs(at, 1), rtol=0, atol=1e-10)


def test_too_few_values_are_refused():
    with pytest.raises(ValueError, match="3 values, expected at least 4"):
        Spline(np.zeros((3, 2)), STEP)
