"""A dataset: finished shards read as one, or written from repetitions at hand."""

import json
import operator
import os
import shutil
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from itertools import count, islice
from pathlib import Path
from typing import Any

import numpy as np

from generators.store.atomic import named_failure, sync_folder, temporary_beside
from generators.store.fields import CLOCKS, DatasetError, Field, Repetition, Worn, base_of, clock_of, group_of
from generators.store.integrity import write_manifest
from generators.store.manifest import MANIFEST, Manifest, Shard
from generators.store.shard import ShardReader, write_shard

OPEN_SHARDS = 64
"""How many files a dataset keeps open in one process, with the pieces that were read last: about 100 MB at most."""


class Dataset:
    """A finished dataset, opened through its manifest and read when asked.

    It can be pickled and sent to other processes; each opens the files for itself.

    Args:
        folder: holds `manifest.json` and the shards.

    Raises:
        DatasetError: there is no sound manifest. Damaged or foreign shards raise it when they are read.
    """

    def __init__(self, folder: Path | str):
        self.folder = Path(folder).resolve()
        self._manifest = Manifest.read(self.folder / MANIFEST)
        self._fields = {
            path if field.group == "drawn" else path.partition("/")[2]: field
            for path, field in self._manifest.fields.items()
            if not base_of(path.partition("/")[0])[1]
        }
        self._starts = np.cumsum([0] + [shard.repetitions for shard in self.shards])
        self._readers: dict[int, ShardReader] = {}
        self._recent: OrderedDict[int, None] = OrderedDict()
        self._loaded: tuple[int, dict[str, np.ndarray]] = (-1, {})
        self._process = os.getpid()

    @property
    def recipe(self) -> dict[str, Any]:
        """How the repetitions were made."""
        return json.loads(json.dumps(self._manifest.recipe))

    @property
    def shards(self) -> tuple[Shard, ...]:
        """The files, in order."""
        return self._manifest.shards

    @property
    def format(self) -> str:
        """Name of the format, with its number."""
        return self._manifest.format

    @property
    def versions(self) -> tuple[dict[str, str], ...]:
        """Machine and packages, for each way that shards were made."""
        return tuple(dict(version) for version in self._manifest.versions)

    @property
    def digest(self) -> str:
        """Hash of the contents; the same recipe gives the same digest for any number of workers."""
        return self._manifest.digest

    @property
    def bytes(self) -> int:
        """Size of all shards."""
        return sum(shard.bytes for shard in self.shards)

    @property
    def fields(self) -> dict[str, Field]:
        """What `read` can give: names as in `FIELDS`, and "drawn/..."."""
        return dict(self._fields)

    @property
    def mountings(self) -> int:
        """How many watches and phones recorded every repetition at once."""
        return len(self.shards[0].readings)

    def offsets(self, group: str, *, mounting: int = 0) -> np.ndarray:
        """Where each repetition starts in what `read` gives: (n + 1,) int64.

        Args:
            group: "sample" or "range".
            mounting: whose range readings.
        """
        if not any(f.group == group for f in self.fields.values()) or group not in CLOCKS:
            raise DatasetError(f"{self.folder} has no offsets of {group!r}, expected 'sample' or 'range'; choose one")
        clock = clock_of(group_of(group, self._mounting(mounting)))
        assert clock is not None
        parts = [np.diff(self._reader(number).offsets(clock)) for number in range(len(self.shards))]
        return np.cumsum(np.concatenate([np.zeros(1, np.int64), *parts]))

    def read(self, name: str, start: int = 0, stop: int | None = None, *, mounting: int = 0) -> np.ndarray:
        """Read one field of the repetitions from `start` to before `stop`, concatenated.

        Args:
            name: as in `fields`; the "drawn/" may be left out.
            start: position of the first repetition.
            stop: position after the last one; all where None.
            mounting: which of the watches and phones worn at once; what they share is the same for all.

        Returns:
            (items, *shape of the field). Strings are decoded.
        """
        path, field = self._path(name, self._mounting(mounting))
        first, last, _ = slice(start, stop).indices(len(self))
        parts = [np.zeros((0, *field.shape), field.dtype)]
        for number in range(self._locate(first)[0], self._locate(last - 1)[0] + 1) if first < last else ():
            low, high = self._starts[number : number + 2]
            parts.append(self._reader(number).read(path, max(first, low) - low, min(last, high) - low))
        joined = np.concatenate(parts)
        return _decoded(joined)

    def __len__(self) -> int:
        return int(self._starts[-1])

    def __getitem__(self, position: int) -> Repetition:
        number, row = self._locate(operator.index(position))
        if self._loaded[0] != number:
            self._loaded = (number, self._reader(number).load())
        return _cut(self._loaded[1], row)

    def __iter__(self) -> Iterator[Repetition]:
        return (self[position] for position in range(len(self)))

    def __repr__(self) -> str:
        mountings = f"{self.mountings} mountings, " if self.mountings > 1 else ""
        return (
            f"Dataset({str(self.folder)!r}: {len(self)} repetitions, {mountings}{len(self.fields)} fields, "
            f"{len(self.shards)} shards, {self.bytes / 1e6:.1f} MB)"
        )

    def __reduce__(self) -> tuple[type["Dataset"], tuple[Path]]:
        return Dataset, (self.folder,)

    def _path(self, name: str, mounting: int) -> tuple[str, Field]:
        for known in (name, f"drawn/{name}"):
            if known in self._fields:
                field = self._fields[known]
                path = f"{group_of(field.group, mounting)}/{known.removeprefix('drawn/')}"
                shared = f"{field.group}/{known.removeprefix('drawn/')}"
                return (path if path in self._manifest.fields else shared), field
        raise DatasetError(f"{self.folder} has no field {name!r}, expected one of {list(self.fields)}; choose one")

    def _mounting(self, mounting: int) -> int:
        if not 0 <= mounting < self.mountings:
            raise DatasetError(
                f"{self.folder} has no mounting {mounting}, expected one of {self.mountings}, from 0; choose one"
            )
        return mounting

    def _locate(self, position: int) -> tuple[int, int]:
        """Shard number and row of a repetition."""
        if not -len(self) <= position < len(self):
            raise IndexError(f"repetition {position} of {len(self)}")
        position %= len(self)
        number = int(np.searchsorted(self._starts, position, side="right")) - 1
        return number, position - int(self._starts[number])

    def _reader(self, number: int) -> ShardReader:
        if self._process != os.getpid():
            self._readers, self._recent, self._process = {}, OrderedDict(), os.getpid()
        if number not in self._readers:
            self._readers[number] = ShardReader(self.folder, self._manifest, self.shards[number])
        self._recent[number] = None
        self._recent.move_to_end(number)
        if len(self._recent) > OPEN_SHARDS:
            self._readers[self._recent.popitem(last=False)[0]].close()
        return self._readers[number]


