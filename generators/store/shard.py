"""One shard: repetitions in an HDF5 file, written whole, and read only when all of it is known."""

import hashlib
import io
import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from generators.store.atomic import write_atomically
from generators.store.documents import FORMAT, canonical_json, recipe_hash
from generators.store.fields import DatasetError, Field, Repetition, clock_of, group_of, join
from generators.store.manifest import Manifest, Shard, check_size, versions

CHUNK_BYTES = 1 << 20
"""Largest piece that HDF5 reads at once."""
UNIT_BYTES = 16
"""Longest unit that is read."""
DECLARED_PER_STORED = 1000
"""How many bytes a file may declare for each byte that it has."""
_Held = tuple[str, np.ndarray, dict[str, str]]
"""Path, values and attributes of an array in a file."""


def write_shard(folder: Path | str, number: int, repetitions: Sequence[Repetition], *, recipe: dict[str, Any]) -> Shard:
    """Write one shard and its sidecar, each whole or not at all.

    The bytes depend on the arguments alone, and the repetitions on the recipe alone.

    Args:
        folder: of the dataset; it exists.
        number: position of the shard in the dataset, from 0.
        repetitions: at least one, by increasing index, all with the same fields.
        recipe: how they were made, as JSON holds it.

    Returns:
        What the sidecar records of the shard.

    Raises:
        DatasetError: a repetition cannot be stored as it is (see `generators.fields.join`), or the disk is
            full or not writable.
    """
    path = Path(folder) / f"shard-{number:05d}.h5"
    recipe_hash(recipe)
    arrays, fields = join(repetitions)
    texts = {"format": FORMAT, "recipe": canonical_json(recipe)}
    held = [(path, array, _attributes(fields.get(path))) for path, array in sorted(arrays.items())]
    content = _encode(texts, held)
    shard = Shard(
        number=number,
        first=repetitions[0].index,
        last=repetitions[-1].index,
        repetitions=len(repetitions),
        samples=int(arrays["sample/offsets"][-1]),
        readings=tuple(
            int(arrays.get(f"{group_of('range', k)}/offsets", np.zeros(1))[-1])
            for k in range(1 + len(repetitions[0].also))
        ),
        bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        digest=_digest(texts, held),
    )
    write_atomically(path, content)
    Manifest(recipe=recipe, fields=fields, versions=(versions(),), shards=(shard,)).write(path.with_name(shard.sidecar))
    return shard


class ShardReader:
    """One shard, opened when the guard lets it pass; it may be closed and is opened again when needed.

    Args:
        folder: of the dataset.
        manifest: says what the shard must hold: its own sidecar, or the manifest of the dataset.
        shard: which one.

    Raises:
        DatasetError: the file is missing, damaged, or holds anything that the manifest does not name.
    """

    def __init__(self, folder: Path, manifest: Manifest, shard: Shard):
        self.path, self.manifest, self.shard = folder / shard.file, manifest, shard
        self._file: h5py.File | None = None
        self._passed: tuple[int, ...] = ()
        self._offsets: dict[str, np.ndarray] = {}
        self._arrays: dict[str, h5py.Dataset] = {}
        self._open()

    def close(self) -> None:
        """Let go of the file."""
        self._file, self._arrays = None, {}

    def _open(self) -> h5py.File:
        if self._file is not None:
            return self._file
        check_size(self.path, self.shard)
        state = self.path.stat()
        identity = (state.st_ino, state.st_mtime_ns, state.st_size)
        try:
            file = h5py.File(self.path, "r", locking=False)
        except OSError as error:
            raise DatasetError(
                f"{self.path} is no readable HDF5 file ({error}), expected a shard; make the shard again"
            ) from error
        if identity != self._passed:
            try:
                _guard(file, self.manifest, self.shard)
            except (ValueError, KeyError, TypeError, RuntimeError, OSError) as error:
                file.close()
                raise DatasetError(
                    f"{self.path} is refused: {error}; take it from a source that you trust, or make it again"
                ) from error
            self._passed, self._offsets = identity, {}
        self._file = file
        return file

    def offsets(self, group: str) -> np.ndarray:
        """Where each repetition starts in the arrays of a group that has offsets, as "range.1": (n + 1,) int64."""
        if group not in self._offsets:
            offsets, rows = self._values(f"{group}/offsets"), self.shard.rows(group)
            if offsets[0] != 0 or offsets[-1] != rows or (np.diff(offsets) < 0).any():
                raise DatasetError(
                    f"{self.path} has {group}/offsets from {offsets[0]} to {offsets[-1]}, expected an "
                    f"increase from 0 to {rows}; make the shard again"
                )
            self._offsets[group] = offsets
        return self._offsets[group]

    def read(self, path: str, first: int, last: int) -> np.ndarray:
        """One field, such as "sample/time", of the repetitions from `first` to before `last`."""
        if clock := clock_of(path.partition("/")[0]):
            first, last = self.offsets(clock)[[first, last]]
        return self._values(path, slice(first, last))

    def load(self) -> dict[str, np.ndarray]:
        """All arrays by path, with the offsets."""
        arrays = {path: self._values(path) for path in self.manifest.fields}
        return arrays | {f"{clock}/offsets": self.offsets(clock) for clock in _clocks(self.manifest)}

    def digest(self) -> str:
        """Hash of the contents, as `Shard.digest`."""
        try:
            file = self._open()
            return _digest(_texts_of(file), _held_by(file))
        except (OSError, ValueError) as error:
            raise DatasetError(f"{self.path} is damaged ({error}); make the shard again") from error

    def _values(self, path: str, rows: slice = slice(None)) -> np.ndarray:
        try:
            file = self._open()
            if path not in self._arrays:
                self._arrays[path] = _array(file, path)
            return self._arrays[path][rows]
        except OSError as error:
            raise DatasetError(
                f"{self.path} holds a damaged {path} ({error}), expected what was written; make it again"
            ) from error


