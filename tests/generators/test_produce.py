import dataclasses
import os
import pty
import subprocess
import sys
import termios
from pathlib import Path

import pytest
from toy import (
    ToyRecipe,
    make_toy,
    make_with_error,
    make_with_infinity,
)

from generators.engines import Engine, Loky, Sequential
from generators.ownership import locked
from generators.produce import produce, repair
from generators.shards import make_shard, missing_shards, plan_of
from generators.store import Dataset, DatasetError, Manifest, Plan, verify

RECIPE = ToyRecipe()
PLAN = plan_of(RECIPE)
HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def digest(tmp_path_factory) -> str:
    """Of the dataset that one process makes undisturbed."""
    return produce(RECIPE, tmp_path_factory.mktemp("undisturbed"), make=make_toy, engine=Sequential()).digest


def assert_complete(folder: Path, digest: str) -> None:
    assert verify(folder) == []
    assert Dataset(folder).digest == digest
    shards = [f"shard-0000{k}.{ending}" for k in range(3) for ending in ("h5", "json")]
    assert sorted(path.name for path in folder.iterdir()) == ["manifest.json", "plan.json", *shards]


@pytest.mark.parametrize("engine", [Sequential(), Loky(jobs=1), Loky(jobs=2), Loky(jobs=4)], ids=str)
def test_the_result_does_not_depend_on_where_it_is_made(tmp_path, digest, engine: Engine):
    dataset = produce(RECIPE, tmp_path / "new" / "dataset", make=make_toy, engine=engine)
    assert len(dataset) == RECIPE.repetitions
    assert dataset.recipe == {"shard_repetitions": 4, "seed": 0}
    assert_complete(tmp_path / "new" / "dataset", digest)


def test_workers_and_this_process_write_the_same_bytes(tmp_path):
    for engine in (Sequential(), Loky(jobs=2)):
        produce(RECIPE, tmp_path / type(engine).__name__, make=make_toy, engine=engine)
    for path in (tmp_path / "Sequential").iterdir():
        assert path.read_bytes() == (tmp_path / "Loky" / path.name).read_bytes(), path.name


def test_the_last_shard_holds_the_rest(tmp_path):
    dataset = produce(ToyRecipe(repetitions=10), tmp_path, make=make_toy, jobs=1)
    assert [shard.repetitions for shard in dataset.shards] == [4, 4, 2]
    assert dataset.read("index").tolist() == list(range(10))


def test_local_functions_can_be_made_in_workers(tmp_path, digest):
    produce(RECIPE, tmp_path, make=lambda recipe, start, stop: list(make_toy(recipe, start, stop)), jobs=2)
    assert_complete(tmp_path, digest)


def test_shards_made_one_by_one_need_only_the_manifest(tmp_path, digest):
    """As the jobs of a cluster do, in any order."""
    for number in (2, 0, 1):
        make_shard(RECIPE, tmp_path, number, make=make_toy)
    assert missing_shards(PLAN, tmp_path) == []
    produce(RECIPE, tmp_path, make=make_with_error, jobs=1)
    assert_complete(tmp_path, digest)


# Running again


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("shard-00001.h5", Path.unlink),
        ("shard-00001.json", Path.unlink),
        ("shard-00001.h5", flip),
        ("shard-00001.json", flip),
        ("manifest.json", flip),
        ("manifest.json", Path.unlink),
        ("plan.json", flip),
        ("plan.json", Path.unlink),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_only_what_is_damaged_is_made_again(tmp_path, digest, name, damage, jobs):
    produce(RECIPE, tmp_path, make=make_toy, jobs=1)
    before = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("shard*.h5")}
    damage(tmp_path / name)
    made_again = missing_shards(PLAN, tmp_path)
    produce(RECIPE, tmp_path, make=make_toy, jobs=jobs)
    assert_complete(tmp_path, digest)
    changed = [n for n, made in before.items() if (tmp_path / n).stat().st_mtime_ns != made]
    assert made_again == ([1] if name.startswith("shard") else [])
    assert changed == ["shard-00001.h5" for _ in made_again]


def test_left_overs_of_killed_writers_are_swept_away(tmp_path, digest):
    (tmp_path / f"shard-00000.h5.tmp-1-{'a' * 32}").write_bytes(b"half")
    (tmp_path / "produce.lock").write_text("process 1 on a machine that lost its power")
    produce(RECIPE, tmp_path, make=make_toy, jobs=1)
    assert_complete(tmp_path, digest)


def test_the_manifest_is_absent_while_shards_are_missing(tmp_path):
    produce(RECIPE, tmp_path, make=make_toy, jobs=1)
    (tmp_path / "shard-00001.h5").unlink()
    with pytest.raises(DatasetError, match=r"shard 1 \(repetitions 4-7\): RepetitionError: repetition 4 in shard 1"):
        produce(dataclasses.replace(RECIPE, fault_index=4), tmp_path, make=make_with_error, jobs=1)
    assert not (tmp_path / "manifest.json").exists()


