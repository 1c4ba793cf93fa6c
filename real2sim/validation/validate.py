"""The way from recordings and simulated sets to a validation."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from generators.store import Dataset
from real2sim.recordings import Recording
from real2sim.recordings.plain import read_folder
from real2sim.recordings.recording import refusal
from real2sim.stand_in import as_recordings
from real2sim.validation.comparison import compare, compare_curves
from real2sim.validation.page import Validation
from real2sim.validation.published import hold
from real2sim.validation.quantities import Measured, measure


def read_people(folder: Path, *, exercise: str, correct: bool) -> list[Recording]:
    """Reads the recordings of an exercise, of those done as they should be alone if `correct`.

    Raises:
        RecordingError: The folder is not as it must be, or holds nothing of the kind.
    """
    recordings = read_folder(folder, exercise=exercise, labels="optional")
    chosen = [recording for recording in recordings if recording.correct or not correct]
    if not chosen:
        raise refusal(
            folder,
            got=f"{len(recordings)} recordings of {exercise}, none marked as correct",
            expected="one or more",
            remedy="validate without --correct",
        )
    return chosen


def validate(
    dataset: Dataset, people: Sequence[Recording], loads: Mapping[str, np.ndarray], facts: Mapping[str, Any]
) -> Validation:
    """Compares a simulated dataset with recordings of people, if there are any, and with bands.

    Args:
        dataset: Of sets with landmarks and measured streams.
        people: Recordings; none to compare with bands alone.
        loads: Of the dataset's sets, by name (see `real2sim.validation.published.LOADS`); may be empty.
        facts: To be shown with the result; "exercise" says which it is, and the bands are those of squats.
    """
    simulated: list[Measured] = [measure(recording) for recording in as_recordings(dataset)]
    real = [measure(recording) for recording in people]
    return Validation(
        facts={
            "simulated repetitions": len(dataset),
            "recordings": len(real),
            "people": len({item.subject for item in real}),
            **facts,
        },
        comparisons=compare(real, simulated),
        curves=compare_curves(real, simulated),
        held=hold(simulated, loads) if facts.get("exercise", "squat") == "squat" else [],
    )
