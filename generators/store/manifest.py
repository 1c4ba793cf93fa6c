"""What a dataset folder holds and whether it is intact: sidecars, hashes and the manifest.

A folder holds `shard-00000.h5` with its sidecar `shard-00000.json`, further shards, and `manifest.json`. A
sidecar is the manifest of a single shard; the manifest joins the sidecars and is written last, so a folder
with a manifest is complete.
"""

import hashlib
import importlib.metadata
import json
import platform
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

from generators.store.atomic import write_atomically
from generators.store.fields import DRAWN_DTYPES, FIELDS, DatasetError, Field

FORMAT = "squat-sensor dataset 1"
MANIFEST = "manifest.json"
_SHARD_NAME = re.compile(r"shard-(\d{5,9})\.(h5|json)")


@dataclass(frozen=True, kw_only=True)
class Shard:
    """What is known of one HDF5 file without opening it.

    Attributes:
        number: position in the dataset.
        first: index of the first repetition.
        last: index of the last repetition.
        repetitions: how many repetitions it holds.
        samples: samples of all its repetitions.
        readings: range readings of all its repetitions.
        bytes: size of the file.
        sha256: hash of the file.
        digest: hash of the contents, whatever the bytes that HDF5 makes of them.
    """

    number: int
    first: int
    last: int
    repetitions: int
    samples: int
    readings: int
    bytes: int
    sha256: str
    digest: str

    @property
    def file(self) -> str:
        """Name of the HDF5 file."""
        return f"shard-{self.number:05d}.h5"

    @property
    def sidecar(self) -> str:
        """Name of the JSON file beside it."""
        return f"shard-{self.number:05d}.json"

    def rows(self, group: str) -> int:
        """How many items the shard holds of the fields of a group."""
        return {"sample": self.samples, "range": self.readings}.get(group, self.repetitions)


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What one or all shards of a dataset hold.

    Attributes:
        recipe: how the repetitions came to be, as JSON.
        fields: by path, such as "sample/time".
        versions: of the machine, Python and the packages, for each way that shards were made.
        shards: in order.
    """

    recipe: dict[str, Any]
    fields: dict[str, Field]
    versions: tuple[dict[str, str], ...]
    shards: tuple[Shard, ...]

    @property
    def digest(self) -> str:
        """Hash of the contents of the shards in order; equal contents have equal digests."""
        return hashlib.sha256("".join(shard.digest for shard in self.shards).encode()).hexdigest()

    def write(self, path: Path) -> None:
        """Write as JSON, atomically, with a checksum over everything else."""
        document = {
            "format": FORMAT,
            "recipe": self.recipe,
            "recipe_hash": recipe_hash(self.recipe),
            "fields": {name: [f.dtype, list(f.shape)] for name, f in self.fields.items()},
            "versions": list(self.versions),
            "repetitions": sum(shard.repetitions for shard in self.shards),
            "bytes": sum(shard.bytes for shard in self.shards),
            "digest": self.digest,
            "shards": [asdict(shard) for shard in self.shards],
        }
        document["checksum"] = _hash_of_json(document)
        write_atomically(path, (json.dumps(document, indent=1, sort_keys=True) + "\n").encode())

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read what `write` wrote.

        Raises:
            DatasetError: the file is missing, damaged, or of another format.
        """
        if not path.is_file():
            raise DatasetError(f"{path} is missing, expected it beside the shards; make the dataset again")
        try:
            document = json.loads(path.read_bytes())
            checksum, found = document.pop("checksum"), _hash_of_json(document)
            if document["format"] != FORMAT:
                raise ValueError(f"its format is {document['format']!r}, expected {FORMAT!r}")
            if checksum != found:
                raise ValueError(f"its checksum is {found}, expected {checksum}")
            shards = tuple(_shard(item) for item in document["shards"])
            if any(after.number != before.number + 1 for before, after in pairwise(shards)):
                raise ValueError("its shards are not in a row")
            return cls(
                recipe=dict(document["recipe"]),
                fields={name: _field(name, *item) for name, item in document["fields"].items()},
                versions=tuple(document["versions"]),
                shards=shards,
            )
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise DatasetError(f"{path} is damaged or foreign ({error}); make the file again") from error


def _field(path: str, dtype: str, shape: list[int]) -> Field:
    group, _, name = path.partition("/")
    shape_ = tuple(int(n) for n in shape)
    if group == "drawn" and dtype in DRAWN_DTYPES and name and "/" not in name and min(shape_, default=0) >= 0:
        return Field(group="drawn", dtype=dtype, shape=shape_)
    known = FIELDS.get(name)
    if known is None or known.group != group or not (known.dtype == dtype and known.shape == shape_):
        raise ValueError(f"{path} is {dtype} {shape_}, expected a known field of its own type and shape")
    return known