def _clocks(manifest: Manifest) -> set[str]:
    """The groups that have offsets."""
    return {clock for path in manifest.fields if (clock := clock_of(path.partition("/")[0]))}


def _attributes(field: Field | None) -> dict[str, str]:
    return {"unit": field.unit} if field and field.unit else {}


def _encode(texts: dict[str, str], held: list[_Held]) -> bytes:
    """An HDF5 file with these attributes and arrays, in memory; equal arguments give equal bytes.

    Arrays are made by HDF5's own calls: `create_dataset` takes twice as long for the hundreds that a shard has.
    """
    buffer = io.BytesIO()
    with h5py.File(buffer, "w", libver=("v110", "v110")) as file:
        for name, text in texts.items():
            file.attrs[name] = np.bytes_(text)
        for group, members in groupby(held, key=lambda one: one[0].partition("/")[0]):
            folder = file.create_group(group).id
            for path, array, attributes in members:
                dataset = _write(folder, path.partition("/")[2], array)
                for name, text in attributes.items():
                    dataset.attrs[name] = np.bytes_(text)
    return buffer.getvalue()


def _write(folder: h5py.h5g.GroupID, name: str, array: np.ndarray) -> h5py.Dataset:
    """Writes an array in chunks with checksums, and without a time."""
    layout = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    layout.set_obj_track_times(False)
    if array.size:
        rows = max(1, CHUNK_BYTES // (array.itemsize * math.prod(array.shape[1:])))
        layout.set_chunk((min(rows, len(array)), *array.shape[1:]))
        layout.set_fletcher32()
    kind, space = h5py.h5t.py_create(array.dtype, logical=True), h5py.h5s.create_simple(array.shape)
    made = h5py.h5d.create(folder, name.encode(), kind, space, layout)
    if array.size:
        made.write(h5py.h5s.ALL, h5py.h5s.ALL, array)
    return h5py.Dataset(made)


def _array(file: h5py.File, path: str) -> h5py.Dataset:
    item = file[path]
    if not isinstance(item, h5py.Dataset):
        raise ValueError(f"{path} is a {type(item).__name__}, expected a Dataset")
    return item


def _held_by(file: h5py.File) -> Iterator[_Held]:
    """The arrays of a file, read one by one, in the order in which `write_shard` writes them."""
    paths = sorted(f"{group}/{name}" for group in file for name in file[group])  # pyright: ignore[reportGeneralTypeIssues]
    for path in paths:
        array = _array(file, path)
        yield path, array[()], _texts_of(array)


def _digest(texts: dict[str, str], held: Iterable[_Held]) -> str:
    """Hash of the contents: attributes of the file, then types, shapes, attributes and values in C order, by path."""
    digest = hashlib.sha256(canonical_json(texts).encode())
    for path, array, attributes in held:
        digest.update(f"{path} {array.dtype.str} {array.shape} {canonical_json(attributes)}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def _texts_of(item: h5py.File | h5py.Dataset) -> dict[str, str]:
    return {name: value.decode() for name, value in item.attrs.items()}


def _guard(file: h5py.File, manifest: Manifest, shard: Shard) -> None:
    """Refuse a file that holds anything but what its manifest names, before any value is read.

    Raises:
        ValueError: says what was found and what was expected.
    """
    expected = {
        path: (np.dtype(f.dtype), (shard.rows(path.partition("/")[0]), *f.shape)) for path, f in manifest.fields.items()
    }
    for clock in _clocks(manifest):
        expected[f"{clock}/offsets"] = (np.dtype("<i8"), (shard.repetitions + 1,))
    groups = _members(file, h5py.Group)
    for group in groups:
        _guard_attributes(group, file[group], {})
    paths = [f"{group}/{name}" for group in groups for name in _members(file[group], h5py.Dataset)]
    if odd := sorted(set(paths) ^ expected.keys()):
        raise ValueError(f"its arrays and those of the manifest differ in {odd}, expected the same")
    declared = 0
    for path in paths:
        array = _array(file, path)
        if (array.dtype, array.shape) != expected[path]:
            raise ValueError(f"{path} is {array.dtype} {array.shape}, expected {expected[path]}")
        declared += _declared_bytes(path, array)
        _guard_attributes(path, array, {"unit": UNIT_BYTES})
    if declared > DECLARED_PER_STORED * shard.bytes:
        raise ValueError(f"it declares {declared} bytes, expected at most 1000 for each of its {shard.bytes}")
    texts = {"format": manifest.format, "recipe": canonical_json(manifest.recipe)}
    _guard_attributes("the file", file, {name: len(text.encode()) for name, text in texts.items()})
    for name, text in texts.items():
        if file.attrs[name] != np.bytes_(text):
            raise ValueError(f"its {name} is not that of the manifest, expected the same")


def _members(group: Any, kind: type) -> list[str]:
    """Names in a group, all of them hard links to objects of one kind."""
    for name in group:
        link = group.get(name, getlink=True)
        if not isinstance(link, h5py.HardLink):
            raise ValueError(f"{name} in {group.name} is a {type(link).__name__}, expected a hard link")
        found = group.get(name, getclass=True)
        if found is not kind:
            raise ValueError(f"{name} in {group.name} is a {found.__name__}, expected a {kind.__name__}")
    return list(group)


def _declared_bytes(path: str, array: h5py.Dataset) -> int:
    """Memory that reading takes, of an array that lies in this file and passes no unknown filter."""
    layout = array.id.get_create_plist()
    if layout.get_external_count() or layout.get_layout() == h5py.h5d.VIRTUAL:
        raise ValueError(f"{path} lies in other files, expected it in its own")
    filters = [layout.get_filter(i)[0] for i in range(layout.get_nfilters())]
    if set(filters) - {h5py.h5z.FILTER_FLETCHER32}:
        raise ValueError(f"{path} passes the HDF5 filters {filters}, expected none but the checksum")
    chunk: tuple[int, ...] = array.chunks or (0,)
    declared = max(math.prod(array.shape), math.prod(chunk)) * array.dtype.itemsize
    stored = array.id.get_storage_size()
    if declared > DECLARED_PER_STORED * stored:
        raise ValueError(f"{path} declares {declared} bytes, expected at most 1000 for each of its {stored}")
    return declared


def _guard_attributes(owner: str, item: Any, known: dict[str, int]) -> None:
    """Refuse attributes that are not one of the known texts, by name and longest size in bytes."""
    for name in item.attrs:
        attribute = item.attrs.get_id(name)
        if name not in known or attribute.dtype.kind != "S" or attribute.shape != ():
            raise ValueError(f"{owner} has the attribute {name} ({attribute.dtype}), expected text in {[*known]}")
        if attribute.dtype.itemsize > known[name]:
            raise ValueError(f"{name} of {owner} has {attribute.dtype.itemsize} bytes, expected {known[name]} at most")
