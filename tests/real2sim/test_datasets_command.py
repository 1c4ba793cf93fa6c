"""`squat generate, verify, repair, merge, info` on a few simulated repetitions."""

import json
import shutil
from pathlib import Path

import pytest

from generators import export, recipe
from generators.recipe import Recipe
from generators.store import Dataset
from real2sim import cli
from real2sim.cli.datasets import PRESETS
from real2sim.cli.describing import FORMS
from squat_env.faults import FaultRanges

SMALL = ("--reps", "3", "--reps-a-shard", "1", "--backend", "sequential", "--quiet")


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("datasets") / "whole"
    assert cli.main(["generate", *SMALL, "--out", str(folder)]) == 0
    return folder


def test_parts_are_made_apart_and_merged(tmp_path, whole):
    for k in ("1", "2"):
        assert cli.main(["generate", *SMALL, "--part", f"{k}/2", "--out", str(tmp_path / k)]) == 0
    assert cli.main(["merge", str(tmp_path / "2"), str(tmp_path / "1"), "--out", str(tmp_path / "all")]) == 0
    assert Dataset(tmp_path / "all").digest == Dataset(whole).digest


def test_damage_is_named_and_repaired(tmp_path, whole, capsys):
    folder = Path(shutil.copytree(whole, tmp_path / "d"))
    assert cli.main(["verify", str(folder)]) == 0
    (folder / "shard-00001.h5").unlink()
    capsys.readouterr()
    assert cli.main(["verify", str(folder)]) == 2
    said = capsys.readouterr()
    assert "shard-00001.h5 is missing" in said.out
    assert "`squat repair` makes them again" in said.err
    assert cli.main(["repair", str(folder), "--quiet", "--jobs", "1"]) == 0
    assert Dataset(folder).digest == Dataset(whole).digest
    assert cli.main(["verify", str(folder)]) == 0


def test_more_repetitions_extend_and_resume_starts_nothing(tmp_path, whole, capsys):
    folder = tmp_path / "d"
    assert cli.main(["generate", *SMALL, "--resume", "--out", str(folder)]) == 2
    assert "expected a dataset to resume" in capsys.readouterr().err
    assert cli.main(["generate", *SMALL, "--reps", "2", "--out", str(folder)]) == 0
    assert cli.main(["generate", *SMALL, "--resume", "--out", str(folder)]) == 0
    assert Dataset(folder).digest == Dataset(whole).digest


def test_info_is_json_when_asked(whole, capsys):
    assert cli.main(["info", str(whole), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["repetitions"], facts["digest"]) == (3, Dataset(whole).digest)


def test_options_stand_in_place_of_the_preset(tmp_path):
    options = [*SMALL, "--preset", "posture", "--exercise", "squat=2, lunge", "--faults", "shallow,knee_valgus"]
    assert (
        cli.main(
            ["generate", *options, "--rate", "40", "--seed", "8", "--mountings", "2", "--out", str(tmp_path / "d")]
        )
        == 0
    )
    dataset = Dataset(tmp_path / "d")
    made = Recipe.from_dict(dataset.recipe | {"repetitions": 3})
    assert (made.exercises, made.rate_hz, made.seed) == ((("squat", 2.0), ("lunge", 1.0)), 40.0, 8)
    assert made.faults == FaultRanges(names=("shallow", "knee_valgus"))
    assert dataset.mountings == 2
    assert set(dataset.read("exercise")) <= {"squat", "lunge"}


def test_a_recipe_comes_back_from_what_info_tells(tmp_path, whole, capsys):
    assert cli.main(["info", str(whole), "--json"]) == 0
    (tmp_path / "recipe.json").write_text(capsys.readouterr().out)
    again = ["generate", "--recipe", str(tmp_path / "recipe.json"), "--backend", "sequential", "--quiet"]
    assert cli.main([*again, "--reps", "3", "--out", str(tmp_path / "d")]) == 0
    assert Dataset(tmp_path / "d").digest == Dataset(whole).digest


@pytest.mark.parametrize("text", ["{", "[]", '{"weather": 1}', '{"repetitions": "many"}', '{"faults": {"correct": 7}}'])
def test_a_file_that_is_no_recipe_is_refused(tmp_path, capsys, text):
    (tmp_path / "recipe.json").write_text(text)
    assert cli.main(["generate", "--recipe", str(tmp_path / "recipe.json"), "--out", str(tmp_path / "d")]) == 2
    assert "recipe.json cannot be made" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("wrong", "said"),
    [(["--exercise", "burpee"], "burpee"), (["--faults", "lazy"], "lazy"), (["--reps-a-set", "7"], "multiple")],
    ids=["exercise", "fault", "set"],
)
def test_a_recipe_that_cannot_be_is_refused(tmp_path, capsys, wrong, said):
    assert cli.main(["generate", *wrong, "--out", str(tmp_path / "d")]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "d").exists()


def test_the_command_knows_every_preset_and_form():
    assert sorted(PRESETS) == sorted(recipe.PRESETS)
    assert sorted(FORMS) == sorted(export.FORMS)


def test_info_tells_counts_shares_and_fields(whole, tmp_path, capsys):
    assert cli.main(["info", str(whole), "--plots", str(tmp_path / "page.png")]) == 0
    said = capsys.readouterr().out
    for told in ("repetitions  3", "exercise         squat 100.0 %", "height [m]", "watch_accel", "recipe.seed"):
        assert told in said, told
    assert (tmp_path / "page.png").stat().st_size > 10_000
    assert cli.main(["info", str(whole), "--plots", str(tmp_path / "page.doc")]) == 2


def test_every_command_that_makes_a_dataset_writes_its_card(whole):
    card = (whole / "README.md").read_text()
    assert Dataset(whole).digest in card
    assert '"exercises"' in card
    assert (whole / "README.png").exists()


def test_a_dataset_is_exported(whole, tmp_path, capsys):
    assert cli.main(["export", str(whole), "--to", "csv", "--out", str(tmp_path / "csv")]) == 0
    with open(tmp_path / "csv" / "samples.csv") as file:
        assert sum(1 for _ in file) == 1 + len(Dataset(whole).read("time"))
    assert cli.main(["export", str(whole), "--to", "csv", "--out", str(tmp_path / "csv")]) == 2
    assert "holds something already" in capsys.readouterr().err


@pytest.mark.parametrize("wrong", ["0/2", "3/2", "1", "a/b"])
def test_a_part_that_is_none_is_refused(tmp_path, wrong):
    with pytest.raises(SystemExit):
        cli.main(["generate", *SMALL, "--part", wrong, "--out", str(tmp_path / "d")])


@pytest.mark.parametrize("wrong", [["--backend", "dask"], ["--scheduler", "tcp://127.0.0.1:1"]])
def test_dask_and_its_scheduler_go_together(tmp_path, wrong, capsys):
    assert cli.main(["generate", *SMALL[:4], *wrong, "--out", str(tmp_path / "d")]) == 2
    assert "give both or neither" in capsys.readouterr().err
    assert not (tmp_path / "d").exists()
