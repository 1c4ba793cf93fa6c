"""The vocabulary of a dataset: what a repetition holds, in which units, and how repetitions are joined."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import numpy as np


class DatasetError(Exception):
    """A dataset, or what was to become one, is not what it must be; the message says what to do."""


class DiskError(DatasetError):
    """The file system refuses what a dataset needs."""


@dataclass(frozen=True, kw_only=True)
class Field:
    """One kind of array in a dataset.

    Attributes:
        group: "sample" (one item a sample), "range" (one item a range reading), "repetition" or
            "drawn" (one item a repetition).
        dtype: little-endian NumPy type, as stored.
        shape: shape of one item.
        unit: SI unit, or degrees; empty where there is none.
        meaning: one line for people.
        nullable: NaN is allowed and means "no value".
        worn: what a device measures or where it sits, so that further mountings have values of their own.
    """

    group: str
    dtype: str
    shape: tuple[int, ...] = ()
    unit: str = ""
    meaning: str = ""
    nullable: bool = False
    worn: bool = False

    def describes(self, dtype: np.dtype, shape: tuple[int, ...]) -> bool:
        """Whether items of this type and shape are what the field holds."""
        return np.dtype(self.dtype) == dtype and self.shape == tuple(shape)


def _sample(dtype: str, shape: tuple[int, ...], unit: str, meaning: str, **more: bool) -> Field:
    return Field(group="sample", dtype=dtype, shape=shape, unit=unit, meaning=meaning, **more)


_STREAM = {"nullable": True, "worn": True}


FIELDS: Mapping[str, Field] = {
    "time": _sample("<f8", (), "s", "from the start of the repetition"),
    "watch_accel": _sample("<f4", (3,), "m/s^2", "measured proper acceleration, watch frame; NaN = stalled", **_STREAM),
    "watch_gyro": _sample("<f4", (3,), "rad/s", "measured angular velocity, watch frame; NaN = stalled", **_STREAM),
    "phone_accel": _sample("<f4", (3,), "m/s^2", "measured proper acceleration, phone frame; NaN = stalled", **_STREAM),
    "phone_gyro": _sample("<f4", (3,), "rad/s", "measured angular velocity, phone frame; NaN = stalled", **_STREAM),
    "range": _sample("<f4", (), "m", "measured distance, interpolated to the samples; NaN = none near", **_STREAM),
    "range_ideal": _sample("<f4", (), "m", "true distance from watch to phone", worn=True),
    "line_of_sight": _sample("|u1", (), "", "1 where nothing is between watch and phone", worn=True),
    "body_thickness": _sample("<f4", (), "m", "length of body on the line from watch to phone", worn=True),
    "phase": _sample("|i1", (), "", "0 down, 1 upright, -1 unlabelled"),
    "phase4": _sample("|i1", (), "", "0 stand, 1 descent, 2 bottom, 3 ascent, -1 unlabelled"),
    "joint_angles": _sample("<f4", (10,), "deg", "elbow shoulder hip knee ankle, left 0-4, right 5-9"),
    "landmarks": _sample("<f4", (17, 3), "m", "joints, world frame, z up"),
    "activity": _sample("|i1", (), "", "0 the exercise, 1 standing about, 2 walking, 3 sitting, -1 unlabelled"),
    "dynamics": _sample("|u1", (), "", "1 simulated under physics, 0 poses played back"),
    "range_time": Field(group="range", dtype="<f8", unit="s", meaning="from the start of the repetition", worn=True),
    "range_reading": Field(
        group="range", dtype="<f4", unit="m", meaning="measured distance; NaN = lost", nullable=True, worn=True
    ),
    "index": Field(group="repetition", dtype="<i8", meaning="global index, the key of every random draw"),
    "set": Field(group="repetition", dtype="<i8", meaning="number of the set"),
    "repetition": Field(group="repetition", dtype="<i8", meaning="number within the set"),
    "subject": Field(group="repetition", dtype="<i8", meaning="number of the person, -1 where unknown"),
    "exercise": Field(group="repetition", dtype="|S32", meaning="what is done"),
    "lead": Field(group="repetition", dtype="|S8", meaning="the side that leads: left or right"),
    "correct": Field(group="repetition", dtype="|i1", meaning="1 no fault of form matters, 0 some do, -1 unknown"),
}
"""Every field but the drawn ones, whose names and shapes are the recipe's own."""

CLOCKS = {"sample": "time", "range": "range_time"}
"""Groups whose repetitions differ in length, and the field that tells the length."""


def group_of(group: str, mounting: int) -> str:
    """What a group is called in a file: "range" for the first mounting, "range.1" for the next one."""
    return f"{group}.{mounting}" if mounting else group


def base_of(group: str) -> tuple[str, int]:
    """The group and the number of the mounting that `group_of` made a name of; the number is -1 for none."""
    base, dot, number = group.partition(".")
    return base, (int(number) if number.isdecimal() and number == str(int(number)) != "0" else -1) if dot else 0


