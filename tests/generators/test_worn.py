"""Repetitions that several mountings have recorded, in every format that was ever written."""

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from formats.freeze import frozen_repetitions
from toy import RECIPE

from generators.store import Dataset, DatasetError, verify, write_dataset
from generators.store.documents import hash_of_json


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
