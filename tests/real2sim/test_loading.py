"""Windows for PyTorch: the same as those in memory, each once, in any number of processes."""

import pickle
from collections import Counter

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from generators.store import Dataset, DatasetError, Repetition, Worn, write_dataset
from real2sim.loading import WindowDataset
from real2sim.sequences import from_dataset
from real2sim.windows import cut, statistics_of

GROUPS = ("watch", "range")
LENGTHS = (70, 23, 41, 90, 12, 55)  # samples of the repetitions; three a set


def streams(rng: np.random.Generator, length: int) -> dict[str, np.ndarray]:
    values = {"watch_accel": rng.normal(size=(length, 3)), "watch_gyro": rng.normal(size=(length, 3))}
    values["range"] = np.where(rng.random(length) < 0.1, np.nan, rng.random(length))
    return values


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Dataset:
    rng = np.random.default_rng(0)
    repetitions = [
        Repetition(
            index=index,
            sample={
                "time": np.arange(length) / 20.0,
                "phase": rng.integers(0, 2, length),
                "activity": np.full(length, index),
                **streams(rng, length),
            },
            repetition={"set": index // 3, "repetition": index % 3, "subject": index // 3},
            also=(Worn(sample=streams(rng, length)), Worn(sample=streams(rng, length))),
        )
        for index, length in enumerate(LENGTHS)
    ]
    folder = tmp_path_factory.mktemp("loading") / "dataset"
    return write_dataset(folder, repetitions, recipe={"rate_hz": 20.0}, shard_repetitions=2)


@pytest.mark.parametrize("repetitions", [None, [0, 1, 3, 5]], ids=["all", "some"])
@pytest.mark.parametrize("mounting", [0, 2])
def test_windows_are_those_in_memory(dataset, mounting, repetitions):
    sequences = from_dataset(dataset, GROUPS, repetitions=repetitions, mounting=mounting)
    statistics = statistics_of(sequences)
    expected = cut(sequences, statistics, window=30, stride=12)
    lazy = WindowDataset(
        dataset, GROUPS, window=30, stride=12, statistics=statistics, repetitions=repetitions, mountings=[mounting]
    )
    assert len(lazy) == len(expected)
    for number, item in enumerate(map(lazy.__getitem__, range(len(lazy)))):
        np.testing.assert_allclose(item["values"], expected.values[number], atol=1e-6)
        np.testing.assert_array_equal(item["present"], expected.present[number])
        np.testing.assert_array_equal(item["phase"], expected.phase[number])
        assert item["mounting"] == mounting
        begins = sequences[expected.sequence[number]].repetition[expected.start[number]]
        assert item["repetition"] == begins


def test_mountings_follow_one_another_or_come_together(dataset):
    apart, together = WindowDataset(dataset, GROUPS), WindowDataset(dataset, GROUPS, together=True, mountings=[2, 0])
    assert len(apart) == 3 * len(together)
    stacked = together[4]
    assert stacked["values"].shape == (2, 40, 7)
    assert stacked["mounting"].tolist() == [2, 0]
    for row, mounting in enumerate((2, 0)):
        assert torch.equal(stacked["values"][row], apart[3 * 4 + mounting]["values"])
    assert not torch.equal(stacked["values"][0], stacked["values"][1])


def test_a_window_may_span_repetitions_of_a_set_but_not_two_sets(dataset):
    seen = {tuple(item["activity"].unique().tolist()) for item in WindowDataset(dataset, GROUPS, labels=["activity"])}
    assert (0, 1) in seen
    assert not any({2, 3} <= set(numbers) for numbers in seen)


@pytest.mark.slow
@pytest.mark.fault
@pytest.mark.parametrize(("workers", "start"), [(0, None), (2, "fork"), (2, "spawn")])
def test_every_window_comes_once(dataset, workers, start):
    windows = WindowDataset(dataset, GROUPS, stride=7)
    windows[0]  # files are open when the workers start
    how = {"num_workers": workers, "multiprocessing_context": start, "persistent_workers": workers > 0}
    loader = DataLoader(windows, batch_size=8, shuffle=True, **how)
    for _ in range(2):
        found, total = Counter(), 0.0
        for batch in loader:
            keys = zip(*(batch[name].tolist() for name in ("repetition", "start", "mounting")), strict=True)
            found.update(keys)
            total += float(batch["values"].double().sum())
        assert len(found) == len(windows)
        assert set(found.values()) == {1}
        assert total == pytest.approx(sum(float(item["values"].double().sum()) for item in windows))


def test_it_can_be_pickled_with_open_files(dataset):
    windows = WindowDataset(dataset, GROUPS)
    assert torch.equal(pickle.loads(pickle.dumps(windows))[3]["values"], windows[3]["values"])


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"mountings": [3]}, DatasetError),
        ({"mountings": []}, DatasetError),
        ({"labels": ["landmarks"]}, DatasetError),
        ({"labels": ["watch_accel"]}, DatasetError),
        ({"stride": 41}, ValueError),
        ({"repetitions": [6]}, ValueError),
    ],
    ids=lambda wrong: str(wrong),
)
def test_what_is_not_there_is_refused(dataset, wrong, error):
    with pytest.raises(error, match="expected"):
        WindowDataset(dataset, GROUPS, **wrong)


def test_the_end_is_the_end(dataset):
    windows = WindowDataset(dataset, GROUPS)
    assert torch.equal(windows[-1]["values"], windows[len(windows) - 1]["values"])
    with pytest.raises(IndexError):
        windows[len(windows)]
