import dataclasses
import hashlib
import json
import multiprocessing
import os
import pickle
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
from formats.freeze import frozen_repetitions
from toy import toy_repetition

from generators.store import (
    FIELDS,
    Dataset,
    DatasetError,
    Manifest,
    Repetition,
    verify,
    write_dataset,
    write_manifest,
    write_shard,
)
from generators.store.documents import hash_of_json

RECIPE = {"name": "toy", "seed": 0}
SHARD = 4


@pytest.fixture(scope="module")
def repetitions() -> list[Repetition]:
    return [toy_repetition(index) for index in range(10)]


@pytest.fixture(scope="module")
def pristine(tmp_path_factory, repetitions) -> Path:
    folder = tmp_path_factory.mktemp("pristine") / "dataset"
    write_dataset(folder, repetitions, recipe=RECIPE, shard_repetitions=SHARD)
    return folder


@pytest.fixture
def folder(pristine, tmp_path) -> Path:
    """A dataset of three shards that a test may damage."""
    return Path(shutil.copytree(pristine, tmp_path / "dataset"))


def with_sample(repetition: Repetition, **sample) -> Repetition:
    return dataclasses.replace(repetition, sample={**repetition.sample, **sample})


# What is written is what is read


def test_a_repetition_comes_back_as_it_was_given(pristine, repetitions):
    dataset = Dataset(pristine)
    assert len(dataset) == len(repetitions)
    for given, found in zip(repetitions, dataset, strict=True):
        assert found.index == given.index
        assert found.repetition == given.repetition
        assert found.sample.keys() == given.sample.keys()
        for name, array in {**given.sample, **given.range}.items():
            stored = {**found.sample, **found.range}[name]
            assert stored.dtype == FIELDS[name].dtype, name
            np.testing.assert_array_equal(stored, np.asarray(array).astype(FIELDS[name].dtype), err_msg=name)
        assert found.drawn.keys() == given.drawn.keys()
        for name, value in given.drawn.items():
            np.testing.assert_array_equal(found.drawn[name], value, err_msg=name)
        assert isinstance(found.drawn["placement.watch.wrist"], str)


@pytest.mark.parametrize(("start", "stop"), [(0, None), (0, 4), (3, 5), (2, 10), (9, None), (4, 4), (-2, None)])
def test_read_concatenates_the_repetitions_asked_for(pristine, repetitions, start, stop):
    dataset, chosen = Dataset(pristine), repetitions[start:stop]
    for name in ("watch_accel", "landmarks"):
        parts = [np.zeros((0, *FIELDS[name].shape)), *(r.sample[name] for r in chosen)]
        found = dataset.read(name, start, stop)
        np.testing.assert_array_equal(found, np.concatenate(parts).astype("f4"), err_msg=name)
    assert dataset.read("range_time", start, stop).size == sum(r.range["range_time"].size for r in chosen)
    assert dataset.read("index", start, stop).tolist() == [r.index for r in chosen]
    wrists = [r.drawn["placement.watch.wrist"] for r in chosen]
    assert dataset.read("placement.watch.wrist", start, stop).tolist() == wrists
    assert dataset.read("drawn/placement.watch.wrist", start, stop).tolist() == wrists


@pytest.mark.parametrize("group", ["sample", "range"])
def test_offsets_delimit_the_repetitions(pristine, repetitions, group):
    clock = {"sample": "time", "range": "range_time"}[group]
    lengths = [getattr(r, group)[clock].size for r in repetitions]
    assert Dataset(pristine).offsets(group).tolist() == [0, *np.cumsum(lengths)]


def test_positions_count_from_both_ends(pristine):
    dataset = Dataset(pristine)
    assert dataset[-1].index == 9
    assert dataset[np.int64(4)].index == 4
    for position in (10, -11):
        with pytest.raises(IndexError, match=f"repetition {position} of 10"):
            dataset[position]


def test_a_repetition_shares_no_memory_with_the_dataset(pristine):
    dataset = Dataset(pristine)
    dataset[0].sample["time"][:] = -1
    assert dataset[0].sample["time"][1] > 0


def test_representations_show_shapes_and_not_data(pristine):
    dataset = Dataset(pristine)
    assert "10 repetitions" in repr(dataset)
    assert "watch_accel (" in repr(dataset[0])
    assert len(repr(dataset[0])) < 700


