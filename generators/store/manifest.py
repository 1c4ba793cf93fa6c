"""What a dataset folder holds: sidecars and the manifest.

A folder holds `shard-00000.h5` with its sidecar `shard-00000.json`, further shards, and `manifest.json`. A
sidecar is the manifest of a single shard; the manifest joins the sidecars and is written last, so a folder
with a manifest is complete.
"""

import hashlib
import importlib.metadata
import platform
import re
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

from generators.store.documents import FORMAT, read_document, recipe_hash, write_document
from generators.store.fields import DRAWN_DTYPES, FIELDS, DatasetError, Field, base_of

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
        readings: range readings of all its repetitions, by number of the mounting.
        bytes: size of the file.
        sha256: hash of the file.
        digest: hash of the contents, whatever the bytes that HDF5 makes of them.
    """

    number: int
    first: int
    last: int
    repetitions: int
    samples: int
    readings: tuple[int, ...]
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
        base, mounting = base_of(group)
        if base == "range":
            return self.readings[mounting]
        return self.samples if base == "sample" else self.repetitions


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What one or all shards of a dataset hold.

    Attributes:
        recipe: how the repetitions came to be, as JSON.
        fields: by path, such as "sample/time".
        versions: of the machine, Python and the packages, for each way that shards were made.
        shards: in order.
        format: one of `FORMATS`; the shards have the same.
    """

    recipe: dict[str, Any]
    fields: dict[str, Field]
    versions: tuple[dict[str, str], ...]
    shards: tuple[Shard, ...]
    format: str = FORMAT

    @property
    def digest(self) -> str:
        """Hash of the contents of the shards in order; equal contents have equal digests."""
        return hashlib.sha256("".join(shard.digest for shard in self.shards).encode()).hexdigest()

    def write(self, path: Path) -> None:
        """Write as JSON, atomically, with a checksum over everything else."""
        document = {
            "format": self.format,
            "recipe": self.recipe,
            "recipe_hash": recipe_hash(self.recipe),
            "fields": {name: [f.dtype, list(f.shape)] for name, f in self.fields.items()},
            "versions": list(self.versions),
            "repetitions": sum(shard.repetitions for shard in self.shards),
            "bytes": sum(shard.bytes for shard in self.shards),
            "digest": self.digest,
            "shards": [_entry(shard) for shard in self.shards],
        }
        write_document(path, document)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read what `write` wrote.

        Raises:
            DatasetError: the file is missing, damaged, or of an unknown format.
        """
        with read_document(path) as document:
            shards = tuple(_shard(item) for item in document["shards"])
            if not shards or any(after.number != before.number + 1 for before, after in pairwise(shards)):
                raise ValueError("its shards are not in a row")
            fields = {name: _field(name, *item) for name, item in document["fields"].items()}
            mountings = 1 + max((base_of(path.partition("/")[0])[1] for path in fields), default=0)
            if any(len(shard.readings) != mountings for shard in shards):
                raise ValueError(f"its shards do not all have {mountings} mountings, as its fields have")
            return cls(
                recipe=dict(document["recipe"]),
                fields=fields,
                versions=tuple(document["versions"]),
                shards=shards,
                format=document["format"],
            )


def _field(path: str, dtype: str, shape: list[int]) -> Field:
    group, _, name = path.partition("/")
    group, mounting = base_of(group)
    shape_ = tuple(int(n) for n in shape)
    if mounting < 0:
        raise ValueError(f"{path} is of no mounting, expected a number from 1 after the dot")
    if group == "drawn" and dtype in DRAWN_DTYPES and name and "/" not in name and min(shape_, default=0) >= 0:
        return Field(group="drawn", dtype=dtype, shape=shape_)
    known = FIELDS.get(name)
    if known is None or known.group != group or not (known.dtype == dtype and known.shape == shape_):
        raise ValueError(f"{path} is {dtype} {shape_}, expected a known field of its own type and shape")
    if mounting and not known.worn:
        raise ValueError(f"{path} is of a further mounting, expected it of the repetition alone")
    return known


def _entry(shard: Shard) -> dict[str, Any]:
    """A shard as JSON; where there is one mounting, `readings` is a number."""
    return asdict(shard) | ({"readings": shard.readings[0]} if len(shard.readings) == 1 else {})


def _shard(item: dict[str, Any]) -> Shard:
    readings = item["readings"]
    told: Any = item | {"readings": tuple(readings) if type(readings) is list else (readings,)}
    shard = Shard(**told)
    for name, value in asdict(shard).items():
        kind = str if name in ("sha256", "digest") else int
        if any(type(one) is not kind for one in (value if name == "readings" else (value,))):
            raise ValueError(f"{name} of a shard is {value!r}, expected {kind.__name__}")
    if min(shard.number, shard.repetitions, shard.samples, *shard.readings, shard.bytes) < 0:
        raise ValueError(f"shard {shard.number} has a negative count")
    return shard


@cache  # they take longer to read than some repetitions to write
def versions() -> dict[str, str]:
    """Versions of what a shard's contents depend on; absent packages are left out."""
    found = {"python": platform.python_version(), "machine": f"{platform.system()} {platform.machine()}"}
    for package in ("squat-sensor", "mujoco", "mujoco-warp", "warp-lang", "numpy", "h5py"):
        with suppress(importlib.metadata.PackageNotFoundError):
            found[package] = importlib.metadata.version(package)
    return found


def shard_numbers(folder: Path) -> list[int]:
    """Numbers of the shards of which the folder holds the file or the sidecar."""
    return sorted({int(match[1]) for path in folder.iterdir() if (match := _SHARD_NAME.fullmatch(path.name))})


def sidecar_of(folder: Path, number: int) -> Path:
    """Where the sidecar of a shard is, or will be."""
    return folder / f"shard-{number:05d}.json"


def check_size(path: Path, shard: Shard) -> None:
    """Find a truncated shard without reading it.

    Raises:
        DatasetError: the file is missing, or its size is not the recorded one.
    """
    size = path.stat().st_size if path.is_file() else None
    if size != shard.bytes:
        found = "is missing" if size is None else f"has {size} bytes"
        raise DatasetError(f"{path} {found}, expected {shard.bytes} bytes; make the shard again")
