import dataclasses
import os
import pty
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest
from toy import (
    ToyRecipe,
    make_toy,
    make_with_error,
    make_with_infinity,
    make_with_many_deaths,
    make_with_one_death,
)

from generators.produce import TRIES, _locked, make_shard, missing_shards, produce
from generators.store import Dataset, DatasetError, verify

RECIPE = ToyRecipe()
HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def digest(tmp_path_factory) -> str:
    """Of the dataset that one process makes undisturbed."""
    return produce(RECIPE, tmp_path_factory.mktemp("undisturbed"), make=make_toy, jobs=1, progress=False).digest


def assert_complete(folder: Path, digest: str) -> None:
    assert verify(folder) == []
    assert Dataset(folder).digest == digest
    shards = [f"shard-0000{k}.{ending}" for k in range(3) for ending in ("h5", "json")]
    assert sorted(path.name for path in folder.iterdir()) == ["manifest.json", *shards]


@pytest.mark.parametrize("jobs", [2, 4])
def test_the_result_does_not_depend_on_the_number_of_jobs(tmp_path, digest, jobs):
    dataset = produce(RECIPE, tmp_path / "new" / "dataset", make=make_toy, jobs=jobs)
    assert len(dataset) == RECIPE.repetitions
    assert dataset.recipe == RECIPE.to_dict()
    assert_complete(tmp_path / "new" / "dataset", digest)


def test_workers_and_this_process_write_the_same_bytes(tmp_path):
    for jobs in (1, 2):
        produce(RECIPE, tmp_path / str(jobs), make=make_toy, jobs=jobs)
    for path in (tmp_path / "1").iterdir():
        assert path.read_bytes() == (tmp_path / "2" / path.name).read_bytes(), path.name


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
    assert missing_shards(RECIPE, tmp_path) == []
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
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_only_what_is_damaged_is_made_again(tmp_path, digest, name, damage, jobs):
    produce(RECIPE, tmp_path, make=make_toy, jobs=1)
    before = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("shard*.h5")}
    damage(tmp_path / name)
    made_again = missing_shards(RECIPE, tmp_path)
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
    with pytest.raises(DatasetError, match="repetition 4 in shard 1"):
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
    with pytest.raises(DatasetError, match=r"holds the shards \[3\]"):
        produce(RECIPE, tmp_path, make=make_toy, jobs=1)


def test_a_folder_that_cannot_be_written_is_named_before_any_work(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DatasetError, match="cannot be written"):
        produce(dataclasses.replace(RECIPE, fault_index=0), tmp_path / "file" / "d", make=make_with_error, jobs=1)


def test_a_second_writer_is_refused(tmp_path, digest):
    with _locked(tmp_path), pytest.raises(DatasetError, match=f"written by process {os.getpid()} on"):
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
    assert missing_shards(RECIPE, tmp_path)[-1] == 2
    assert not list(tmp_path.glob("*.tmp-*"))
    produce(RECIPE, tmp_path, make=make_toy, jobs=jobs)
    assert_complete(tmp_path, digest)


def test_other_indices_than_asked_for_are_refused(tmp_path):
    with pytest.raises(DatasetError, match=r"was given the repetitions \[1, 2, 3, 4\], expected range\(0, 4\)"):
        produce(RECIPE, tmp_path, make=lambda r, start, stop: make_toy(r, start + 1, stop + 1), jobs=1)


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


# Crashes and interrupts


@pytest.mark.fault
def test_a_worker_that_dies_once_changes_nothing(tmp_path, digest):
    recipe = dataclasses.replace(RECIPE, fault_index=5, fault_flag=str(tmp_path / "flag"))
    produce(recipe, tmp_path / "dataset", make=make_with_one_death, jobs=2)
    assert (tmp_path / "flag").exists()
    assert_complete(tmp_path / "dataset", digest)


@pytest.mark.fault
def test_a_shard_that_always_kills_its_worker_is_given_up_and_the_others_finish(tmp_path, digest):
    folder, flag = tmp_path / "dataset", tmp_path / "flag"
    recipe = dataclasses.replace(RECIPE, fault_index=5, fault_flag=str(flag))
    message = rf"the shards \[1\] \(repetitions 4-7\) in .* lost their worker {TRIES} times each"
    with pytest.raises(DatasetError, match=message):
        produce(recipe, folder, make=make_with_many_deaths, jobs=2)
    assert len(flag.read_text()) == TRIES
    assert missing_shards(RECIPE, folder) == [1]
    assert not (folder / "manifest.json").exists()
    produce(RECIPE, folder, make=make_toy, jobs=2)
    assert_complete(folder, digest)


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until(condition, limit_s: float) -> bool:
    end = time.monotonic() + limit_s
    while not (met := condition()) and time.monotonic() < end:
        time.sleep(0.02)
    return met


@pytest.mark.fault
@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
@pytest.mark.parametrize(
    ("sent", "jobs"), [(signal.SIGINT, 1), (signal.SIGINT, 2), (signal.SIGKILL, 2)], ids=lambda v: getattr(v, "name", v)
)
def test_an_interrupted_run_ends_at_once_and_is_resumed(tmp_path, sent, jobs):
    folder, repetitions = tmp_path / "dataset", 48
    with subprocess.Popen(
        script(folder, repetitions, 0.05, jobs), cwd=HERE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as run:
        assert wait_until(lambda: len(list(folder.glob("shard-*.json"))) >= 2, 20)
        workers = children(run.pid)
        assert bool(workers) == (jobs > 1)
        if sent == signal.SIGINT:
            os.killpg(run.pid, sent)  # as a terminal does
        else:
            os.kill(run.pid, sent)
        _, said = run.communicate(timeout=5)
    assert wait_until(lambda: not any(map(is_running, workers)), 2)
    assert run.returncode != 0
    if sent == signal.SIGINT:
        assert "of 12 shards finished in" in said.splitlines()[-1]
        assert "run the same command again" in said.splitlines()[-1]
        assert {path.suffix for path in folder.iterdir()} <= {".h5", ".json"}
    recipe = ToyRecipe(repetitions=repetitions)
    kept = set(range(12)) - set(missing_shards(recipe, folder))
    assert 2 <= len(kept) < 12
    before = {k: (folder / f"shard-{k:05d}.h5").stat().st_mtime_ns for k in kept}
    resumed = produce(recipe, folder, make=make_toy, jobs=1)
    assert {k: (folder / f"shard-{k:05d}.h5").stat().st_mtime_ns for k in kept} == before
    assert verify(folder) == []
    assert resumed.digest == produce(recipe, tmp_path / "again", make=make_toy, jobs=1).digest


LIMITED = """
import resource, sys
from toy import ToyRecipe, make_toy
from generators.produce import produce
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000,) * 2)
produce(ToyRecipe(), sys.argv[1], make=make_toy, jobs=int(sys.argv[2]))
"""


@pytest.mark.fault
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_full_disk_is_named_and_leaves_no_bad_file(tmp_path, digest, jobs):
    command = [sys.executable, "-c", LIMITED, str(tmp_path), jobs]
    done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, timeout=30)
    assert done.returncode == 1
    assert "bytes and did not fit" in done.stderr.splitlines()[-1]
    assert list(tmp_path.iterdir()) == []
    produce(RECIPE, tmp_path, make=make_toy, jobs=1)
    assert_complete(tmp_path, digest)
