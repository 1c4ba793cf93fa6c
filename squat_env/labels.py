"""The binary phase: upright (at the start position) or down (at the turning point), and where it changes.

Where the pelvis goes down, its height says which; where it hardly moves, the joint that the exercise is about does.
`Exercise.phase_of` says which of the two. The four-part phase is the plan's, `Reference.phase4`.
"""

from dataclasses import dataclass

import numpy as np

from squat_env.reference import Reference


@dataclass(frozen=True, kw_only=True)
class Phases:
    """What divides upright from down in a set.

    Attributes:
        columns: Of qpos; their mean says how far the person is: height of the pelvis [m], or prime joint [rad].
        sign: 1 where that is larger at the start position than at the turning point, else -1.
        thresholds: (R,) `sign` times what lies halfway between the extremes of each repetition.
    """

    columns: tuple[int, ...]
    sign: int
    thresholds: np.ndarray

    @classmethod
    def of(cls, reference: Reference) -> "Phases":
        """Halfway between the extremes that are planned."""
        columns = (2,) if reference.exercise.phase_of == "pelvis" else reference.prime
        level = reference.qpos[:, columns].mean(1)
        sign = 1 if level[reference.depth.argmin()] > level[reference.depth.argmax()] else -1
        return cls(columns=columns, sign=sign, thresholds=halfway(sign * level, reference.repetition))

    def phase(self, qpos: np.ndarray, repetition: np.ndarray) -> np.ndarray:
        """int8 (T,) of poses (T, nq) in repetitions (T,): 1 upright, 0 down."""
        return upright(self.sign * qpos[:, self.columns].mean(1), self.thresholds[repetition])


def halfway(level: np.ndarray, repetition: np.ndarray) -> np.ndarray:
    """What lies halfway between the extremes of each repetition.

    Args:
        level: (N,) planned; any unit.
        repetition: (N,) number of the repetition, 0 to R - 1, each present.

    Returns:
        (R,) in that unit.
    """
    return np.array(
        [
            0.5 * (level[repetition == number].max() + level[repetition == number].min())
            for number in range(int(repetition.max()) + 1)
        ]
    )


def upright(level: np.ndarray, threshold: np.ndarray) -> np.ndarray:
    """Phase int8, same shape as `level`: 1 upright where it is above the threshold, 0 down below it."""
    return (level > threshold).astype(np.int8)
