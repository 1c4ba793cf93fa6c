"""What a simulation knows of every sample beyond its phase: what the content of a movement is learnt from."""

from collections.abc import Mapping

import numpy as np

from real2sim.recordings.recording import LANDMARKS
from real2sim.sequences import Dataset, Truth

_HIPS = [LANDMARKS.index(f"{side}_hip") for side in ("left", "right")]


def height(dataset: Dataset, start: int, stop: int) -> np.ndarray:
    """Height of the hip centres over their highest in the set, (T,): 1 standing upright."""
    hips = dataset.read("landmarks", start, stop)[:, _HIPS, 2].mean(1)
    samples = np.diff(np.asarray(dataset.offsets("sample"))[start : stop + 1])
    _, of_set = np.unique(dataset.read("set", start, stop), return_inverse=True)
    owner = np.repeat(of_set, samples)
    highest = np.zeros(of_set.max() + 1)
    np.maximum.at(highest, owner, hips)
    return hips / highest[owner]


def four_part(dataset: Dataset, start: int, stop: int) -> np.ndarray:
    """The four-part phase (T,): 0 stand, 1 descent, 2 bottom, 3 ascent, -1 unlabelled."""
    return dataset.read("phase4", start, stop)


TRUTHS: Mapping[str, Truth] = {"height": height, "phase4": four_part}
