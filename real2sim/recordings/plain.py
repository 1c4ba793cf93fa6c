"""The plain folder: a list of recordings, and one folder a recording with one CSV file a stream.

`recordings.csv` has the columns `LISTED`; `watch.csv` and `phone.csv` hold t [s] and `IMU_COLUMNS`,
`range.csv` t and range [m] (empty where a reading was lost), `labels.csv` t, phase (0 down, 1 upright, empty
unlabelled) and rep, `landmarks.csv` t and `LANDMARK_COLUMNS` [m]. Every stream has its own clock rows, all on
one origin. A stream that was not recorded has no file.
"""

from __future__ import annotations

import csv
import re
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np

from real2sim.recordings.plausibility import refuse_implausible
from real2sim.recordings.recording import (
    IMU_COLUMNS,
    IMU_UNITS,
    LANDMARK_COLUMNS,
    SENSORS,
    Labels,
    Recording,
    Repairs,
    Stream,
    refusal,
)
from real2sim.recordings.table import Column, read_numbers, read_rows
from squat_env.signals import IMU_MAX_GAP_S, RANGE_MAX_GAP_S, in_order

LISTED = (
    "recording",
    "subject",
    "exercise",
    "correct",
    "reps",
    "duration_s",
    "watch_placement",
    "phone_placement",
)
"""Columns of `recordings.csv`; `duration_s` is for people to read, and may be absent."""

COLUMNS = {
    "watch": IMU_COLUMNS,
    "phone": IMU_COLUMNS,
    "range": ("range",),
    "landmarks": LANDMARK_COLUMNS,
}
UNITS = {
    "watch": IMU_UNITS,
    "phone": IMU_UNITS,
    "range": ("m",),
    "landmarks": ("m",) * len(LANDMARK_COLUMNS),
}
MAX_GAP_S = {
    "watch": IMU_MAX_GAP_S,
    "phone": IMU_MAX_GAP_S,
    "range": RANGE_MAX_GAP_S,
    "landmarks": IMU_MAX_GAP_S,
}

TIME = Column("t")
LABELS = (
    TIME,
    Column("phase", empty=True, whole=True, low=0, high=1),
    Column("rep", empty=True, whole=True, low=0, high=1e9),
)

_FOLDER_NAME = re.compile(r"\w[\w .()+@-]*")
_FORMULA = tuple("=+-@'")


def read_folder(
    folder: str | Path,
    *,
    subjects: Iterable[int] | None = None,
    exercise: str | None = None,
    labels: Literal["required", "optional"] = "required",
) -> list[Recording]:
    """Return the recordings of a plain folder, in the order in which it lists them.

    Rows out of order and rows with one time stamp are repaired and counted in `Recording.repairs`; anything
    else that is wrong is refused.

    Args:
        folder: The folder with `recordings.csv`.
        subjects: People to take; all by default.
        exercise: Exercise to take; all by default.
        labels: Whether a recording without `labels.csv` is refused.

    Raises:
        RecordingError: If the folder, a recording or a file in it is missing, if a file holds what the format
            does not allow (the message names file, line and column), if a stream is implausible (see
            `real2sim.recordings.plausibility`), if streams do not overlap, or if a subject or the exercise
            asked for is not there.
    """
    folder = Path(folder)
    listed = _read_list(folder / "recordings.csv")
    chosen = [item for item in listed if exercise in (None, item.exercise)]
    if not chosen:
        have = sorted({item.exercise for item in listed})
        raise refusal(folder, got=f"the wish for {exercise!r}", expected=f"one of {have}", remedy="choose it")
    if subjects is not None:
        wanted, have = set(subjects), {item.subject for item in chosen}
        if not wanted or wanted - have:
            raise refusal(
                folder,
                got=f"the wish for subjects {sorted(wanted)}",
                expected=f"some of {sorted(have)}",
                remedy="choose them",
            )
        chosen = [item for item in chosen if item.subject in wanted]
    return [_read_recording(folder / item.name, item, labels) for item in chosen]


