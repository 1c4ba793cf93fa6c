"""The config of a small run over stand-in recordings."""

from pathlib import Path

from real2sim.run import Config


def config(recordings: Path, simulated: Path, **changes) -> Config:
    values = {
        "real": str(recordings),
        "subjects": (1, 2),
        "test": str(recordings),
        "test_subjects": (3, 4),
        "sim": str(simulated),
        "reps": 24,
        "labels": 10,
        "channels": ("watch", "range"),
        "seeds": 2,
        "effort": 0.1,
        "stand_in": True,
    }
    return Config(**{**values, **changes})