def test_a_dataset_may_hold_few_fields(tmp_path, repetitions):
    few = [Repetition(index=3 * r.index, sample={"time": r.sample["time"]}) for r in repetitions]
    dataset = write_dataset(tmp_path / "few", few, recipe={}, shard_repetitions=SHARD)
    assert set(dataset.fields) == {"time", "index"}
    assert dataset[2].index == 6
    assert dataset[2].range == {}
    assert verify(tmp_path / "few") == []
    with pytest.raises(DatasetError, match="no field 'phase'"):
        dataset.read("phase")
    with pytest.raises(DatasetError, match="no offsets of 'range'"):
        dataset.offsets("range")


def test_repetitions_without_samples_or_readings_are_kept(tmp_path, repetitions):
    empty = toy_repetition(0)
    empty = dataclasses.replace(
        empty,
        sample={name: array[:0] for name, array in empty.sample.items()},
        range={name: array[:0] for name, array in empty.range.items()},
    )
    dataset = write_dataset(tmp_path / "empty", [empty], recipe={})
    assert dataset.read("landmarks").shape == (0, 17, 3)
    assert verify(tmp_path / "empty") == []


# The bytes and the digest


def test_equal_contents_have_equal_bytes_at_any_time(tmp_path, repetitions):
    files = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write_shard(tmp_path / name, 0, repetitions, recipe=RECIPE)
        files.append([(p.name, p.read_bytes()) for p in sorted((tmp_path / name).iterdir())])
        time.sleep(1.1 if name == "one" else 0)  # HDF5 keeps times in whole seconds
    assert files[0] == files[1]
    assert [name for name, _ in files[0]] == ["shard-00000.h5", "shard-00000.json"]


def test_the_digest_depends_on_values_and_recipe_alone(tmp_path, pristine, repetitions):
    accel = repetitions[9].sample["watch_accel"].copy()
    accel[-1, -1] = np.nextafter(np.float32(accel[-1, -1]), np.float32(100))
    changed = [*repetitions[:9], with_sample(repetitions[9], watch_accel=accel)]
    reordered = [
        dataclasses.replace(r, sample=dict(reversed(r.sample.items())), drawn=dict(reversed(r.drawn.items())))
        for r in repetitions
    ]
    digests = {
        name: write_dataset(tmp_path / name, reps, recipe=recipe, shard_repetitions=SHARD).digest
        for name, reps, recipe in [
            ("same", reordered, dict(reversed(RECIPE.items()))),
            ("other value", changed, RECIPE),
            ("other recipe", repetitions, RECIPE | {"seed": 1}),
        ]
    }
    assert digests["same"] == Dataset(pristine).digest
    assert len(set(digests.values())) == 3


def test_the_recipe_comes_back(pristine):
    dataset = Dataset(pristine)
    dataset.recipe["seed"] = "changed in a copy"
    assert dataset.recipe == RECIPE


# What is refused at the door

BAD_SAMPLES = {
    "unknown": ("heart_rate", lambda r: r.sample["range"], "not a known field"),
    "other group": ("range_reading", lambda r: r.sample["range"], "not a known field"),
    "nan": ("joint_angles", lambda r: np.where(r.sample["joint_angles"] > 2, np.nan, 0), "holds nan"),
    "infinity where nan is allowed": ("range", lambda r: r.sample["range"] / 0.0, "finite or NaN"),
    "too large for float32": ("phone_accel", lambda r: r.sample["phone_accel"] + 1e39, "e\\+39"),
    "too large for int8": ("phase", lambda r: r.sample["phase"] + 200, "expected a value that is finite"),
    "real for whole": ("phase", lambda r: r.sample["phase"] * 1.0, "float64"),
    "too short": ("phone_gyro", lambda r: r.sample["phone_gyro"][1:], "expected <f4"),
    "wrong shape": ("landmarks", lambda r: r.sample["landmarks"][:, :16], "expected <f4"),
}


@pytest.mark.filterwarnings("ignore:.* encountered in divide")
@pytest.mark.parametrize("case", BAD_SAMPLES)
def test_a_bad_sample_field_is_named_and_refused(tmp_path, repetitions, case):
    name, bad, message = BAD_SAMPLES[case]
    given = [with_sample(r, **{name: bad(r)}) for r in repetitions[:3]]
    with pytest.raises(DatasetError, match=message) as refused:
        write_shard(tmp_path, 0, given, recipe=RECIPE)
    assert name in str(refused.value)
    assert list(tmp_path.iterdir()) == []