def _read_list(path: Path) -> list[Recording]:
    """Return the listed recordings, still without streams."""
    if not path.is_file():
        raise refusal(
            path.parent,
            got="a folder without recordings.csv",
            expected="a list of recordings",
            remedy="name the folder of a set",
        )
    required = tuple(name for name in LISTED if name != "duration_s")
    listed: dict[str, Recording] = {}
    for line, row in read_rows(path, required):
        item = Recording(
            name=_listed_name(path, line, _plain_text(row["recording"]), listed),
            subject=int(_listed_number(path, line, row, Column("subject", whole=True, low=-1, high=1e9))),
            exercise=_plain_text(row["exercise"]),
            correct=_listed_correct(path, line, row),
            repetitions=int(_listed_number(path, line, row, Column("reps", whole=True, low=0, high=1e9))),
            watch_placement=_plain_text(row["watch_placement"]),
            phone_placement=_plain_text(row["phone_placement"]),
        )
        listed[item.name.casefold()] = item
    if not listed:
        raise refusal(path, got="no recording", expected="one row for each", remedy="list the recordings")
    return list(listed.values())


def _listed_name(path: Path, line: int, name: str, listed: dict[str, Recording]) -> str:
    if not _FOLDER_NAME.fullmatch(name) or name.casefold() in listed:
        raise refusal(
            f"{path}, line {line}, column 'recording'",
            got=repr(name),
            expected="the name of a folder beside the list, of letters, digits and _.-()+@, listed once",
            remedy="rename it",
        )
    return name


def _listed_number(path: Path, line: int, row: dict[str, str], column: Column) -> float:
    try:
        return column.parse(row[column.name])
    except ValueError:
        raise refusal(
            f"{path}, line {line}, column {column.name!r}",
            got=repr(row[column.name]),
            expected=column.expected,
            remedy="correct the cell",
        ) from None


def _listed_correct(path: Path, line: int, row: dict[str, str]) -> bool | None:
    number = _listed_number(path, line, row, Column("correct", empty=True, whole=True, low=0, high=1))
    return None if np.isnan(number) else bool(number)


def _read_recording(folder: Path, listed: Recording, labels: str) -> Recording:
    if not folder.is_dir():
        raise refusal(
            folder,
            got="no such folder",
            expected="the streams of the recording that recordings.csv lists",
            remedy="restore the folder or remove the row",
        )
    streams = {name: _read_stream(folder / f"{name}.csv", name) for name in COLUMNS}
    recording = replace(listed, **streams, labels=_read_labels(folder / "labels.csv", labels))
    if not recording.streams():
        raise refusal(
            folder,
            got="no stream",
            expected=f"one or more of {[f'{name}.csv' for name in SENSORS]}",
            remedy="restore the files or remove the recording from the list",
        )
    _refuse_apart(str(folder), recording)
    return recording


def _refuse_apart(where: str, recording: Recording) -> None:
    start, stop = recording.span_s
    if recording.labels is not None:
        start, stop = max(start, float(recording.labels.t[0])), min(stop, float(recording.labels.t[-1]))
    if start >= stop:
        raise refusal(
            where,
            got=f"files of which the last starts at t = {start:g} s and the first ends at {stop:g} s",
            expected="an overlap",
            remedy="give their clocks one origin",
        )


def _read_stream(path: Path, name: str) -> Stream | None:
    if not path.exists():
        return None
    columns = (Column("range", empty=True, low=0),) if name == "range" else tuple(map(Column, COLUMNS[name]))
    rows = read_numbers(path, (TIME, *columns))
    t, values, late, together = in_order(rows[:, 0], rows[:, 1:])
    known = t[np.isfinite(values).all(axis=1)]
    repairs = Repairs(
        unsorted=late,
        duplicates=together,
        missing=int(np.isnan(values).sum()),
        gaps=int(np.count_nonzero(np.diff(known) > MAX_GAP_S[name])),
    )
    stream = Stream(t=t, values=values, columns=COLUMNS[name], units=UNITS[name], repairs=repairs)
    if name in SENSORS:
        refuse_implausible(name, stream, str(path))
    return stream


