"""Stand-in recordings: another simulated population written as if it had been recorded, for demos and tests.

They are never real. Whatever shows them calls them "stand-in".
"""

from pathlib import Path

import numpy as np

from generators.store import Dataset
from real2sim.recordings import Labels, Recording, Stream
from real2sim.recordings.plain import COLUMNS, UNITS, write_folder


def write_stand_ins(folder: Path, dataset: Dataset) -> list[Recording]:
    """Writes each set of a dataset as the recording of one person, in the plain-folder form.

    Args:
        folder: The folder to make.
        dataset: With measured streams, phases and landmarks; its rate is that of the inertial streams.

    Returns:
        The recordings as written.
    """
    recordings = as_recordings(dataset)
    write_folder(folder, recordings)
    return recordings


def as_recordings(dataset: Dataset) -> list[Recording]:
    """Each set of a dataset in the form of a recording of one person, by increasing number."""
    sets = dataset.read("set")
    return [_recording(dataset, np.flatnonzero(sets == number)) for number in np.unique(sets)]


def _recording(dataset: Dataset, members: np.ndarray) -> Recording:
    """One set on one clock."""
    start, stop = int(members[0]), int(members[-1]) + 1
    samples, readings = dataset.offsets("sample"), dataset.offsets("range")
    lengths = np.diff(samples[start : stop + 1])
    step = 1.0 / dataset.recipe["rate_hz"]
    grid = np.arange(lengths.sum()) * step
    within = dataset.read("time", start, stop)
    begins = (grid - within)[np.cumsum([0, *lengths[:-1]])]
    range_time = dataset.read("range_time", start, stop)
    range_time = range_time + np.repeat(begins, np.diff(readings[start : stop + 1]))
    number = int(dataset.read("subject", start, start + 1)[0]) + 1

    def stream(name: str, t: np.ndarray, *fields: str) -> Stream:
        values = [dataset.read(field, start, stop).astype(float).reshape(len(t), -1) for field in fields]
        joined = np.concatenate(values, axis=1)
        there = np.isfinite(joined).all(axis=1) | (name == "range")  # a recording has no row where a stream stalled
        return Stream(t=t[there], values=joined[there], columns=COLUMNS[name], units=UNITS[name])

    return Recording(
        name=f"stand_in_{number:02d}",
        subject=number,
        exercise="squat",
        repetitions=len(members),
        watch_placement=f"{_text(dataset, 'placement.watch.side', start)}_wrist",
        phone_placement="_".join(_text(dataset, f"placement.phone.{key}", start) for key in ("side", "spot")),
        watch=stream("watch", grid, "watch_accel", "watch_gyro"),
        phone=stream("phone", grid, "phone_accel", "phone_gyro"),
        range=stream("range", range_time, "range_reading"),
        labels=Labels(
            t=grid,
            phase=dataset.read("phase", start, stop),
            repetition=np.repeat(np.arange(1, len(members) + 1), lengths),
        ),
        landmarks=stream("landmarks", grid, "landmarks"),
    )


def _text(dataset: Dataset, name: str, repetition: int) -> str:
    return str(dataset.read(f"drawn/{name}", repetition, repetition + 1)[0])