def _cut(arrays: dict[str, np.ndarray], row: int) -> Repetition:
    """One repetition out of the arrays of its shard."""
    groups: dict[str, dict[str, Any]] = {}
    for path, array in arrays.items():
        group, _, name = path.partition("/")
        if name == "offsets":
            continue
        if clock := clock_of(group):
            first, last = arrays[f"{clock}/offsets"][row : row + 2]
            groups.setdefault(group, {})[name] = array[first:last].copy()
        else:
            groups.setdefault(group, {})[name] = _plain(array[row])
    numbers = sorted({base_of(group)[1] for group in groups} - {0})
    also = [Worn(**{n: groups.get(f"{n}.{k}", {}) for n in ("sample", "range", "drawn")}) for k in numbers]
    first_worn = {name: groups.get(name, {}) for name in ("sample", "range", "repetition", "drawn")}
    return Repetition(index=first_worn["repetition"].pop("index"), **first_worn, also=tuple(also))


def _plain(value: Any) -> Any:
    """A number or string as Python has it; an array as a copy, with strings decoded."""
    value = np.array(_decoded(value))
    return value.item() if value.ndim == 0 else value


def _decoded(array: Any) -> Any:
    """Strings as Python has them; other arrays as they are."""
    if array.dtype.kind != "S":
        return array
    try:
        return np.char.decode(array, "utf-8")
    except UnicodeDecodeError as error:
        raise DatasetError(f"a string in the dataset is damaged ({error}), expected UTF-8; make it again") from error


def write_dataset(
    folder: Path | str,
    repetitions: Iterable[Repetition],
    *,
    recipe: dict[str, Any],
    shard_repetitions: int = 100,
) -> Dataset:
    """Write a whole dataset from repetitions that exist already, such as converted recordings.

    The folder appears under its name only when everything in it is written.

    Args:
        folder: new or empty.
        repetitions: by increasing index, all with the same fields; taken one shard at a time.
        recipe: where they come from, as JSON holds it.
        shard_repetitions: how many repetitions a file holds.

    Raises:
        DatasetError: the folder holds something, or a repetition cannot be stored.
    """
    folder = Path(folder).resolve()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DatasetError(f"{folder} holds something already, expected a new or empty folder; choose another")
    temporary = temporary_beside(folder)
    remaining = iter(repetitions)
    try:
        with named_failure(folder):
            temporary.mkdir(parents=True)
        for number in count():
            batch = list(islice(remaining, shard_repetitions))
            if number and not batch:
                break
            write_shard(temporary, number, batch, recipe=recipe)
        write_manifest(temporary)
        with named_failure(folder):
            os.replace(temporary, folder)
            sync_folder(folder.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return Dataset(folder)
