"""Strict reading of a table of numbers from a CSV file.

One definition decides what a cell may hold; a fast parser is tried first, and only where it stumbles does a
slow one go through the rows to accept them or to name the first cell that is wrong.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from real2sim.recordings.recording import refusal

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
"""A decimal number; neither `nan`, `inf`, `1_000` nor `0x10`, which Python's float or numpy would take."""

_NUMERIC_BYTES = b"0123456789+-.eE,\r\n"
_EMPTY_CELL = re.compile(rb"(?<![^,\n])(?=[,\r\n]|\Z)")


@dataclass(frozen=True)
class Column:
    """A column of numbers and what its cells may hold.

    Attributes:
        name: Its name in the header.
        empty: Whether a cell may be empty; it is then NaN.
        whole: Whether only whole numbers are allowed.
        low: Smallest number allowed.
        high: Largest number allowed.
    """

    name: str
    empty: bool = False
    whole: bool = False
    low: float = -math.inf
    high: float = math.inf

    @property
    def expected(self) -> str:
        """What a cell may hold, in words."""
        kind = "a whole number" if self.whole else "a finite number"
        if self.low > -math.inf and self.high < math.inf:
            kind += f" from {self.low:g} to {self.high:g}"
        elif self.low > -math.inf:
            kind += f" of at least {self.low:g}"
        return f"{kind} or nothing" if self.empty else kind

    def parse(self, cell: str) -> float:
        """Return the number in a cell, NaN for an empty one that may be empty.

        Raises:
            ValueError: If the cell holds anything else.
        """
        if not cell and self.empty:
            return math.nan
        if not NUMBER.fullmatch(cell):
            raise ValueError(cell)
        number = float(cell)
        if not self.accepts(np.array([number]))[0]:
            raise ValueError(cell)
        return number

    def accepts(self, numbers: np.ndarray) -> np.ndarray:
        """Return (n,) bool for (n,) parsed numbers, in which NaN is an empty cell."""
        inside = np.isfinite(numbers) & (numbers >= self.low) & (numbers <= self.high)
        if self.whole:
            inside &= np.trunc(numbers) == numbers
        return inside | np.isnan(numbers) if self.empty else inside


def read_numbers(path: Path, columns: tuple[Column, ...]) -> np.ndarray:
    """Return the named columns of a CSV file with a header; others are ignored.

    Args:
        path: The file, UTF-8.
        columns: k columns.

    Returns:
        (n, k) float64, n >= 1.

    Raises:
        RecordingError: If the file is missing, empty or not UTF-8, lacks a column or has one twice, or if a
            row is ragged or a cell holds what its column does not allow.
    """
    required = tuple(column.name for column in columns)
    lines = io.StringIO(_text(path), newline="")
    names = _names(path, lines.readline(), required)
    numbers = _read_fast(lines.read(), len(names))
    if numbers is not None:
        numbers = numbers[:, [names.index(name) for name in required]]
        if all(column.accepts(cells).all() for column, cells in zip(columns, numbers.T, strict=True)):
            return numbers
    return _read_slowly(path, columns)


def _read_fast(body: str, width: int) -> np.ndarray | None:
    """Return all (n, width) cells of a purely numeric body, NaN where empty; None if it is anything else."""
    data = body.strip("\r\n").encode()
    if not data or data.translate(None, _NUMERIC_BYTES):
        return None
    lines = _EMPTY_CELL.sub(b"nan", data).decode().splitlines()
    try:
        numbers = np.loadtxt(lines, delimiter=",", ndmin=2, comments=None)
    except ValueError:
        return None
    return numbers if numbers.shape[1] == width else None


def _read_slowly(path: Path, columns: tuple[Column, ...]) -> np.ndarray:
    rows = []
    for line, row in read_rows(path, tuple(column.name for column in columns)):
        for column in columns:
            try:
                rows.append(column.parse(row[column.name]))
            except ValueError:
                raise refusal(
                    f"{path}, line {line}, column {column.name!r}",
                    got=repr(row[column.name]),
                    expected=column.expected,
                    remedy="correct the cell or leave out the row",
                ) from None
    if not rows:
        raise refusal(path, got="no row", expected="at least one below the header", remedy="export the file again")
    return np.array(rows).reshape(-1, len(columns))


def read_rows(path: Path, required: tuple[str, ...]) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield line number and stripped cells by column name of every row that is not blank.

    Raises:
        RecordingError: If the file is missing, empty or not UTF-8, lacks a required column, has one twice, or
            has a ragged row.
    """
    lines = io.StringIO(_text(path), newline="")
    names = _names(path, lines.readline(), required)
    reader = csv.reader(lines, strict=True)
    try:
        for row in filter(None, reader):
            if len(row) != len(names):
                raise refusal(
                    f"{path}, line {reader.line_num + 1}",
                    got=f"{len(row)} cells",
                    expected=f"{len(names)} as in the header",
                    remedy="complete the row or leave it out",
                )
            yield reader.line_num + 1, dict(zip(names, map(str.strip, row), strict=True))
    except csv.Error as error:
        raise refusal(
            f"{path}, line {reader.line_num + 1}",
            got=f"a row that cannot be split ({error})",
            expected="cells separated by commas",
            remedy="export the file again",
        ) from None


def _text(path: Path) -> str:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except (FileNotFoundError, IsADirectoryError):
        raise refusal(path, got="no such file", expected="a CSV file", remedy="check the path") from None
    except UnicodeDecodeError as error:
        raise refusal(
            f"{path}, line {len(error.object[: error.start + 1].splitlines())}",
            got=f"the byte {error.object[error.start]:#04x}",
            expected="UTF-8 text",
            remedy="save the file as UTF-8",
        ) from None
    if not text.strip():
        raise refusal(path, got="an empty file", expected="a header and rows", remedy="export the file again")
    return text


def _names(path: Path, header: str, required: tuple[str, ...]) -> list[str]:
    try:
        names = [name.strip() for name in next(csv.reader([header.strip("\r\n")]), [])]
    except csv.Error:
        names = []
    for name in required:
        if names.count(name) != 1:
            raise refusal(
                f"{path}, line 1, column {name!r}",
                got=f"it {names.count(name)} times in {names[:8]}{' and more' if names[8:] else ''}",
                expected="it once",
                remedy="correct the header",
            )
    return names