# What is refused


@pytest.mark.parametrize("with_manifest", [True, False])
def test_another_recipe_is_refused_by_what_differs(tmp_path, digest, with_manifest):
    produce(RECIPE, tmp_path, make=make_toy, jobs=1)
    if not with_manifest:
        (tmp_path / "manifest.json").unlink()
    with pytest.raises(DatasetError, match=r"another recipe, expected the same values of \['seed'\]"):
        produce(ToyRecipe(seed=1), tmp_path, make=make_toy, jobs=1)
    produce(RECIPE, tmp_path, make=make_toy, jobs=1)
    assert_complete(tmp_path, digest)


def test_shards_beyond_the_recipe_are_refused(tmp_path):
    (tmp_path / "shard-00003.h5").write_bytes(b"")
    with pytest.raises(DatasetError, match="holds the shards 3, expected 0-2 alone"):
        produce(RECIPE, tmp_path, make=make_toy, jobs=1)


def test_a_folder_that_cannot_be_written_is_named_before_any_work(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DatasetError, match="cannot be written"):
        produce(dataclasses.replace(RECIPE, fault_index=0), tmp_path / "file" / "d", make=make_with_error, jobs=1)


def test_a_second_writer_is_refused(tmp_path, digest):
    with locked(tmp_path), pytest.raises(DatasetError, match=f"written by process {os.getpid()} on"):
        produce(RECIPE, tmp_path, make=make_toy, jobs=1)
    produce(RECIPE, tmp_path, make=make_toy, jobs=1)
    assert_complete(tmp_path, digest)


def test_no_jobs_are_refused(tmp_path):
    with pytest.raises(ValueError, match="jobs is 0"):
        produce(RECIPE, tmp_path, make=make_toy, jobs=0)


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (make_with_error, r"repetition 9 in shard 2 cannot be made \(ArithmeticError: the body fell over\)"),
        (make_with_infinity, r"sample/watch_gyro of repetition 9 holds inf"),
    ],
)
def test_a_repetition_that_cannot_be_made_is_named_and_the_rest_is_kept(tmp_path, digest, make, message, jobs):
    with pytest.raises(DatasetError, match=message):
        produce(dataclasses.replace(RECIPE, fault_index=9), tmp_path, make=make, jobs=jobs)
    assert missing_shards(PLAN, tmp_path) == [2]
    assert not list(tmp_path.glob("*.tmp-*"))
    assert any("shard-00002.try-3.txt tells why" in damage for damage in verify(tmp_path))
    produce(RECIPE, tmp_path, make=make_toy, jobs=jobs)
    assert_complete(tmp_path, digest)


def test_other_indices_than_asked_for_are_refused(tmp_path):
    message = r"the first 3 shards all failed .* was given the repetitions \[1, 2, 3, 4\], expected range\(0, 4\)"
    with pytest.raises(DatasetError, match=message):
        produce(RECIPE, tmp_path, make=lambda r, start, stop: make_toy(r, start + 1, stop + 1), jobs=1)


def test_a_recipe_that_never_works_stops_at_once(tmp_path):
    made = []

    def make(recipe, start, stop):
        made.append(start)
        raise ArithmeticError("no body fits")

    with pytest.raises(DatasetError, match=r"the first 3 shards all failed .* no body fits"):
        produce(ToyRecipe(repetitions=400), tmp_path, make=make, engine=Sequential())
    assert made == [0, 4, 8]


def test_a_folder_of_an_old_format_is_not_gone_on_with(tmp_path):
    make_shard(RECIPE, tmp_path, 0, make=make_toy)
    sidecar = Manifest.read(tmp_path / "shard-00000.json")
    dataclasses.replace(sidecar, format="squat-sensor dataset 1").write(tmp_path / "shard-00000.json")
    with pytest.raises(DatasetError, match="can be read but not gone on with"):
        produce(RECIPE, tmp_path, make=make_toy)


# More repetitions, and parts


