"""What is written is what is read, and what is refused."""

import dataclasses
import multiprocessing
import os
import pickle
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from toy import RECIPE, SHARD, toy_repetition

from generators.store import FIELDS, Dataset, DatasetError, Repetition, verify, write_dataset, write_shard


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
