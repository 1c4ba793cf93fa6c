"""Datasets of the toy's repetitions, sound ones and one to damage."""

import shutil
from pathlib import Path

import pytest
from toy import RECIPE, SHARD, toy_repetition

from generators.store import Repetition, write_dataset


@pytest.fixture(scope="session")
def repetitions() -> list[Repetition]:
    return [toy_repetition(index) for index in range(10)]


@pytest.fixture(scope="session")
def pristine(tmp_path_factory, repetitions) -> Path:
    folder = tmp_path_factory.mktemp("pristine") / "dataset"
    write_dataset(folder, repetitions, recipe=RECIPE, shard_repetitions=SHARD)
    return folder


@pytest.fixture
def folder(pristine, tmp_path) -> Path:
    """A dataset of three shards that a test may damage."""
    return Path(shutil.copytree(pristine, tmp_path / "dataset"))
