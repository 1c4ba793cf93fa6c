"""Datasets whose physics runs in batches of worlds, here on Warp's CPU device."""

import os
import shutil
import signal
import sys
from dataclasses import replace

import numpy as np
import pytest

from generators.attempts import Failure, Limits
from generators.engines import Loky, Sequential, Task
from generators.produce import produce
from generators.recipe import Recipe, randomised
from generators.repetition import make_repetitions
from generators.store import Dataset, DatasetError, verify
from generators.warp import Warp, _finish, _plan, _Planned
from real2sim import cli
from squat_env.population import ATTEMPTS
from squat_env.simulate import SimulationFailed

pytestmark = pytest.mark.slow  # kernels are compiled where they have not been before

RECIPE = randomised(repetitions=6, shard_repetitions=2, seed=3, physics="mujoco_warp")
CPU = Warp(jobs=2, worlds=4, device="cpu")
# root mean square of differences to a native dataset, as recorded at 20 Hz
TOLERANCE = {"watch_accel": 0.1, "phone_accel": 0.1, "watch_gyro": 0.01, "phone_gyro": 0.01, "range_ideal": 1e-4}


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Dataset:
    folder = tmp_path_factory.mktemp("warp") / "whole"
    return produce(RECIPE, folder, make=make_repetitions, engine=CPU, progress=False)


def test_the_dataset_is_that_of_mujoco_within_tolerance(whole, tmp_path):
    recipe = replace(RECIPE, physics="mujoco")
    native = produce(recipe, tmp_path / "n", make=make_repetitions, engine=Sequential(), progress=False)
    assert verify(whole.folder) == []
    assert native.digest != whole.digest
    for index in range(RECIPE.repetitions):
        here, there = native[index], whole[index]
        assert here.drawn.keys() == there.drawn.keys()
        np.testing.assert_array_equal(here.sample["time"], there.sample["time"])
        for name, tolerance in TOLERANCE.items():
            one, other = here.sample[name], there.sample[name]
            np.testing.assert_array_equal(np.isnan(one), np.isnan(other))
            assert np.sqrt(np.nanmean((one - other) ** 2)) < tolerance
    for name, tolerance in TOLERANCE.items():  # a phone in the hand beside the watch stays at one distance
        assert tolerance < 0.3 * max(np.nanstd(native[k].sample[name], axis=0).max() for k in range(RECIPE.repetitions))


def test_neither_worlds_nor_processes_change_a_dataset(whole, tmp_path):
    engine = Warp(jobs=1, worlds=1, device="cpu")
    assert produce(RECIPE, tmp_path / "d", make=make_repetitions, engine=engine, progress=False).digest == whole.digest


def test_a_set_that_fails_is_drawn_again_and_stepped_with_the_next_ones(whole, tmp_path, monkeypatch):
    step, failed = Warp._step, []

    def failing(self, shards, stop):
        step(self, shards, stop)
        first = shards.get(1, {}).get(2)
        if isinstance(first, _Planned) and not failed:
            first.stepped = SimulationFailed("warning", "for the test")
            failed.append(first)

    monkeypatch.setattr(Warp, "_step", failing)
    made = produce(RECIPE, tmp_path / "d", make=make_repetitions, engine=CPU, progress=False)
    before, after = whole[2].drawn, made[2].drawn
    assert after["redraws.warning"] == before["redraws.warning"] + 1
    assert after["body.height_m"] == before["body.height_m"]
    assert after["motion.cycle.descent_s"] != before["motion.cycle.descent_s"]
    for index in (0, 1, 3, 4, 5):
        np.testing.assert_array_equal(made[index].sample["watch_accel"], whole[index].sample["watch_accel"])


