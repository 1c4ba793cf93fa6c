"""Pictures of the report."""

import numpy as np
from matplotlib.figure import Figure

from real2sim.pictures import _draw_body


def test_who_walks_away_stays_in_the_picture():
    def drawn(landmarks: np.ndarray) -> np.ndarray:
        axes = Figure().subplots()
        _draw_body(axes, landmarks)
        return np.concatenate([line.get_xydata() for line in axes.lines])

    here = np.random.default_rng(0).uniform(-0.5, 0.5, (17, 3))
    np.testing.assert_allclose(drawn(here + np.array([3.0, -2.0, 0.0])), drawn(here), atol=1e-12)
