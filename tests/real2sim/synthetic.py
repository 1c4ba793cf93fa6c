"""A small problem with known answers: one channel tells the phase, the others the domain."""

import numpy as np

from real2sim.sequences import Sequence
from real2sim.windows import Windows, cut, statistics_of

CHANNELS = ("watch_accel_x", "watch_accel_y", "range")


def sequences(count: int, seed: int, *, shift: float = 0.0, subject: int = 0) -> list[Sequence]:
    """Square phases of random length; `shift` moves a channel that has nothing to do with them."""
    rng = np.random.default_rng(seed)
    result = []
    for number in range(count):
        phase = (np.sin(2 * np.pi * (np.arange(80) / rng.uniform(25, 45) + rng.random())) > 0).astype(np.int8)
        noise = rng.normal(0.0, 0.3, (80, 3))
        style = rng.normal(shift, 1.0)
        values = np.column_stack([2.0 * phase - 1.0, np.full(80, style), 0.5 * phase + 0.5 * style]) + noise
        result.append(
            Sequence(
                name=f"made {number}",
                subject=subject,
                rate_hz=20.0,
                channels=CHANNELS,
                values=values.astype(np.float32),
                phase=phase,
                repetition=np.zeros(80, np.int64),
            )
        )
    return result


def windows(count: int, seed: int, **options: float) -> Windows:
    """Their windows, normalised by their own statistics."""
    made = sequences(count, seed, **options)
    return cut(made, statistics_of(made))
