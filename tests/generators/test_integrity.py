"""Damage is named, and never read as data."""

import dataclasses
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from toy import RECIPE, toy_repetition

from generators.store import Dataset, DatasetError, Manifest, verify, write_manifest, write_shard


def copy_shard(folder: Path, source: int, target: int) -> None:
    for ending in ("h5", "json"):
        shutil.copy(folder / f"shard-{source:05d}.{ending}", folder / f"shard-{target:05d}.{ending}")


def rewrite(folder: Path, number: int, indices, recipe=RECIPE, seed=0) -> None:
    write_shard(folder, number, [toy_repetition(index, seed) for index in indices], recipe=recipe)


def halve(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


DAMAGES = {
    "missing shard": (lambda f: (f / "shard-00001.h5").unlink(), "shard-00001.h5 is missing"),
    "missing sidecar": (lambda f: (f / "shard-00001.json").unlink(), "shard-00001.json is missing"),
    "missing manifest": (lambda f: (f / "manifest.json").unlink(), "manifest.json is missing"),
    "half a manifest": (lambda f: halve(f / "manifest.json"), "manifest.json is damaged"),
    "half a sidecar": (lambda f: halve(f / "shard-00001.json"), "shard-00001.json is damaged"),
    "truncated shard": (lambda f: halve(f / "shard-00001.h5"), "shard-00001.h5 has .* bytes, expected"),
    "empty shard": (lambda f: (f / "shard-00001.h5").write_bytes(b""), "shard-00001.h5 has 0 bytes"),
    "foreign shard": (lambda f: rewrite(f, 3, [10, 11]), "shard-00003.h5 is foreign"),
    "stale shard": (lambda f: rewrite(f, 1, range(4, 8), seed=7), "shard-00001.h5 is stale or newer"),
    "other recipe": (lambda f: rewrite(f, 1, range(4, 8), recipe={"a": 1}), "shard-00001.h5 was made by the recipe"),
    "renamed shard": (lambda f: copy_shard(f, 0, 1), r"shard-00001.json describes the shards \[0\]"),
    "duplicated range": (lambda f: rewrite(f, 1, range(2, 6)), "a range is duplicated"),
    "left over": (
        lambda f: (f / f"shard-00001.h5.tmp-123-{'0' * 32}").write_bytes(b"half"),
        "left over from a killed writer",
    ),
}


HARMLESS = ("foreign shard", "stale shard", "left over")
"""Without a manifest these are shards like any other, or no shards at all."""


def test_a_sound_dataset_has_no_damage(folder):
    (folder / "README.md").write_text("a note of the owner's")
    assert verify(folder) == []


@pytest.mark.parametrize("case", DAMAGES)
def test_verify_names_the_damage(folder, case):
    damage, message = DAMAGES[case]
    damage(folder)
    damages = verify(folder)
    assert any(re.search(message, found) for found in damages), damages
    assert len(damages) <= 3, damages


def test_verify_refuses_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(DatasetError, match="nowhere is missing, expected the folder of a dataset"):
        verify(tmp_path / "nowhere")


def test_verify_names_a_gap_without_a_manifest(folder):
    (folder / "manifest.json").unlink()
    (folder / "shard-00001.h5").unlink()
    (folder / "shard-00001.json").unlink()
    assert any("shard 1" in damage and "missing" in damage for damage in verify(folder))


@pytest.mark.parametrize("case", [case for case in DAMAGES if "manifest" not in case and case not in HARMLESS])
def test_a_manifest_is_only_made_of_sound_shards(folder, case):
    DAMAGES[case][0](folder)
    (folder / "manifest.json").unlink()
    with pytest.raises(DatasetError, match="shard-0000"):
        write_manifest(folder)
    assert not (folder / "manifest.json").exists()


def test_shards_with_other_fields_make_no_manifest(folder, repetitions):
    write_shard(folder, 2, [dataclasses.replace(r, drawn={}) for r in repetitions[8:]], recipe=RECIPE)
    with pytest.raises(DatasetError, match="differs from the other shards in the fields"):
        write_manifest(folder)


def test_an_empty_folder_makes_no_manifest(tmp_path):
    with pytest.raises(DatasetError, match=r"shard-00000\.h5 is missing"):
        write_manifest(tmp_path)


@pytest.mark.fault
def test_a_reader_never_returns_flipped_values(folder):
    """Without looking at the hash: HDF5's own checksums find a flip where it is read."""
    path, rng = folder / "shard-00001.h5", np.random.default_rng(4)
    sound, expected = path.read_bytes(), Dataset(folder)
    values = {name: expected.read(name).tobytes() for name in expected.fields}
    silent = []
    for position in rng.integers(0, len(sound), 40):
        flipped = bytearray(sound)
        flipped[position] ^= 1 << int(rng.integers(8))
        path.write_bytes(flipped)
        dataset = Dataset(folder)
        try:
            found = {name: dataset.read(name).tobytes() for name in values}
        except DatasetError:
            continue
        silent += [int(position)] if found != values else []
    assert silent == []


@pytest.mark.parametrize("name", ["manifest.json", "shard-00001.json"])
def test_a_newer_format_is_refused_by_name(folder, name):
    manifest = dataclasses.replace(Manifest.read(folder / name), format="squat-sensor dataset 9")
    manifest.write(folder / name)
    assert any("its format is 'squat-sensor dataset 9', expected one of" in damage for damage in verify(folder))
