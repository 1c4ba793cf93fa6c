"""Datasets in other forms, read back with the tools that they are for."""

import numpy as np
import pytest
from formats.freeze import frozen_repetitions

from generators.export import TABLES, columns, export
from generators.store import Dataset, DatasetError, write_dataset


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Dataset:
    folder = tmp_path_factory.mktemp("export") / "dataset"
    return write_dataset(folder, frozen_repetitions(), recipe={"name": "frozen one"}, shard_repetitions=2)


def read_table(folder, name: str, form: str):
    from pyarrow import csv, parquet

    return parquet.read_table(folder / f"{name}.parquet") if form == "parquet" else csv.read_csv(folder / f"{name}.csv")


@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_tables_hold_every_value(tmp_path, dataset, form):
    folder = export(dataset, tmp_path / "out", form)
    for table, group in (("samples", "sample"), ("readings", "range"), ("repetitions", None)):
        found = read_table(folder, table, form)
        for mounting in range(dataset.mountings):
            rows = found["mounting"].to_numpy() == mounting
            index = dataset.read("index")
            if group:
                index = np.repeat(index, np.diff(dataset.offsets(group, mounting=mounting)))
            np.testing.assert_array_equal(found["index"].to_numpy()[rows], index)
            for column, (name, place) in columns(dataset.fields, table).items():
                expected = dataset.read(name, mounting=mounting)[(slice(None), *place)]
                values = found[column].to_numpy()[rows]
                if expected.dtype.kind == "f":
                    values = values.astype(expected.dtype)
                np.testing.assert_array_equal(values, expected, err_msg=column)


def test_nothing_is_left_out_of_the_tables(dataset):
    told = {name for table in TABLES for name, _ in columns(dataset.fields, table).values()}
    assert told == dataset.fields.keys() - {"index"}


def test_minari_finds_every_episode(tmp_path, dataset):
    minari = pytest.importorskip("minari")
    folder = export(dataset, tmp_path / "out", "minari")
    found = minari.MinariDataset(folder)
    assert found.spec.dataset_id == "squat-sensor/frozen-one-v0"
    assert found.total_episodes == len(dataset) * dataset.mountings
    given = [repetition.seen_by(k) for repetition in dataset for k in range(dataset.mountings)]
    for episode, repetition in zip(found.iterate_episodes(), given, strict=True):
        assert len(episode.rewards) == len(repetition.sample["time"]) - 1
        assert episode.terminations.tolist() == [False] * (len(episode.rewards) - 1) + [True]
        for name, values in repetition.sample.items():
            np.testing.assert_array_equal(episode.observations[name], values, err_msg=name)
        for name, values in repetition.range.items():
            np.testing.assert_array_equal(episode.infos[name], values, err_msg=name)
    told = next(iter(found.storage.get_episode_metadata([1])))["options"]
    assert (told["exercise"], told["mounting"], told["body.height_m"]) == ("squat", 1, 1.5)


def test_a_form_that_is_none_and_a_folder_that_is_full_are_refused(tmp_path, dataset):
    with pytest.raises(DatasetError, match="expected one of parquet, csv, minari"):
        export(dataset, tmp_path / "out", "xml")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    with pytest.raises(DatasetError, match="holds something already"):
        export(dataset, tmp_path / "full", "csv")
    assert {path.name for path in tmp_path.iterdir()} == {"full"}


def test_a_missing_package_is_named(tmp_path, dataset, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(DatasetError, match=r"pyarrow is not installed.*squat-sensor\[export\]"):
        export(dataset, tmp_path / "out", "parquet")
    assert list(tmp_path.iterdir()) == []