def test_a_set_that_cannot_be_made_fails_its_shard_with_the_reason(tmp_path):
    task = Task(recipe=RECIPE, folder=tmp_path, make=make_repetitions, limits=Limits(), owner="nobody")
    number, sets = _plan(RECIPE, 1)
    assert (number, set(sets)) == (1, {2, 3})
    for number, one in sets.items():
        assert isinstance(one, _Planned)
        one.stepped = SimulationFailed("warning", "for the test")
        one.drawn = replace(one.drawn, failed=ATTEMPTS - 1 if number == 3 else 0)
    again = _finish(task, 1, sets)
    assert isinstance(again, tuple)
    assert isinstance(again[1][2], _Planned)
    assert str(again[1][3]).startswith("RuntimeError: set 3 of seed 3 failed in 200 draws")
    (tmp_path / "produce.lock").write_text("nobody")
    failure = _finish(task, 1, {2: "cannot be made", 3: "nor this"})
    assert isinstance(failure, Failure)
    assert "repetition 2 in shard 1 cannot be made (RuntimeError: cannot be made)" in failure.reason


def plan_or_die(recipe: Recipe, shard: int):
    if shard == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return _plan(recipe, shard)


@pytest.mark.fault
def test_a_shard_whose_planning_ends_its_process_is_given_up_and_the_others_are_made(whole, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("generators.warp._plan", plan_or_die)
        with pytest.raises(
            DatasetError, match=r"1 of 3 shards .* shard 1 \(repetitions 2-3\): .* while it was planned"
        ):
            produce(RECIPE, tmp_path / "d", make=make_repetitions, engine=CPU, progress=False)
    assert sorted(path.name for path in (tmp_path / "d").glob("*.h5")) == ["shard-00000.h5", "shard-00002.h5"]
    assert produce(RECIPE, tmp_path / "d", make=make_repetitions, engine=CPU, progress=False).digest == whole.digest


def test_what_cannot_be_made_this_way_is_refused_at_once(tmp_path):
    with pytest.raises(DatasetError, match="physics is mujoco, expected mujoco_warp"):
        produce(replace(RECIPE, physics="mujoco"), tmp_path / "d", make=make_repetitions, engine=CPU, progress=False)
    with pytest.raises(DatasetError, match="physics is mujoco_warp, expected mujoco here"):
        produce(RECIPE, tmp_path / "e", make=make_repetitions, engine=Sequential(), progress=False)
    engine = replace(CPU, device="cuda:99")
    with pytest.raises(DatasetError, match=r"no device cuda:99, expected one of cpu.*correct --device"):
        produce(RECIPE, tmp_path / "f", make=make_repetitions, engine=engine, progress=False)


def test_a_missing_extra_is_one_clear_error(tmp_path, monkeypatch):
    monkeypatch.delitem(sys.modules, "squat_env.accelerator", raising=False)
    monkeypatch.setitem(sys.modules, "mujoco_warp", None)
    with pytest.raises(DatasetError, match=r"pip install 'squat-sensor\[gpu\]'"):
        produce(RECIPE, tmp_path, make=make_repetitions, engine=CPU, progress=False)


def test_two_kinds_of_physics_are_never_in_one_folder(whole, tmp_path):
    recipe = replace(RECIPE, physics="mujoco")
    with pytest.raises(DatasetError, match=r"another recipe, expected the same values of \['physics'\]"):
        produce(recipe, whole.folder, make=make_repetitions, engine=Loky(jobs=1), progress=False)


def test_the_command_makes_and_repairs(whole, tmp_path, capsys):
    folder = shutil.copytree(whole.folder, tmp_path / "d")
    what = ["--reps", "6", "--reps-a-shard", "2", "--seed", "3", "--quiet", "--jobs", "1"]
    warp = ["--backend", "warp", "--worlds", "4", "--device", "cpu"]
    (folder / "shard-00001.h5").unlink()
    assert cli.main(["repair", str(folder), "--quiet", "--jobs", "1"]) == 0
    assert Dataset(folder).digest == whole.digest
    (folder / "shard-00002.h5").unlink()
    assert cli.main(["generate", *what, *warp, "--out", str(folder)]) == 0
    assert Dataset(folder).digest == whole.digest
    assert cli.main(["generate", *what, "--device", "cpu", "--out", str(tmp_path / "e")]) == 2
    assert cli.main(["generate", *what, *warp, "--cluster", "local", "--out", str(tmp_path / "e")]) == 2
    assert "expected them with warp alone" in (said := capsys.readouterr().err)
    assert "--part K/N, one a GPU" in said