@pytest.mark.parametrize("first", [1, 6, 8])
def test_a_dataset_is_extended_by_what_it_lacks(tmp_path, digest, first):
    short = produce(ToyRecipe(repetitions=first), tmp_path, make=make_toy, engine=Sequential())
    assert len(short) == first
    before = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("shard*.h5")}
    produce(RECIPE, tmp_path, make=make_toy, engine=Sequential())
    assert_complete(tmp_path, digest)
    same = [name for name, made in before.items() if (tmp_path / name).stat().st_mtime_ns == made]
    assert same == [f"shard-{k:05d}.h5" for k in range(first // 4)]


def test_a_dataset_is_not_shortened(tmp_path, digest):
    produce(RECIPE, tmp_path, make=make_toy, engine=Sequential())
    with pytest.raises(DatasetError, match="shards 0-2 of 12 repetitions, expected no others than 0-1 of 7"):
        produce(ToyRecipe(repetitions=7), tmp_path, make=make_toy, engine=Sequential())
    assert_complete(tmp_path, digest)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_parts_of_a_plan_are_all_of_it(count):
    parts = [plan_of(ToyRecipe(repetitions=10), part=(k, count)).shards for k in range(1, count + 1)]
    assert [number for part in parts for number in part] == [0, 1, 2]


def test_more_parts_than_shards_are_refused():
    with pytest.raises(DatasetError, match="part 1 of 4 cannot be made, expected a part of at most 3"):
        plan_of(RECIPE, part=(1, 4))


def test_a_later_part_is_a_dataset_of_its_own(tmp_path):
    part = produce(RECIPE, tmp_path, make=make_toy, engine=Sequential(), part=(2, 2))
    assert part.read("index").tolist() == [*range(4, 12)]
    assert verify(tmp_path) == []


# Repair


def mend(folder: Path) -> Dataset:
    return repair(folder, recipe_of=lambda values: ToyRecipe(**values), make=make_toy, progress=False)


@pytest.mark.parametrize("part", [(1, 1), (2, 2)])
@pytest.mark.parametrize("lost", ["plan.json", "manifest.json", "shard-00001.h5", "shard-00002.json"])
def test_repair_needs_only_the_folder(tmp_path, lost, part):
    made = produce(RECIPE, tmp_path, make=make_toy, engine=Sequential(), part=part)
    (tmp_path / lost).unlink()
    (tmp_path / "shard-00002.h5").write_bytes(b"")
    assert mend(tmp_path).digest == made.digest
    assert verify(tmp_path) == []


def test_repair_finishes_what_was_interrupted(tmp_path, digest):
    plan_of(RECIPE).write(tmp_path)
    mend(tmp_path)
    assert_complete(tmp_path, digest)


def test_repair_replaces_a_sound_shard_that_the_manifest_does_not_list(tmp_path, digest):
    produce(RECIPE, tmp_path, make=make_toy, engine=Sequential())
    make_shard(RECIPE, tmp_path, 1, make=lambda recipe, *ends: list(make_toy(ToyRecipe(seed=5), *ends)))
    assert any("shard-00001.h5 is stale" in damage for damage in verify(tmp_path))
    mend(tmp_path)
    assert_complete(tmp_path, digest)


def test_repair_tells_when_this_machine_makes_other_contents(tmp_path):
    produce(RECIPE, tmp_path, make=make_toy, engine=Sequential())
    (tmp_path / "shard-00001.h5").unlink()

    def otherwise(recipe, start, stop):
        return list(make_toy(ToyRecipe(seed=5), start, stop))

    with pytest.raises(DatasetError, match=r"shards 1 in .* were made again with other contents"):
        repair(tmp_path, recipe_of=lambda values: ToyRecipe(**values), make=otherwise)
    assert verify(tmp_path) == []


@pytest.mark.parametrize(
    ("recipe_of", "message"),
    [(lambda values: {}["x"], "KeyError"), (lambda values: ToyRecipe(**values, more=1), "not known here")],
    ids=["defect", "unknown"],
)
def test_repair_of_a_foreign_recipe_is_refused(tmp_path, recipe_of, message):
    produce(RECIPE, tmp_path, make=make_toy, engine=Sequential())
    with pytest.raises((DatasetError, KeyError)) as refused:
        repair(tmp_path, recipe_of=recipe_of, make=make_toy)
    assert message in repr(refused.value)


def test_repair_without_a_plan_says_what_is_missing(tmp_path):
    make_shard(RECIPE, tmp_path, 0, make=make_toy)
    with pytest.raises(DatasetError, match=r"plan\.json is missing"):
        mend(tmp_path)
    with pytest.raises(DatasetError, match=r"plan\.json is missing"):
        Plan.of_folder(tmp_path)


# The bar

SCRIPT = """
import sys
from toy import ToyRecipe, make_toy
from generators.produce import produce
recipe = ToyRecipe(repetitions=int(sys.argv[2]), pause_s=float(sys.argv[3]))
produce(recipe, sys.argv[1], make=make_toy, jobs=int(sys.argv[4]), progress=sys.argv[5] == "show")
"""


def script(folder: Path, repetitions: int, pause_s: float, jobs: int, progress: str = "show") -> list[str]:
    return [sys.executable, "-c", SCRIPT, str(folder), str(repetitions), str(pause_s), str(jobs), progress]


def test_nothing_is_printed_where_there_is_no_terminal(tmp_path, capfd):
    produce(RECIPE, tmp_path, make=make_toy, jobs=1)
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
@pytest.mark.parametrize("progress", ["show", "hide"])
def test_a_terminal_shows_rate_and_time_left(tmp_path, progress):
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 100))
    subprocess.run(script(tmp_path, 12, 0.01, 1, progress), cwd=HERE, stderr=theirs, check=True)
    os.set_blocking(ours, False)
    try:
        shown = os.read(ours, 1 << 16).decode()
    except BlockingIOError:
        shown = ""
    os.close(ours)
    os.close(theirs)
    assert ("12/12" in shown and "rep/s" in shown) == (progress == "show")