def _shard(item: dict[str, Any]) -> Shard:
    shard = Shard(**item)
    for name, value in item.items():
        if type(value) is not Shard.__annotations__[name]:
            raise ValueError(f"{name} of a shard is {value!r}, expected {Shard.__annotations__[name].__name__}")
    if min(shard.number, shard.repetitions, shard.samples, shard.readings, shard.bytes) < 0:
        raise ValueError(f"shard {shard.number} has a negative count")
    return shard


def recipe_hash(recipe: dict[str, Any]) -> str:
    """Hash of a recipe, whatever the order of its keys.

    Raises:
        DatasetError: the recipe is not JSON.
    """
    try:
        return _hash_of_json(recipe)
    except (TypeError, ValueError) as error:
        raise DatasetError(f"the recipe cannot be kept ({error}), expected only what JSON holds; convert it") from error


def canonical_json(document: dict[str, Any]) -> str:
    """JSON whose text is the same for equal documents."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _hash_of_json(document: dict[str, Any]) -> str:
    return hashlib.sha256(canonical_json(document).encode()).hexdigest()


def versions() -> dict[str, str]:
    """Versions of what a shard's contents depend on; absent packages are left out."""
    found = {"python": platform.python_version(), "machine": f"{platform.system()} {platform.machine()}"}
    for package in ("squat-sensor", "mujoco", "numpy", "h5py"):
        with suppress(importlib.metadata.PackageNotFoundError):
            found[package] = importlib.metadata.version(package)
    return found


def shard_numbers(folder: Path) -> list[int]:
    """Numbers of the shards of which the folder holds the file or the sidecar."""
    return sorted({int(match[1]) for path in folder.iterdir() if (match := _SHARD_NAME.fullmatch(path.name))})


def check_shard(folder: Path, number: int) -> Manifest:
    """Compare a shard with its sidecar, byte for byte.

    Returns:
        The sidecar.

    Raises:
        DatasetError: either file is missing or damaged.
    """
    name = f"shard-{number:05d}"
    path = folder / f"{name}.h5"
    if not path.is_file():
        raise DatasetError(f"{path} is missing, expected shard {number}; make the shard again")
    sidecar = Manifest.read(folder / f"{name}.json")
    numbers = [shard.number for shard in sidecar.shards]
    if numbers != [number]:
        raise DatasetError(
            f"{folder / name}.json describes the shards {numbers}, expected [{number}]; make the shard again"
        )
    shard = sidecar.shards[0]
    check_size(path, shard)
    with open(path, "rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != shard.sha256:
        raise DatasetError(f"{path} has sha256 {found}, expected {shard.sha256}; make the shard again")
    return sidecar


def check_size(path: Path, shard: Shard) -> None:
    """Find a truncated shard without reading it.

    Raises:
        DatasetError: the file is missing, or its size is not the recorded one.
    """
    size = path.stat().st_size if path.is_file() else None
    if size != shard.bytes:
        found = "is missing" if size is None else f"has {size} bytes"
        raise DatasetError(f"{path} {found}, expected {shard.bytes} bytes; make the shard again")


def write_manifest(folder: Path | str) -> None:
    """Complete a dataset: check every shard and join their sidecars into `manifest.json`.

    Raises:
        DatasetError: a shard is missing, damaged, or does not go with the others.
    """
    folder = Path(folder)
    numbers = shard_numbers(folder)
    sidecars = [check_shard(folder, number) for number in range(max(numbers, default=0) + 1)]
    for problem in mismatches(folder, sidecars[0], sidecars):
        raise DatasetError(problem)
    kinds = {canonical_json(v): v for sidecar in sidecars for v in sidecar.versions}
    Manifest(
        recipe=sidecars[0].recipe,
        fields=sidecars[0].fields,
        versions=tuple(kinds[key] for key in sorted(kinds)),
        shards=tuple(sidecar.shards[0] for sidecar in sidecars),
    ).write(folder / MANIFEST)


def mismatches(folder: Path, reference: Manifest, sidecars: list[Manifest]) -> Iterator[str]:
    """Say which sidecars, given in the order of their shards, differ from a reference or overlap."""
    for sidecar in sidecars:
        path = folder / sidecar.shards[0].file
        if sidecar.recipe != reference.recipe:
            yield (
                f"{path} was made by the recipe {recipe_hash(sidecar.recipe)[:12]}, expected "
                f"{recipe_hash(reference.recipe)[:12]}; remove it, or make it again"
            )
        elif sidecar.fields != reference.fields:
            odd = sorted(dict(sidecar.fields.items() ^ reference.fields.items()))
            yield f"{path} differs from the other shards in the fields {odd}; make every shard the same way"
    for before, after in pairwise(sidecar.shards[0] for sidecar in sidecars):
        if after.first <= before.last:
            yield (
                f"{folder / after.file} starts with repetition {after.first}, expected one after "
                f"{before.last}, the last of {before.file}: a range is duplicated; make the shard again"
            )
