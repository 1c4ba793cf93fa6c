"""The run folder and the `squat` command, on a small run over stand-in recordings."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from small_run import config

from real2sim import stages
from real2sim.cli import runs
from real2sim.material import labelled
from real2sim.parties import _read, adaptation_recordings, unseen_recordings
from real2sim.pipeline import ALL_STAGES, complete
from real2sim.recordings.plain import read_folder
from real2sim.rows import TABLE
from real2sim.run import Run, RunError

COMMAND = [sys.executable, "-m", "real2sim.cli"]


def squat(*arguments: object) -> subprocess.CompletedProcess:
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [*COMMAND, *map(str, arguments)], capture_output=True, text=True, env=environment, timeout=300
    )


@pytest.fixture(scope="session")
def finished(recordings, simulated, tmp_path_factory) -> Run:
    run = Run.start(tmp_path_factory.mktemp("run") / "whole", config(recordings, simulated))
    complete(run, ALL_STAGES, rows=TABLE, jobs=2, progress=False)
    return run


@pytest.mark.slow
class TestWholeRun:
    def test_the_table_has_what_others_rely_on(self, finished):
        table = json.loads(finished.table.read_text())
        rows = {row["row"]: row for row in table["rows"]}
        assert list(rows) == list(TABLE)
        for row in rows.values():
            assert 0 <= row["interval"][0] <= row["accuracy"] <= row["interval"][1] <= 1
            assert {"balanced_accuracy", "macro_f1"} <= set(row)
            assert row["seeds"] == 2
        assert table["channels"][-1] == "range"
        assert table["people"] == {"adapt": [1, 2], "test": [3, 4]}

    def test_a_finished_run_is_not_repeated(self, finished):
        before = {path: path.stat().st_mtime_ns for path in finished.folder.rglob("*") if path.is_file()}
        complete(finished, ALL_STAGES, jobs=2, progress=False)
        after = {path: path.stat().st_mtime_ns for path in finished.folder.rglob("*") if path.is_file()}
        assert before == after

    def test_evaluation_repeated_gives_the_same_table(self, finished):
        before = finished.table.read_text()
        complete(finished, ("evaluate",), jobs=1, progress=False, again=True)
        assert finished.table.read_text() == before
        complete(finished, ("report",), progress=False)

    def test_converted_recordings_are_a_dataset(self, finished):
        from generators.store import Dataset, verify

        folder = finished.converted("two-encoder", 0)
        dataset = Dataset(folder)
        assert verify(folder) == []
        assert len(dataset) == 2
        assert set(dataset.read("subject")) == {3, 4}
        assert {"watch_accel", "watch_gyro", "range", "phase"} <= set(dataset.fields)

    def test_the_report_is_one_file_that_says_what_it_shows(self, finished):
        page = finished.report.read_text()
        assert 'src="data:image/png;base64,' in page
        assert 'src="http' not in page
        assert "stand-in" in page
        assert "real people" not in page
        for name in ("two-encoder", "all-real", "one-encoder"):
            assert name in page
        for uses in ("labels of 10 repetitions", "recordings without labels", "all labels"):
            assert f"<td>{uses}</td>" in page
        assert "Only 2 people were tested" in page

    def test_the_report_shows_whatever_devices_were_worn(self, recordings, simulated, tmp_path):
        run = Run.start(tmp_path / "run", config(recordings, simulated, channels=("phone",), seeds=1))
        complete(run, ALL_STAGES, rows=("randomised", "one-encoder", "two-encoder"), jobs=2, progress=False)
        assert "A recording before and after conversion" in run.report.read_text()

    def test_the_command_prints_and_copies_the_table(self, finished, tmp_path):
        done = squat("evaluate", "--run", finished.folder, "--json", tmp_path / "table.json")
        assert done.returncode == 0, done.stderr
        assert "two-encoder" in done.stdout
        assert json.loads((tmp_path / "table.json").read_text())["rows"]

    def test_another_config_in_the_same_folder_is_refused(self, finished, recordings, simulated):
        with pytest.raises(RunError, match="labels = 10, expected 5"):
            Run.start(finished.folder, config(recordings, simulated, labels=5))

    def test_a_run_of_another_version_is_read_and_not_gone_on_with(self, recordings, simulated, tmp_path):
        Run(tmp_path, config(recordings, simulated, version="0.0.1")).save()
        assert Run.open(tmp_path).config.version == "0.0.1"
        with pytest.raises(RunError, match=r"version = 0\.0\.1, expected "):
            Run.start(tmp_path, config(recordings, simulated))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"test_subjects": (2, 3)}, "2"),
        ({"labels": 10_000}, "10000 labelled repetitions"),
        ({"channels": ("watch", "phone")}, None),
        ({"subjects": (9,)}, "9"),
        ({"exercise": "lunge"}, "lunge"),
        ({"rate_hz": 200.0}, "at least the 200 Hz"),
        ({"folds": 3}, "2 people, expected 3"),
    ],
    ids=["overlap", "labels", "fine", "nobody", "exercise", "rate", "folds"],
)
def test_recordings_that_cannot_serve_are_refused_before_training(recordings, simulated, tmp_path, changes, message):
    run = Run.start(tmp_path / "run", config(recordings, simulated, **changes))
    if message is None:
        stages.check_parties(run)
        assert run.groups() == ("watch", "phone")
    else:
        with pytest.raises(ValueError, match=message):
            stages.check_parties(run)


def test_a_stream_that_was_not_recorded_is_not_a_channel(recordings, simulated, tmp_path):
    copy = tmp_path / "no-range"
    shutil.copytree(recordings, copy)
    for path in copy.glob("*/range.csv"):
        path.unlink()
    run = Run.start(tmp_path / "run", config(copy, simulated, real=str(copy), test=str(copy), channels=None))
    stages.check_parties(run)
    assert run.groups() == ("watch", "phone")
    wanted = Run.start(tmp_path / "other", config(copy, simulated, real=str(copy), test=str(copy), channels=("range",)))
    with pytest.raises(RunError, match="lack range"):
        stages.check_parties(wanted)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: "t,phase,rep\n" + "".join(f"{k / 20},,\n" for k in range(9)), "have no labels"),
        (lambda text: re.sub(r"(?m)^([\d.]+),1(?=\D)", r"\1,0", text), r"phases \[0\]"),
    ],
    ids=["labels missing", "one class only"],
)
def test_labels_that_cannot_serve_are_refused(recordings, simulated, tmp_path, change, message):
    copy = tmp_path / "copy"
    shutil.copytree(recordings, copy)
    for path in copy.glob("*/labels.csv"):
        path.write_text(change(path.read_text()))
    run = Run.start(tmp_path / "run", config(copy, simulated))
    with pytest.raises(RunError, match=message):
        stages.check_parties(run)


def test_a_run_of_other_recordings_is_refused(recordings, simulated, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(recordings, copy)
    run = Run.start(tmp_path / "run", config(copy, simulated))
    stages.check_parties(run)
    watch = sorted(copy.glob("*/watch.csv"))[0]
    lines = watch.read_text().splitlines()
    watch.write_text("\n".join([*lines[:-1], ""]))
    _read.cache_clear()
    with pytest.raises(RunError, match="made from other recordings"):
        stages.check_parties(run)


def test_everybody_is_tested_once_over_the_folds_and_never_adapted_to_then(recordings, simulated, tmp_path):
    run = Run.start(tmp_path / "run", config(recordings, simulated, subjects=None, test_subjects=None, folds=2))
    tested = []
    for fold in run.folds:
        adapt, unseen = adaptation_recordings(run.config, fold), unseen_recordings(run.config, fold)
        assert not {r.subject for r in adapt} & {r.subject for r in unseen}
        tested += [r.subject for r in unseen]
    assert sorted(tested) == [1, 2, 3, 4]


def test_labels_of_the_budget_are_all_that_is_used(recordings, simulated, tmp_path):
    run = Run.start(tmp_path / "run", config(recordings, simulated, labels=6))
    stages.check_parties(run)
    chosen = labelled(run, seed=0)
    kept = sum(len(np.unique(s.repetition[s.phase >= 0])) for s in chosen)
    assert kept == 6
    assert {s.subject for s in chosen} == {1, 2}


class TestErrors:
    """One sentence on standard error, status 2, nothing half-written."""

    def refused(self, *arguments: object) -> str:
        done = squat(*arguments)
        assert done.returncode == 2, done.stderr
        assert done.stderr.count("\n") == 1, done.stderr
        assert "Traceback" not in done.stderr
        return done.stderr

    def test_empty_folder(self, tmp_path):
        (tmp_path / "empty").mkdir()
        error = self.refused("run", "--real", tmp_path / "empty", "--test", tmp_path / "empty", "--out", tmp_path / "o")
        assert "recordings.csv" in error

    def test_out_that_cannot_be_written(self, tmp_path):
        (tmp_path / "file").write_text("")
        error = self.refused(
            "run", "--real", tmp_path, "--test", tmp_path, "--out", tmp_path / "file" / "run", "--reps", 10
        )
        assert "file" in error

    def test_no_run(self, tmp_path):
        assert "squat run" in self.refused("report", "--run", tmp_path)

    def test_no_dataset(self, tmp_path):
        assert "manifest.json" in self.refused("info", tmp_path)

    def test_absurd_rate(self, tmp_path):
        assert "rate_hz is 33" in self.refused("generate", "--rate", "33", "--out", tmp_path / "d")


def test_help_answers_without_heavy_imports():
    code = "import sys, real2sim.cli as c\ntry: c.main(['--help'])\nexcept SystemExit: pass\n"
    code += "print(sorted({'torch','mujoco','numpy','gymnasium'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("[]\n")


@pytest.mark.parametrize(("text", "numbers"), [("1-4", (1, 2, 3, 4)), ("7,1-2", (1, 2, 7)), ("3", (3,))])
def test_people_by_number(text, numbers):
    assert runs._numbers(text) == numbers


@pytest.mark.parametrize("text", ["", "a", "4-1", "1-", "-3"])
def test_people_that_are_no_numbers(text):
    with pytest.raises(Exception, match="not a list of people"):
        runs._numbers(text)


def test_stand_ins_read_back_as_recordings(recordings):
    read = read_folder(recordings)
    assert [r.subject for r in read] == [1, 2, 3, 4]
    for recording in read:
        assert recording.repetitions == 10
        assert recording.labels is not None
        assert set(recording.labels.phase) == {0, 1}
        assert recording.name.startswith("stand_in")
        assert recording.span_s[1] - recording.span_s[0] > 15


@pytest.mark.slow
@pytest.mark.fault
def started(recordings, simulated, out: Path) -> subprocess.Popen:
    """A run in a process of its own that has trained its first network."""
    arguments = ["run", "--real", recordings, "--subjects", "1-2", "--test", recordings, "--test-subjects", "3-4"]
    arguments += ["--sim", simulated, "--reps", 12, "--labels", 6, "--seeds", 1, "--out", out, "--jobs", 2]
    process = subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background jobs ignore it
    )
    deadline = time.monotonic() + 120
    while not list(out.glob("networks/*/*.json")) and time.monotonic() < deadline:
        time.sleep(0.2)
    return process


@pytest.mark.fault
def test_workers_of_a_killed_run_end_with_it(recordings, simulated, tmp_path):
    process = started(recordings, simulated, tmp_path / "run")
    workers = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.communicate()
    assert len(workers) >= 2
    assert not psutil.wait_procs(workers, timeout=60)[1]


def test_an_interrupted_run_goes_on(recordings, simulated, tmp_path):
    process = started(recordings, simulated, tmp_path / "run")
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=90)  # a loaded machine is slow; what counts is that it ends
    assert process.returncode == 130
    assert "goes on from there" in error
    assert "Traceback" not in error
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.glob("run/networks/*/*.json")}
    assert kept
    assert not list(tmp_path.glob("run/**/.*-[0-9]*"))
    run = Run.open(tmp_path / "run")
    complete(run, ("train",), jobs=2, progress=False)
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in kept.items())
