"""What is told of a dataset: counts, shares, the card and its pictures."""

import io

import numpy as np
import pytest
from formats.freeze import frozen_repetitions
from PIL import Image
from toy import toy_repetition

from generators.card import draw, draw_each, write_card, write_pictures
from generators.store import Dataset, verify, write_dataset
from generators.summary import summarise


@pytest.fixture
def dataset(tmp_path) -> Dataset:
    return write_dataset(
        tmp_path / "dataset", frozen_repetitions(), recipe={"name": "frozen", "rate_hz": 20.0}, shard_repetitions=2
    )


def test_a_summary_counts_what_is_there(dataset):
    summary = summarise(dataset)
    assert (summary.repetitions, summary.samples, summary.mountings, summary.read) == (3, 12, 2, 3)
    assert summary.seconds == 12 / 20
    assert summary.shares["exercise"] == {"squat": 1.0}
    assert summary.shares["correct"] == pytest.approx({"0": 1 / 3, "1": 2 / 3})
    assert summary.missing["range"] == pytest.approx(6 / 24)
    np.testing.assert_allclose(summary.quantities["height [m]"], [1.5, 2.5, 3.5])
    np.testing.assert_allclose(summary.quantities["duration of a repetition [s]"], np.array([3, 4, 5]) / 20)
    expected = np.concatenate([dataset.read("range_ideal", mounting=k) for k in range(2)])
    np.testing.assert_array_equal(summary.quantities["true range [m]"], expected)


def test_a_summary_may_read_some_shards_and_counts_all(tmp_path):
    whole = write_dataset(tmp_path / "d", map(toy_repetition, range(12)), recipe={"rate_hz": 20.0}, shard_repetitions=2)
    summary = summarise(whole, shards=3)
    assert (summary.repetitions, summary.read) == (12, 6)
    assert sum(summary.shares["phase"].values()) == pytest.approx(1.0)


def test_the_card_says_what_one_needs_and_harms_nothing(dataset):
    before = dataset.digest
    write_card(dataset)
    text = (dataset.folder / "README.md").read_text()
    for told in (dataset.digest, "squat-sensor dataset 3", '"name": "frozen"', "license: mit", '"numpy"', "README.png"):
        assert told in text, told
    with Image.open(dataset.folder / "README.png") as picture:
        assert picture.size[0] > 800
    assert verify(dataset.folder) == []
    assert Dataset(dataset.folder).digest == before
    assert not list(dataset.folder.glob("*.tmp-*"))


def test_pictures_show_the_values(dataset):
    summary = summarise(dataset)
    pictures = draw_each(summary)
    assert {"correct", "height [m]", "true range [m]"} <= pictures.keys()
    assert "exercise" not in pictures  # one value alone
    for title, picture in pictures.items():
        shades = np.asarray(Image.open(io.BytesIO(picture)).convert("RGB")).reshape(-1, 3)
        blue = (shades == [0x3B, 0x6E, 0xA5]).all(axis=1)
        assert blue.mean() > 0.005, title


def test_plots_are_one_page_or_a_folder(dataset, tmp_path):
    summary = summarise(dataset)
    assert draw(summary, format="svg").startswith(b"<?xml")
    assert write_pictures(summary, tmp_path / "page.pdf") == [tmp_path / "page.pdf"]
    written = write_pictures(summary, tmp_path / "plots")
    assert tmp_path / "plots" / "true_range.png" in written
    assert {path.name for path in (tmp_path / "plots").iterdir()} == {path.name for path in written}