def test_the_repetition_with_a_bad_value_is_named(tmp_path, repetitions):
    angles = repetitions[2].sample["joint_angles"].copy()
    angles[0, 0] = np.nan
    given = [*repetitions[:2], with_sample(repetitions[2], joint_angles=angles), *repetitions[3:]]
    with pytest.raises(DatasetError, match=r"sample/joint_angles of repetition 2 holds .*nan"):
        write_shard(tmp_path, 0, given, recipe=RECIPE)


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("nothing", [None, None], "cannot be stored"),
        ("a/b", [1, 2], "cannot be stored"),
        ("..", [1, 2], "cannot be stored"),
        ("long", ["x" * 33, "x"], "repetition 0 holds"),
        ("kind", [1, 0.5], "repetition 1 is float64"),
        ("text", ["a", 1], "repetition 1 is int64"),
        ("shape", [np.zeros(2), np.zeros(3)], "repetition 1 is"),
        ("nan", [0.0, np.nan], "repetition 1 holds"),
    ],
)
def test_a_bad_drawn_value_is_named_and_refused(tmp_path, repetitions, name, values, message):
    pairs = zip(repetitions[:2], values, strict=True)
    given = [dataclasses.replace(r, drawn={name: value}) for r, value in pairs]
    with pytest.raises(DatasetError, match=message) as refused:
        write_shard(tmp_path, 0, given, recipe=RECIPE)
    assert f"drawn/{name}" in str(refused.value)


@pytest.mark.parametrize(
    ("choose", "message"),
    [
        (lambda r: [], "no repetitions"),
        (lambda r: [r[1], r[0]], "repetition 0 follows repetition 1"),
        (lambda r: [r[0], dataclasses.replace(r[1], range={})], "range_reading"),
        (lambda r: [dataclasses.replace(r[0], range={"range_reading": np.zeros(3)})], "has no range/range_time"),
        (lambda r: [Repetition(index=0, sample={})], "has no sample/time"),
        (lambda r: [dataclasses.replace(r[0], repetition={"index": 5})], "not a known field"),
    ],
)
def test_repetitions_that_do_not_go_together_are_refused(tmp_path, repetitions, choose, message):
    with pytest.raises(DatasetError, match=message):
        write_shard(tmp_path, 0, choose(repetitions), recipe=RECIPE)


def test_a_recipe_that_json_cannot_hold_is_refused(tmp_path, repetitions):
    with pytest.raises(DatasetError, match="recipe cannot be kept"):
        write_shard(tmp_path, 0, repetitions, recipe={"seed": np.float64("nan")})


# Whole datasets at once


def test_a_failed_dataset_leaves_nothing(tmp_path, repetitions):
    def broken():
        yield from repetitions[:6]
        raise OSError("the recording cannot be read")

    with pytest.raises(OSError, match="the recording cannot be read"):
        write_dataset(tmp_path / "dataset", broken(), recipe={}, shard_repetitions=SHARD)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_use_is_refused(folder, repetitions):
    with pytest.raises(DatasetError, match="holds something already"):
        write_dataset(folder, repetitions, recipe=RECIPE)
    assert verify(folder) == []


def test_a_place_that_cannot_be_written_is_named(tmp_path, repetitions):
    (tmp_path / "file").write_text("")
    with pytest.raises(DatasetError, match="cannot be written"):
        write_dataset(tmp_path / "file" / "dataset", repetitions, recipe=RECIPE)


LIMITED = """
import resource, sys
from formats.freeze import frozen_repetitions
from toy import toy_repetition
from generators.store import write_dataset
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
write_dataset(sys.argv[1], map(toy_repetition, range(3)), recipe={})
"""


@pytest.mark.fault
@pytest.mark.parametrize("limit", [0, 20_000])
def test_a_file_that_does_not_fit_leaves_a_named_error(tmp_path, limit):
    command = [sys.executable, "-c", LIMITED, str(tmp_path / "dataset"), str(limit)]
    done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True)
    assert "DiskError" in done.stderr
    assert "bytes and did not fit" in done.stderr
    assert list(tmp_path.iterdir()) == []


# Reading in other processes


def test_reading_needs_no_simulator_and_no_learning_library():
    code = "import sys, generators.store; print({'mujoco', 'gymnasium', 'torch', 'joblib'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_dataset_with_open_files_can_be_pickled(pristine):
    dataset = Dataset(pristine)
    before = dataset.read("time")
    copy = pickle.loads(pickle.dumps(dataset))
    assert copy.digest == dataset.digest
    np.testing.assert_array_equal(copy.read("time"), before)