def clock_of(group: str) -> str | None:
    """The group whose offsets say where repetitions begin in a group; None where each has one item.

    The samples of all mountings are at the same times, their range readings are not.
    """
    base, _ = base_of(group)
    return {"sample": "sample", "range": group}.get(base)


DRAWN_DTYPES = ("<i8", "<f8", "|S32")
_DRAWN_DTYPE_OF_KIND = {"b": "<i8", "i": "<i8", "u": "<i8", "f": "<f8", "U": "|S32", "S": "|S32"}
_STORABLE_KINDS = {"i": "biu", "u": "biu", "f": "biuf", "S": "US"}
_DRAWN_NAME = re.compile(r"[\w-]+(\.[\w-]+)*", re.ASCII)


@dataclass(frozen=True, kw_only=True, eq=False)
class Worn:
    """What a further watch and phone have of their own in a repetition, by field name.

    Attributes:
        sample: (T, ...) arrays at the times of the repetition.
        range: (R, ...) arrays on the range reader's own times.
        drawn: where the devices sat and how they measured.
    """

    sample: Mapping[str, np.ndarray]
    range: Mapping[str, np.ndarray] = field(default_factory=dict)
    drawn: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, eq=False)
class Repetition:
    """One movement from standing to standing, as arrays by field name.

    Attributes:
        index: global index; increases through a dataset.
        sample: (T, ...) arrays; "time" is always there.
        range: (R, ...) arrays on the range reader's own times, or nothing.
        repetition: what is told of the whole, such as "set", "subject" and "exercise".
        drawn: what was drawn at random for this repetition: numbers, arrays or short strings.
        also: the same movement as further watches and phones saw it.
    """

    index: int
    sample: Mapping[str, np.ndarray]
    range: Mapping[str, np.ndarray] = field(default_factory=dict)
    repetition: Mapping[str, int | str] = field(default_factory=dict)
    drawn: Mapping[str, Any] = field(default_factory=dict)
    also: tuple[Worn, ...] = ()

    def seen_by(self, mounting: int) -> Repetition:
        """The repetition with what this one of the mountings measured in place of the first one, and no others.

        Raises:
            IndexError: there is no such mounting.
        """
        if not 0 <= mounting <= len(self.also):
            raise IndexError(f"mounting {mounting} of {1 + len(self.also)}")
        if not mounting:
            return replace(self, also=())
        worn = self.also[mounting - 1]
        return replace(
            self, sample={**self.sample, **worn.sample}, range=worn.range, drawn={**self.drawn, **worn.drawn}, also=()
        )

    def __repr__(self) -> str:
        arrays = {**self.sample, **self.range}
        shapes = ", ".join(f"{name} {np.shape(array)}" for name, array in arrays.items())
        labels = "".join(f", {name}={value}" for name, value in self.repetition.items())
        mountings = f"; {1 + len(self.also)} mountings" if self.also else ""
        return f"Repetition(index={self.index}{labels}: {shapes}; {len(self.drawn)} drawn{mountings})"


def join(repetitions: Sequence[Repetition]) -> tuple[dict[str, np.ndarray], dict[str, Field]]:
    """Concatenate repetitions, checking everything that a dataset promises.

    Args:
        repetitions: at least one, by increasing index, all with the same fields.

    Returns:
        Arrays by path, such as "sample/time" (sum of T,), "sample/offsets" (n + 1,) or
        "drawn/body.height_m" (n,); and the fields by path, without the offsets.

    Raises:
        DatasetError: an unknown, missing or ill-shaped field, a value that the field cannot hold,
            or NaN or infinity in a field that is not nullable.
    """
    _refuse_unlike(repetitions)
    indices = [r.index for r in repetitions]
    arrays: dict[str, np.ndarray] = {"repetition/index": np.array(indices, "<i8")}
    fields = {"repetition/index": FIELDS["index"]}
    for group, values in _groups(repetitions):
        base, mounting = base_of(group)
        lengths, clock = [], clock_of(group)
        if clock == group and values[0]:
            lengths = [np.asarray(v[CLOCKS[base]]).size for v in values]
            arrays[f"{group}/offsets"] = np.cumsum([0, *lengths]).astype("<i8")
        elif clock and values[0]:
            lengths = np.diff(arrays[f"{clock}/offsets"]).tolist()
        for name in values[0]:
            path = f"{group}/{name}"
            held = [v[name] for v in values]
            parts = [np.asarray(one) for one in held] if clock else _rows(held)
            fields[path] = _field(base, name, parts[0], mounting)
            arrays[path] = _column(path, fields[path], parts, lengths if clock else [*map(len, parts)], indices)
    return arrays, fields


