"""Datasets that were made apart, joined."""

import shutil
from pathlib import Path

import pytest
from toy import ToyRecipe, make_toy, toy_repetition

from generators.engines import Sequential
from generators.merge import merge
from generators.produce import produce
from generators.shards import make_shard
from generators.store import Dataset, DatasetError, verify, write_dataset

RECIPE = ToyRecipe(repetitions=22)


def part(folder: Path, k: int, n: int, recipe: ToyRecipe = RECIPE) -> Dataset:
    return produce(recipe, folder, make=make_toy, engine=Sequential(), part=(k, n))


@pytest.fixture(scope="module")
def parts(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("parts")
    for k, n in ((1, 3), (2, 3), (3, 3), (1, 2), (1, 1)):
        part(folder / f"{k}-{n}", k, n)
    part(folder / "short", 1, 1, ToyRecipe(repetitions=10))
    part(folder / "other", 2, 3, ToyRecipe(repetitions=22, seed=1))
    return {path.name: path for path in folder.iterdir()}


@pytest.mark.parametrize("names", ["1-3 2-3 3-3", "3-3 1-3 2-3", "1-2 2-3 3-3", "1-1", "1-1 2-3"])
@pytest.mark.parametrize("copy", [True, False])
def test_parts_become_the_dataset_made_in_one_go(tmp_path, parts, names, copy):
    whole = merge([parts[name] for name in names.split()], tmp_path / "whole", copy=copy)
    assert whole.digest == Dataset(parts["1-1"]).digest
    assert verify(tmp_path / "whole") == []
    for path in (tmp_path / "whole").iterdir():
        assert path.name == "manifest.json" or path.read_bytes() == (parts["1-1"] / path.name).read_bytes()
    links = (tmp_path / "whole" / "shard-00000.h5").stat().st_nlink
    assert (links == 1) if copy else (links > 1)


def test_a_merged_dataset_can_be_gone_on_with(tmp_path, parts):
    merge([parts["1-3"], parts["2-3"]], tmp_path / "most")
    assert produce(RECIPE, tmp_path / "most", make=make_toy).digest == Dataset(parts["1-1"]).digest


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ("1-3 3-3", "none of the datasets holds the shards 2-3"),
        ("1-3 other", r"differ in \['seed'\], merge only parts of one"),
        ("short 1-1", r"shard 2 holds the repetitions 8-11 .* expected 8-9"),
        ("short 3-3", "none of the datasets holds the shards 3"),
    ],
)
def test_what_does_not_go_together_is_named(tmp_path, parts, names, message):
    with pytest.raises(DatasetError, match=message):
        merge([parts[name] for name in names.split()], tmp_path / "whole")
    assert list(tmp_path.iterdir()) == []


def test_a_partial_shard_among_others_is_refused(tmp_path, parts):
    part(tmp_path / "short", 1, 1, ToyRecipe(repetitions=14))
    with pytest.raises(DatasetError, match="shard 3 ends with repetition 13, expected 15 where others follow"):
        merge([tmp_path / "short", parts["3-3"]], tmp_path / "whole")


def damage(folder: Path) -> None:
    path = folder / "shard-00001.h5"
    path.write_bytes(path.read_bytes()[:-1] + b"?")


def make_stale(folder: Path) -> None:
    make_shard(RECIPE, folder, 1, make=lambda recipe, *ends: list(make_toy(ToyRecipe(seed=5), *ends)))


@pytest.mark.parametrize(
    ("hurt", "message"),
    [
        (damage, "sha256"),
        (make_stale, "is stale or newer"),
        (lambda folder: (folder / "shard-00001.json").unlink(), r"shard-00001\.json is missing"),
        (lambda folder: (folder / "manifest.json").unlink(), r"manifest\.json is missing"),
    ],
    ids=["damaged", "stale", "missing", "unfinished"],
)
def test_a_damaged_source_is_named(tmp_path, parts, hurt, message):
    source = Path(shutil.copytree(parts["1-2"], tmp_path / "source"))
    hurt(source)
    with pytest.raises(DatasetError, match=message):
        merge([source, parts["2-3"], parts["3-3"]], tmp_path / "whole")
    assert not (tmp_path / "whole").exists()


def test_a_folder_in_use_is_refused(parts):
    with pytest.raises(DatasetError, match="holds something already"):
        merge([parts["1-3"]], parts["2-3"])


def test_a_dataset_that_was_not_made_from_a_recipe_is_merged_without_a_plan(tmp_path):
    write_dataset(tmp_path / "a", map(toy_repetition, range(3)), recipe={}, shard_repetitions=2)
    assert len(merge([tmp_path / "a"], tmp_path / "b")) == 3
    assert not (tmp_path / "b" / "plan.json").exists()
