"""The vocabulary of a dataset: what a repetition holds, in which units, and how repetitions are joined."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
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
    """

    group: str
    dtype: str
    shape: tuple[int, ...] = ()
    unit: str = ""
    meaning: str = ""
    nullable: bool = False

    def describes(self, dtype: np.dtype, shape: tuple[int, ...]) -> bool:
        """Whether items of this type and shape are what the field holds."""
        return np.dtype(self.dtype) == dtype and self.shape == tuple(shape)


def _sample(dtype: str, shape: tuple[int, ...], unit: str, meaning: str, nullable: bool = False) -> Field:
    return Field(group="sample", dtype=dtype, shape=shape, unit=unit, meaning=meaning, nullable=nullable)


FIELDS: Mapping[str, Field] = {
    "time": _sample("<f8", (), "s", "from the start of the repetition"),
    "watch_accel": _sample("<f4", (3,), "m/s^2", "measured proper acceleration, watch frame; NaN = stalled", True),
    "watch_gyro": _sample("<f4", (3,), "rad/s", "measured angular velocity, watch frame; NaN = stalled", True),
    "phone_accel": _sample("<f4", (3,), "m/s^2", "measured proper acceleration, phone frame; NaN = stalled", True),
    "phone_gyro": _sample("<f4", (3,), "rad/s", "measured angular velocity, phone frame; NaN = stalled", True),
    "range": _sample("<f4", (), "m", "measured distance, interpolated to the samples; NaN = none near", True),
    "range_ideal": _sample("<f4", (), "m", "true distance from watch to phone"),
    "line_of_sight": _sample("|u1", (), "", "1 where nothing is between watch and phone"),
    "body_thickness": _sample("<f4", (), "m", "length of body on the line from watch to phone"),
    "phase": _sample("|i1", (), "", "0 down, 1 upright, -1 unlabelled"),
    "phase4": _sample("|i1", (), "", "0 stand, 1 descent, 2 bottom, 3 ascent, -1 unlabelled"),
    "joint_angles": _sample("<f4", (10,), "deg", "elbow shoulder hip knee ankle, left 0-4, right 5-9"),
    "landmarks": _sample("<f4", (17, 3), "m", "joints, world frame, z up"),
    "range_time": Field(group="range", dtype="<f8", unit="s", meaning="from the start of the repetition"),
    "range_reading": Field(
        group="range", dtype="<f4", unit="m", meaning="measured distance; NaN = lost", nullable=True
    ),
    "index": Field(group="repetition", dtype="<i8", meaning="global index, the key of every random draw"),
    "set": Field(group="repetition", dtype="<i8", meaning="number of the set"),
    "repetition": Field(group="repetition", dtype="<i8", meaning="number within the set"),
    "subject": Field(group="repetition", dtype="<i8", meaning="number of the person, -1 where unknown"),
}
"""Every field but the drawn ones, whose names and shapes are the recipe's own."""

CLOCKS = {"sample": "time", "range": "range_time"}
"""Groups whose repetitions differ in length, and the field that tells the length."""

DRAWN_DTYPES = ("<i8", "<f8", "|S32")
_DRAWN_DTYPE_OF_KIND = {"b": "<i8", "i": "<i8", "u": "<i8", "f": "<f8", "U": "|S32", "S": "|S32"}
_STORABLE_KINDS = {"i": "biu", "u": "biu", "f": "biuf", "S": "US"}
_DRAWN_NAME = re.compile(r"[\w-]+(\.[\w-]+)*", re.ASCII)


@dataclass(frozen=True, kw_only=True, eq=False)
class Repetition:
    """One movement from standing to standing, as arrays by field name.

    Attributes:
        index: global index; increases through a dataset.
        sample: (T, ...) arrays; "time" is always there.
        range: (R, ...) arrays on the range reader's own times, or nothing.
        repetition: whole numbers such as "set" and "subject".
        drawn: what was drawn at random for this repetition: numbers, arrays or short strings.
    """

    index: int
    sample: Mapping[str, np.ndarray]
    range: Mapping[str, np.ndarray] = field(default_factory=dict)
    repetition: Mapping[str, int] = field(default_factory=dict)
    drawn: Mapping[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        arrays = {**self.sample, **self.range}
        shapes = ", ".join(f"{name} {np.shape(array)}" for name, array in arrays.items())
        labels = "".join(f", {name}={value}" for name, value in self.repetition.items())
        return f"Repetition(index={self.index}{labels}: {shapes}; {len(self.drawn)} drawn)"


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
    first, indices = repetitions[0], [r.index for r in repetitions]
    arrays: dict[str, np.ndarray] = {"repetition/index": np.array(indices, "<i8")}
    fields = {"repetition/index": FIELDS["index"]}
    for group in ("sample", "range", "repetition", "drawn"):
        lengths = [1] * len(repetitions)
        values = [getattr(r, group) for r in repetitions]
        if group in CLOCKS and getattr(first, group):
            lengths = [np.asarray(v[CLOCKS[group]]).size for v in values]
            arrays[f"{group}/offsets"] = np.cumsum([0, *lengths]).astype("<i8")
        for name in getattr(first, group):
            path = f"{group}/{name}"
            parts = [np.asarray(v[name]) if group in CLOCKS else np.asarray(v[name])[None] for v in values]
            fields[path] = _field(group, name, parts[0])
            arrays[path] = _column(path, fields[path], parts, lengths, indices)
    return arrays, fields


def _refuse_unlike(repetitions: Sequence[Repetition]) -> None:
    if not repetitions:
        raise DatasetError("a shard was given no repetitions, expected at least one; give it some")
    for before, after in pairwise(r.index for r in repetitions):
        if after <= before:
            raise DatasetError(
                f"repetition {after} follows repetition {before}, expected increasing indices; sort them"
            )
    first = repetitions[0]
    for group in ("sample", "range"):
        names = getattr(first, group)
        if CLOCKS[group] not in names and (names or group == "sample"):
            raise DatasetError(
                f"repetition {first.index} has no {group}/{CLOCKS[group]}, expected it beside "
                f"{sorted(names)}; add the times"
            )
    for r in repetitions:
        for group in ("sample", "range", "repetition", "drawn"):
            odd = getattr(first, group).keys() ^ getattr(r, group).keys()
            if odd:
                raise DatasetError(
                    f"repetitions {first.index} and {r.index} differ in the {group} fields {sorted(odd)}, "
                    "expected the same fields in every repetition; write all of them or none"
                )


def _field(group: str, name: str, example: np.ndarray) -> Field:
    if group != "drawn":
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
    """One array (sum of lengths, *field.shape) from the parts of all repetitions."""
    kinds = _STORABLE_KINDS[np.dtype(field.dtype).kind]
    for part, length, index in zip(parts, lengths, indices, strict=True):
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
        index = np.repeat(indices, lengths)[place[0]]
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