@pytest.mark.slow
def test_a_spawned_process_reads_a_dataset(pristine):
    dataset = Dataset(pristine)
    dataset.read("time")
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        np.testing.assert_array_equal(pool.apply(dataset.read, ("time",)), dataset.read("time"))


FORKED = """
import os, sys
from generators.store import Dataset
dataset = Dataset(sys.argv[1])
before = dataset.read("time").tobytes()
if (child := os.fork()) == 0:
    os._exit(0 if dataset.read("time").tobytes() == before else 1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert dataset.read("time").tobytes() == before
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_process_opens_the_files_anew(pristine):
    subprocess.run([sys.executable, "-c", FORKED, str(pristine)], check=True, timeout=30)


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_few_files_stay_open_and_closed_ones_open_again(folder, monkeypatch):
    monkeypatch.setattr("generators.store.dataset.OPEN_SHARDS", 1)
    dataset = Dataset(folder)
    first = dataset.read("time")
    links = [path.readlink() for path in Path("/proc/self/fd").iterdir() if path.is_symlink()]
    assert len([link for link in links if link.parent == dataset.folder]) == 1
    np.testing.assert_array_equal(dataset.read("time"), first)


def test_reading_is_not_slow(tmp_path):
    dataset = write_dataset(tmp_path / "d", (toy_repetition(i) for i in range(100)), recipe={}, shard_repetitions=25)
    start = time.perf_counter()
    for name in dataset.fields:
        dataset.read(name)
    assert time.perf_counter() - start < 1.0


# The guard: a file that agrees with its hashes and is still not ours


def forge(folder: Path, edit) -> None:
    """Edit the second shard, then make the sidecar and the manifest agree with it."""
    path = folder / "shard-00001.h5"
    with h5py.File(path, "r+") as file:
        edit(file)
    content = path.read_bytes()
    sidecar = Manifest.read(folder / "shard-00001.json")
    shard = dataclasses.replace(sidecar.shards[0], bytes=len(content), sha256=hashlib.sha256(content).hexdigest())
    dataclasses.replace(sidecar, shards=(shard,)).write(folder / "shard-00001.json")
    (folder / "manifest.json").unlink()
    write_manifest(folder)


def replaced(path: str, **changes):
    def edit(file):
        shape, dtype = file[path].shape, file[path].dtype
        del file[path]
        file.create_dataset(path, **({"shape": shape, "dtype": dtype} | changes))

    return edit


def soft_link(file):
    del file["sample/phase"]
    file["sample/phase"] = h5py.SoftLink("/sample/phase4")


def external_link(file):
    del file["sample/phase"]
    file["sample/phase"] = h5py.ExternalLink("shard-00000.h5", "/sample/phase")


def external_group(file):
    del file["range"]
    file["range"] = h5py.ExternalLink("shard-00000.h5", "/range")


def virtual(file):
    shape = file["sample/phase"].shape
    layout = h5py.VirtualLayout(shape, "i1")
    layout[:] = h5py.VirtualSource("shard-00000.h5", "sample/phase", shape=shape)
    del file["sample/phase"]
    file.create_virtual_dataset("sample/phase", layout)


def external_storage(file):
    replaced("sample/phase", external=[("/etc/passwd", 0, h5py.h5f.UNLIMITED)])(file)


def huge(file):
    del file["sample/phase"]
    file.create_dataset("sample/phase", shape=(10**12,), dtype="i1", chunks=(1000,))


def hidden_chunk(file):
    shape = file["sample/phase"].shape
    replaced("sample/phase", maxshape=(None,), chunks=(2**30,))(file)
    assert file["sample/phase"].shape == shape


FORGERIES = {
    "soft link": (soft_link, "SoftLink"),
    "external link": (external_link, "ExternalLink"),
    "external link to a group": (external_group, "ExternalLink"),
    "virtual dataset": (virtual, "other files"),
    "external storage": (external_storage, "other files"),
    "huge": (huge, "expected \\(dtype"),
    "values never written": (replaced("sample/phase", chunks=(5,)), "declares"),
    "chunk larger than the array": (hidden_chunk, "declares"),
    "compression": (replaced("sample/phase", compression="gzip"), "filters"),
    "other type": (replaced("sample/phase", dtype="f8"), "expected \\(dtype"),
    "objects": (replaced("sample/phase", dtype=h5py.string_dtype()), "expected \\(dtype"),
    "other shape": (replaced("sample/phase", shape=(3,)), "expected \\(dtype"),
    "unknown array": (lambda file: file.create_dataset("sample/extra", data=[1]), "sample/extra"),
    "missing array": (lambda file: file.__delitem__("sample/phase"), "sample/phase"),
    "array at the top": (lambda file: file.create_dataset("extra", data=[1]), "expected a Group"),
    "group in a group": (lambda file: file.create_group("sample/extra"), "expected a Dataset"),
    "cycle": (lambda file: file["sample"].__setitem__("up", file["/"]), "expected a Dataset"),
    "named type": (lambda file: file.__setitem__("sample/type", np.dtype("f8")), "expected a Dataset"),
    "attribute": (lambda file: file["sample/time"].attrs.__setitem__("note", "x"), "attribute note"),
    "attribute of a group": (lambda file: file["sample"].attrs.__setitem__("note", "x"), "attribute note"),
    "long attribute": (
        lambda file: file["sample/time"].attrs.__setitem__("unit", np.bytes_("s" * 60_000)),
        "60000 bytes",
    ),
    "array of attributes": (lambda file: file["sample/time"].attrs.__setitem__("unit", ["s"] * 9), "attribute unit"),
    "other recipe": (lambda file: file.attrs.__setitem__("recipe", np.bytes_("{}")), "recipe"),
    "long recipe": (lambda file: file.attrs.__setitem__("recipe", np.bytes_("x" * 60_000)), "60000 bytes"),
    "other format": (lambda file: file.attrs.__setitem__("format", np.bytes_("squat-sensor dataset 1")), "its format"),
    "no recipe": (lambda file: file.attrs.__delitem__("recipe"), "recipe"),
}


@pytest.mark.parametrize("case", FORGERIES)
def test_the_guard_refuses_what_it_does_not_know(folder, case):
    edit, message = FORGERIES[case]
    forge(folder, edit)
    dataset = Dataset(folder)
    dataset.read("phase", 0, SHARD)
    with pytest.raises(DatasetError, match=message) as refused:
        dataset.read("phase", SHARD)
    assert "shard-00001.h5 is refused" in str(refused.value)
    assert any("shard-00001.h5 is refused" in damage for damage in verify(folder))


def test_offsets_that_do_not_increase_are_refused(folder):
    forge(folder, lambda file: file["sample/offsets"].__setitem__(1, 10**6))
    with pytest.raises(DatasetError, match="sample/offsets"):
        Dataset(folder).read("phase")


def test_text_that_is_no_utf8_is_named(folder):
    forge(folder, lambda file: file["drawn/placement.watch.wrist"].__setitem__(0, b"\xff\xfe"))
    for read in (lambda dataset: dataset.read("placement.watch.wrist"), lambda dataset: dataset[SHARD]):
        with pytest.raises(DatasetError, match="expected UTF-8"):
            read(Dataset(folder))


@pytest.mark.parametrize("kind", ["fifo", "directory", "link to a device"])
def test_what_is_no_file_is_not_opened(folder, kind):
    for name in ("shard-00001.h5", "manifest.json"):
        path = folder / name
        path.unlink()
        {"fifo": os.mkfifo, "directory": Path.mkdir, "link to a device": lambda p: p.symlink_to("/dev/zero")}[kind](
            path
        )
        assert any(f"{name} is missing" in damage for damage in verify(folder))


@pytest.mark.parametrize("content", ["[]", "null", "1", '{"checksum": 1}', "[" * 100_000, '{"a": NaN, "checksum": ""}'])
@pytest.mark.parametrize("name", ["manifest.json", "plan.json", "shard-00001.json"])
def test_foreign_json_is_named(folder, name, content):
    (folder / name).write_text(content)
    assert any(f"{name} is damaged or foreign" in damage for damage in verify(folder))


@pytest.mark.parametrize("name", ["../../etc/passwd", "sample/heart_rate", "drawn/a/b", "drawn/"])
def test_a_manifest_with_unknown_fields_is_refused(folder, name):
    manifest = Manifest.read(folder / "manifest.json")
    fields = manifest.fields | {name: FIELDS["phase"]}
    dataclasses.replace(manifest, fields=fields).write(folder / "manifest.json")
    with pytest.raises(DatasetError, match=r"manifest\.json is damaged or foreign"):
        Dataset(folder)


# Damage


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


# Mountings


@pytest.fixture(scope="module")
def worn_twice(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("worn") / "dataset"
    write_dataset(folder, frozen_repetitions(), recipe=RECIPE, shard_repetitions=2)
    return folder


def test_a_field_is_read_as_a_mounting_has_it(worn_twice):
    dataset, given = Dataset(worn_twice), list(frozen_repetitions())
    assert dataset.mountings == 2
    for mounting in range(2):
        seen = [repetition.seen_by(mounting) for repetition in given]
        for name in ("watch_gyro", "landmarks", "time"):
            whole = np.concatenate([r.sample[name] for r in seen])
            np.testing.assert_array_equal(dataset.read(name, mounting=mounting), whole)
            np.testing.assert_array_equal(
                dataset.read(name, 1, 3, mounting=mounting), whole[len(seen[0].sample["time"]) :]
            )
        np.testing.assert_array_equal(
            dataset.read("range_reading", mounting=mounting), np.concatenate([r.range["range_reading"] for r in seen])
        )
        counts = [len(r.range["range_time"]) for r in seen]
        np.testing.assert_array_equal(dataset.offsets("range", mounting=mounting), np.cumsum([0, *counts]))
        assert list(dataset.read("drawn/watch.wrist", mounting=mounting)) == [["left"], ["right"]][mounting] * 3
        np.testing.assert_array_equal(dataset.read("n", mounting=mounting), [0, 1, 2])
    assert verify(worn_twice) == []


def test_a_mounting_that_is_none_is_refused(worn_twice, pristine):
    for folder, mounting in ((worn_twice, 2), (worn_twice, -1), (pristine, 1)):
        with pytest.raises(DatasetError, match="has no mounting"):
            Dataset(folder).read("watch_gyro", mounting=mounting)
    with pytest.raises(IndexError, match="mounting 2 of 2"):
        Dataset(worn_twice)[0].seen_by(2)


def test_a_mounting_holds_only_what_is_its_own(tmp_path):
    first, *_ = frozen_repetitions()
    worn = dataclasses.replace(first.also[0], sample={"phase": first.sample["phase"]})
    with pytest.raises(DatasetError, match="phase is no field of a mounting"):
        write_dataset(tmp_path / "d", [dataclasses.replace(first, also=(worn,))], recipe={})


def test_all_repetitions_have_as_many_mountings(tmp_path):
    first, second, _ = frozen_repetitions()
    with pytest.raises(DatasetError, match="differ in the number of mountings"):
        write_dataset(tmp_path / "d", [first, dataclasses.replace(second, also=())], recipe={})


@pytest.mark.parametrize(
    ("found", "made"),
    [('"sample.1/watch_gyro"', '"sample.01/watch_gyro"'), ('"sample.1/watch_gyro"', '"sample.1/phase"')],
    ids=["number", "shared"],
)
def test_a_sidecar_with_odd_mountings_is_refused(worn_twice, tmp_path, found, made):
    folder = Path(shutil.copytree(worn_twice, tmp_path / "d"))
    path = folder / "shard-00000.json"
    document = json.loads(path.read_text().replace(found, made))
    del document["checksum"]
    path.write_text(json.dumps(document | {"checksum": hash_of_json(document)}))
    assert any("shard-00000.json is damaged or foreign" in damage for damage in verify(folder))


# Formats


@pytest.mark.parametrize("name", ["manifest.json", "shard-00001.json"])
def test_a_newer_format_is_refused_by_name(folder, name):
    manifest = dataclasses.replace(Manifest.read(folder / name), format="squat-sensor dataset 9")
    manifest.write(folder / name)
    assert any("its format is 'squat-sensor dataset 9', expected one of" in damage for damage in verify(folder))


@pytest.mark.parametrize("number", [1, 2, 3])
def test_every_format_that_was_ever_written_opens(number):
    folder = Path(__file__).parent / "formats" / str(number)
    assert verify(folder) == []
    dataset = Dataset(folder)
    assert dataset.recipe["name"] == "frozen"
    assert [shard.repetitions for shard in dataset.shards] == [2, 1]
    for found, given in zip(dataset, frozen_repetitions(), strict=True):
        assert found.index == given.index
        assert found.repetition.items() <= given.repetition.items()
        assert len(found.also) == (number >= 3)
        for mounting in range(dataset.mountings):
            seen, written = found.seen_by(mounting), given.seen_by(mounting)
            names = {**written.sample, **written.range, **written.drawn}
            for name, array in {**seen.sample, **seen.range, **seen.drawn}.items():
                np.testing.assert_array_equal(array, names[name], err_msg=name)
