"""What arms do between the repetitions: they hang, touch, scratch, rest, and swing with the steps."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from squat_env.arms import Angles
from squat_env.timeline import minimum_jerk


@dataclass(frozen=True, kw_only=True)
class Gesture:
    """Where an arm goes.

    Attributes:
        angles_deg: Shoulder flexion, abduction, external rotation; elbow flexion; pronation, against the trunk.
        spread_deg: Spread of each of them from time to time.
        both: Both arms do it.
        rub_deg, rub_hz: Amplitude of shoulder and elbow, and frequency, of a movement to and fro; 0 for none.
    """

    angles_deg: Angles
    spread_deg: float = 8.0
    both: bool = False
    rub_deg: float = 0.0
    rub_hz: float = 3.0


HANG: Angles = (2.0, 8.0, 0.0, 14.0, 0.0)

# Typical angles, assumed.
GESTURES: dict[str, Gesture] = {
    "hang": Gesture(angles_deg=HANG, both=True),
    "look_at_watch": Gesture(angles_deg=(42.0, 12.0, -50.0, 100.0, 55.0)),
    "touch_face": Gesture(angles_deg=(62.0, 18.0, -30.0, 135.0, 10.0), rub_deg=2.0, rub_hz=2.0),
    "scratch_head": Gesture(angles_deg=(105.0, 40.0, 15.0, 132.0, 0.0), rub_deg=4.0, rub_hz=3.5),
    "scratch_arm": Gesture(angles_deg=(28.0, 6.0, -50.0, 92.0, 20.0), rub_deg=4.0, rub_hz=3.5),
    "wipe_forehead": Gesture(angles_deg=(88.0, 30.0, -45.0, 118.0, 20.0), rub_deg=5.0, rub_hz=1.2),
    "hips": Gesture(angles_deg=(-8.0, 42.0, -45.0, 85.0, 30.0), both=True),
    "cross": Gesture(angles_deg=(36.0, 5.0, -60.0, 105.0, 20.0), both=True),
    "clasp": Gesture(angles_deg=(18.0, 4.0, -38.0, 62.0, 20.0), both=True),
    "behind": Gesture(angles_deg=(-24.0, 14.0, -50.0, 45.0, 20.0), both=True),
    "pocket": Gesture(angles_deg=(-2.0, 14.0, -18.0, 42.0, 20.0), spread_deg=5.0, rub_deg=2.0, rub_hz=1.5),
    "pull_shirt": Gesture(angles_deg=(12.0, 12.0, -40.0, 75.0, 30.0), both=True, rub_deg=4.0, rub_hz=2.0),
    "stretch": Gesture(angles_deg=(150.0, 25.0, 0.0, 40.0, 0.0), both=True, spread_deg=14.0),
    "shake_out": Gesture(angles_deg=(8.0, 16.0, 0.0, 30.0, 0.0), both=True, rub_deg=7.0, rub_hz=3.0),
    "hold_phone": Gesture(angles_deg=(30.0, 8.0, -22.0, 92.0, -40.0)),
}


RESTS: dict[str, Gesture] = {
    "thighs": Gesture(angles_deg=(26.0, 8.0, -8.0, 62.0, 75.0), spread_deg=11.0, both=True),
    "lap": Gesture(angles_deg=(20.0, 6.0, -38.0, 78.0, 60.0), spread_deg=11.0, both=True),
    "armrests": Gesture(angles_deg=(2.0, 18.0, -5.0, 84.0, 50.0), spread_deg=11.0, both=True),
    "beside": Gesture(angles_deg=(-4.0, 14.0, 0.0, 14.0, 20.0), spread_deg=11.0, both=True),
    "folded": Gesture(angles_deg=(36.0, 5.0, -60.0, 105.0, 30.0), spread_deg=11.0, both=True),
    "on_thigh": Gesture(angles_deg=(26.0, 8.0, -8.0, 62.0, 75.0), spread_deg=14.0),
}
"""Where the arms of somebody who sits rest; typical angles, assumed."""


@dataclass(frozen=True, kw_only=True)
class ArmMove:
    """One arm's way to somewhere, where it stays until its next move.

    Attributes:
        side: 0 left, 1 right.
        start_s, duration_s: Of the way.
        angles_deg: Where to; None for where the arm is to be in the end.
        rub_deg, rub_hz: As in `Gesture`, from arrival on.
    """

    side: int
    start_s: float
    duration_s: float
    angles_deg: Angles | None
    rub_deg: float = 0.0
    rub_hz: float = 3.0


def arms_at(
    time: np.ndarray, moves: Sequence[ArmMove], start: np.ndarray, end: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Where the arms are.

    Args:
        time: (K,) [s].
        moves: In order; those of one arm do not overlap.
        start, end: (2, 5) angles before the first move, and of moves without angles [rad].

    Returns:
        (K, 2, 5) [rad], and (K, 2) 0 to 1: how freely each hangs.
    """
    angles = np.tile(start, (len(time), 1, 1))
    free = np.zeros((len(time), 2))
    for side in range(2):
        here, hung = start[side], 0.0
        own = [move for move in moves if move.side == side]
        ends = [move.start_s for move in own[1:]] + [np.inf]
        for move, until in zip(own, ends, strict=False):
            there = end[side] if move.angles_deg is None else np.deg2rad(move.angles_deg)
            way = minimum_jerk((time - move.start_s) / move.duration_s)
            angles[:, side] += way[:, None] * (there - here)
            hangs = float(move.angles_deg is not None and np.abs(move.angles_deg[0]) < 20 and move.angles_deg[3] < 45)
            free[:, side] += way * (hangs - hung)
            if move.rub_deg:
                angles[:, side, [0, 3]] += _rub(time, move, until)[:, None] * [0.5, 1.0]
            here, hung = there, hangs
    return angles, free


def _rub(time: np.ndarray, move: ArmMove, until: float) -> np.ndarray:
    """Movement to and fro (K,) [rad] from a move's arrival to the next one's start."""
    begin = move.start_s + 0.7 * move.duration_s
    share = minimum_jerk((time - begin) / 0.25) * minimum_jerk((until - time) / 0.25)
    return share * np.deg2rad(move.rub_deg) * np.sin(2.0 * np.pi * move.rub_hz * (time - begin))