def _rows(held: list[Any]) -> list[np.ndarray]:
    """Each value as an array with one row; plain numbers of one type as one array with all rows."""
    if {*map(type, held)} in ({float}, {int}):
        return [np.array(held)]
    return [np.asarray(one)[None] for one in held]


def _groups(repetitions: Sequence[Repetition]) -> Iterator[tuple[str, list[Mapping[str, Any]]]]:
    """The groups as a file has them, each with what every repetition holds of it."""
    for group in ("sample", "range", "repetition", "drawn"):
        yield group, [getattr(r, group) for r in repetitions]
    for mounting in range(1, len(repetitions[0].also) + 1):
        for group in ("sample", "range", "drawn"):
            yield group_of(group, mounting), [getattr(r.also[mounting - 1], group) for r in repetitions]


def _refuse_unlike(repetitions: Sequence[Repetition]) -> None:
    if not repetitions:
        raise DatasetError("a shard was given no repetitions, expected at least one; give it some")
    for before, after in pairwise(r.index for r in repetitions):
        if after <= before:
            raise DatasetError(
                f"repetition {after} follows repetition {before}, expected increasing indices; sort them"
            )
    first = repetitions[0]
    if odd := [r.index for r in repetitions if len(r.also) != len(first.also)]:
        raise DatasetError(
            f"repetitions {first.index} and {odd[0]} differ in the number of mountings, expected the same in all; "
            "leave some out"
        )
    for group, values in _groups(repetitions):
        _refuse_no_clock(group, first.index, values[0])
        for r, held in zip(repetitions, values, strict=True):
            if odd := values[0].keys() ^ held.keys():
                raise DatasetError(
                    f"repetitions {first.index} and {r.index} differ in the {group} fields {sorted(odd)}, "
                    "expected the same fields in every repetition; write all of them or none"
                )


def _refuse_no_clock(group: str, index: int, names: Mapping[str, Any]) -> None:
    if clock_of(group) == group and (names or group == "sample"):
        clock = CLOCKS[base_of(group)[0]]
        if clock not in names:
            raise DatasetError(
                f"repetition {index} has no {group}/{clock}, expected it beside {sorted(names)}; add the times"
            )


def _field(group: str, name: str, example: np.ndarray, mounting: int) -> Field:
    if group != "drawn":
        if mounting and not (name in FIELDS and FIELDS[name].worn):
            known = [n for n, f in FIELDS.items() if f.worn]
            raise DatasetError(f"{group}/{name} is no field of a mounting, expected one of {known}; leave it out")
        if name not in FIELDS or FIELDS[name].group != group or name == "index":
            known = [n for n, f in FIELDS.items() if f.group == group and n != "index"]
            raise DatasetError(f"{group}/{name} is not a known field, expected one of {known}; rename it")
        return FIELDS[name]
    if not _DRAWN_NAME.fullmatch(name) or example.dtype.kind not in _DRAWN_DTYPE_OF_KIND:
        raise DatasetError(
            f"drawn/{name} is {example.dtype} and cannot be stored, expected a dotted name and "
            "numbers or strings; convert it"
        )
    return Field(group="drawn", dtype=_DRAWN_DTYPE_OF_KIND[example.dtype.kind], shape=example.shape[1:])


def _column(path: str, field: Field, parts: list[np.ndarray], lengths: list[int], indices: list[int]) -> np.ndarray:
    """One array (sum of lengths, *field.shape) from the parts of all repetitions, or one part with a row of each."""
    kinds = _STORABLE_KINDS[np.dtype(field.dtype).kind]
    for part, length, index in zip(parts, lengths, indices, strict=False):
        if part.shape != (length, *field.shape) or part.dtype.kind not in kinds:
            shape = (length, *field.shape)
            raise DatasetError(
                f"{path} of repetition {index} is {part.dtype} {part.shape}, expected {field.dtype} {shape}; "
                "convert it before it is written"
            )
    joined = np.concatenate(parts)
    column, refused = _converted(joined, field)
    if refused.any():
        place = tuple(np.argwhere(refused)[0])
        index = np.repeat(indices, lengths if len(parts) == len(indices) else 1)[place[0]]
        allowed = "finite or NaN" if field.nullable else "finite"
        raise DatasetError(
            f"{path} of repetition {index} holds {joined[place].item()!r}, expected a value that is {allowed} and "
            f"fits {field.dtype}; correct it before it is written"
        )
    return column


def _converted(joined: np.ndarray, field: Field) -> tuple[np.ndarray, np.ndarray]:
    """The array as stored, and where a value is refused (bool, same shape)."""
    if joined.dtype.kind == "U":
        joined = np.char.encode(joined, "utf-8")
    with np.errstate(over="ignore"):
        column = np.ascontiguousarray(joined, field.dtype)
    if column.dtype.kind != "f":
        return column, np.asarray(column != joined)
    return column, ~np.isfinite(column) & ~(np.isnan(column) & field.nullable)
