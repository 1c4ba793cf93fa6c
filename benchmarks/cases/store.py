"""What the store costs: against a bare memory map, and against HDF5 with a group for each episode."""

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import h5py
import numpy as np

SHARD_REPETITIONS = 60
WINDOW = 40  # samples: 2 s
STREAMS = ("range", "watch_accel", "watch_gyro")
SHARDS_TO_OPEN = 4000
READS = 2000


def measure(reps: int) -> dict[str, float]:
    """Write and read random windows of the same repetitions in three ways; open and check folders of many shards."""
    from generators.store import Dataset, write_dataset

    repetitions = list(_repetitions(reps))
    with TemporaryDirectory() as name:
        folder = Path(name)
        write = {
            "shards": _seconds(
                lambda: write_dataset(folder / "shards", repetitions, recipe={}, shard_repetitions=SHARD_REPETITIONS)
            ),
            "groups": _seconds(lambda: _write_groups(folder / "groups.h5", repetitions)),
            "memmap": _seconds(lambda: _write_memmap(folder / "memmap", repetitions)),
        }
        picks = _picks(repetitions)
        dataset = Dataset(folder / "shards")
        opened = _seconds(lambda: [dataset.read("index"), dataset.offsets("sample")])  # passes the guard
        read, sums = {}, {}
        for way, windows in (
            ("shards", lambda: _read_shards(dataset, picks)),
            ("groups", lambda: _read_groups(folder / "groups.h5", picks)),
            ("memmap", lambda: _read_memmap(folder / "memmap", dataset.offsets("sample"), picks)),
        ):
            start = time.perf_counter()
            sums[way] = windows()
            read[way] = time.perf_counter() - start
        assert len({round(total, 3) for total in sums.values()}) == 1, sums
        whole = {
            "shards": _seconds(lambda: [dataset.read(stream) for stream in STREAMS]),
            "groups": _seconds(lambda: _read_all_groups(folder / "groups.h5")),
        }
        return {
            "repetitions": reps,
            **{f"write_s_{way}": seconds for way, seconds in write.items()},
            "write_over_memmap_ratio": write["shards"] / write["memmap"],
            "write_over_groups_ratio": write["shards"] / write["groups"],
            **{f"window_us_{way}": 1e6 * seconds / READS for way, seconds in read.items()},
            "window_over_memmap_ratio": read["shards"] / read["memmap"],
            "window_over_groups_ratio": read["shards"] / read["groups"],
            "first_read_ms_a_shard": 1e3 * opened / len(dataset.shards),
            "read_all_over_groups_ratio": whole["shards"] / whole["groups"],
            "bytes_over_groups_ratio": dataset.bytes / (folder / "groups.h5").stat().st_size,
            **_many_shards(folder, dataset),
        }


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _repetitions(count: int):
    """Repetitions of every field, of the length and about as many drawn values as simulated ones have."""
    from generators.store import FIELDS, Repetition

    rng = np.random.default_rng(0)
    for index in range(count):
        length = {"sample": int(rng.integers(50, 110)), "range": int(rng.integers(12, 28))}
        arrays: dict[str, dict[str, np.ndarray]] = {"sample": {}, "range": {}}
        for name, field in FIELDS.items():
            if field.group in arrays:
                values = rng.normal(size=(length[field.group], *field.shape))
                arrays[field.group][name] = values if field.dtype.startswith("<f") else (values > 0).astype("i8")
        drawn = {f"part{i}.value": float(value) for i, value in enumerate(rng.normal(size=80))}
        yield Repetition(
            index=index, **arrays, repetition={"set": index, "repetition": 0, "subject": index}, drawn=drawn
        )


def _picks(repetitions) -> list[tuple[int, int]]:
    """Random windows: repetition and first sample."""
    rng = np.random.default_rng(1)
    chosen = rng.integers(len(repetitions), size=READS)
    return [(int(i), int(rng.integers(repetitions[i].sample["time"].size - WINDOW + 1))) for i in chosen]


def _read_shards(dataset, picks) -> float:
    return sum(
        float(dataset.read(stream, i, i + 1)[first : first + WINDOW].sum(dtype="f8"))
        for i, first in picks
        for stream in STREAMS
    )


def _write_groups(path: Path, repetitions) -> None:
    with h5py.File(path, "w") as file:
        for repetition in repetitions:
            group = file.create_group(f"episode_{repetition.index}")
            for name, values in {**repetition.sample, **repetition.range}.items():
                group.create_dataset(name, data=values.astype("f4") if name in STREAMS else values)
            group.attrs.update({**repetition.repetition, **repetition.drawn})


def _read_groups(path: Path, picks) -> float:
    with h5py.File(path) as file:
        return sum(
            float(file[f"episode_{i}/{stream}"][first : first + WINDOW].sum(dtype="f8"))
            for i, first in picks
            for stream in STREAMS
        )


def _read_all_groups(path: Path) -> list[np.ndarray]:
    with h5py.File(path) as file:
        return [np.concatenate([group[stream][()] for group in file.values()]) for stream in STREAMS]


def _write_memmap(folder: Path, repetitions) -> None:
    folder.mkdir()
    for name in [*repetitions[0].sample, *repetitions[0].range]:
        group = "sample" if name in repetitions[0].sample else "range"
        np.save(folder / f"{name}.npy", np.concatenate([getattr(r, group)[name] for r in repetitions]).astype("f4"))


def _read_memmap(folder: Path, offsets: np.ndarray, picks) -> float:
    maps = [np.load(folder / f"{stream}.npy", mmap_mode="r") for stream in STREAMS]
    return sum(float(m[offsets[i] + first :][:WINDOW].sum(dtype="f8")) for i, first in picks for m in maps)


def _many_shards(folder: Path, dataset) -> dict[str, float]:
    """Open a dataset whose manifest is made of copies of one shard's entry, and check real copies of that shard."""
    from generators.store import Dataset, Manifest, verify
    from generators.store.integrity import check_shards
    from generators.store.manifest import MANIFEST

    one, many = Manifest.read(dataset.folder / "shard-00000.json"), folder / "many"
    many.mkdir()
    shard, step = one.shards[0], one.shards[0].repetitions
    copies = [
        replace(shard, number=k, first=shard.first + k * step, last=shard.last + k * step)
        for k in range(SHARDS_TO_OPEN)
    ]
    replace(one, shards=tuple(copies)).write(many / MANIFEST)
    opened = _seconds(lambda: Dataset(many))
    checked = min(200, SHARDS_TO_OPEN)
    for copy in copies[:checked]:
        shutil.copy(dataset.folder / shard.file, many / copy.file)
        replace(one, shards=(copy,)).write(many / copy.sidecar)
    hashed = _seconds(lambda: list(check_shards(many, range(checked))))
    verified = _seconds(lambda: verify(dataset.folder))
    return {
        f"open_{SHARDS_TO_OPEN}_shards_s": opened,
        "manifest_bytes_a_shard": (many / MANIFEST).stat().st_size / SHARDS_TO_OPEN,
        "manifest_entry_bytes": len(json.dumps(asdict(shard))),
        "sidecar_bytes": (dataset.folder / shard.sidecar).stat().st_size,
        "shard_bytes": shard.bytes,
        "check_ms_a_shard": 1e3 * hashed / checked,
        "verify_ms_a_shard": 1e3 * verified / len(dataset.shards),
    }