def _read_labels(path: Path, labels: str) -> Labels | None:
    if not path.exists():
        if labels == "required":
            raise refusal(
                path,
                got="no such file",
                expected="labels of phase and repetition",
                remedy='add the file, or read with labels="optional"',
            )
        return None
    rows = read_numbers(path, LABELS)
    t, first = np.unique(rows[:, 0], return_index=True)
    late = int(np.count_nonzero(rows[:, 0] < np.maximum.accumulate(rows[:, 0])))
    phase, repetition = np.nan_to_num(rows[first, 1:], nan=-1).T
    return Labels(
        t=t,
        phase=phase.astype(np.int8),
        repetition=repetition.astype(np.int64),
        repairs=Repairs(unsorted=late, duplicates=len(rows) - len(t)),
    )


def write_folder(folder: str | Path, recordings: Iterable[Recording]) -> None:
    """Write recordings as a plain folder, which `read_folder` returns value for value.

    The folder is made under a temporary name beside its own and renamed when it is complete.

    Args:
        folder: The folder to make; it must not exist yet.
        recordings: One or more recordings with different names.

    Raises:
        RecordingError: If the folder exists, if there is no recording, if a name cannot be that of a folder
            or comes twice, or if `read_folder` would refuse a stream.
    """
    folder = Path(folder)
    recordings = list(recordings)
    if folder.exists():
        raise refusal(folder, got="a folder that exists", expected="a new one", remedy="choose another name")
    if not recordings:
        raise refusal(folder, got="no recording to write", expected="one or more", remedy="record first")
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        _write_list(unfinished / "recordings.csv", recordings)
        for recording in recordings:
            _write_recording(unfinished / recording.name, recording)
        unfinished.chmod(0o755)
        unfinished.rename(folder)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise


def _write_list(path: Path, recordings: list[Recording]) -> None:
    listed: dict[str, Recording] = {}
    rows = []
    for line, item in enumerate(recordings, start=2):
        listed[_listed_name(path, line, item.name, listed).casefold()] = item
        start, stop = item.span_s
        correct = "" if item.correct is None else int(item.correct)
        rows.append(
            (
                item.name,
                item.subject,
                _safe_text(item.exercise),
                correct,
                item.repetitions,
                f"{stop - start:.6g}",
                _safe_text(item.watch_placement),
                _safe_text(item.phone_placement),
            )
        )
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([LISTED, *rows])


def _write_recording(folder: Path, recording: Recording) -> None:
    where = f"recording {recording.name!r}"
    folder.mkdir()
    for name in COLUMNS:
        stream: Stream | None = getattr(recording, name)
        if stream is not None:
            _refuse_unwritable(f"{where}, {name}", name, stream)
            _write_numbers(folder / f"{name}.csv", COLUMNS[name], stream.t, stream.values)
    _refuse_apart(where, recording)
    if recording.labels is not None:
        labels = recording.labels
        values = np.stack([labels.phase, labels.repetition], axis=1).astype(float)
        _write_numbers(folder / "labels.csv", ("phase", "rep"), labels.t, np.where(values < 0, np.nan, values))


def _refuse_unwritable(where: str, name: str, stream: Stream) -> None:
    if stream.columns != COLUMNS[name]:
        raise refusal(where, got=f"columns {stream.columns}", expected=f"{COLUMNS[name]}", remedy="put them in order")
    if not (np.isfinite(stream.t).all() and (np.diff(stream.t) > 0).all()):
        raise refusal(where, got="times out of order", expected="increasing ones", remedy="sort the rows")
    if name != "range" and not np.isfinite(stream.values).all():
        raise refusal(where, got="a NaN or infinite value", expected="numbers", remedy="leave out its row")
    if name in SENSORS:
        refuse_implausible(name, stream, where)


def _write_numbers(path: Path, columns: tuple[str, ...], t: np.ndarray, values: np.ndarray) -> None:
    """Write each number with the fewest digits that give the same float64 back."""
    rows = np.column_stack([t, values]).astype(float).tolist()
    lines = (",".join("" if cell != cell else repr(cell) for cell in row) for row in rows)
    path.write_text("\n".join([",".join(("t", *columns)), *lines, ""]), encoding="utf-8")


def _safe_text(text: str) -> str:
    """Return text that a spreadsheet does not take for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def _plain_text(cell: str) -> str:
    """Return the text that `_safe_text` made safe."""
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(_FORMULA) else cell
