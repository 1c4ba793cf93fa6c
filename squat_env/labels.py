"""The binary phase: down or upright, by the height of the pelvis."""

import numpy as np


def halfway(height: np.ndarray, repetition: np.ndarray) -> np.ndarray:
    """Height [m] halfway between the highest and the lowest of each repetition.

    Args:
        height: (N,) planned pelvis height [m].
        repetition: (N,) number of the repetition, 0 to R - 1, each present.

    Returns:
        (R,) [m].
    """
    return np.array(
        [
            0.5 * (height[repetition == number].max() + height[repetition == number].min())
            for number in range(int(repetition.max()) + 1)
        ]
    )


def upright(height: np.ndarray, threshold: np.ndarray) -> np.ndarray:
    """Phase int8, same shape as `height`: 1 upright where the pelvis is above the threshold [m], 0 down below it."""
    return (height > threshold).astype(np.int8)
