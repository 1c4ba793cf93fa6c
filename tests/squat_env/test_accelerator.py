"""mujoco_warp on Warp's CPU device beside native MuJoCo: the same sets, in single precision and together."""

from dataclasses import replace

import numpy as np
import pytest

from squat_env.accelerator import CHUNK_TICKS, layout, simulate_worlds
from squat_env.population import Population, Prepared, Seeds, prepare
from squat_env.sensors import read_sensors
from squat_env.simulate import Simulation, SimulationFailed, judge, simulate
from squat_env.worlds import World

pytestmark = pytest.mark.slow  # half a minute where nothing is compiled yet

# Root mean square over a set at the physics rate, of differences to native MuJoCo. A sole that touches one tick
# earlier, for a height that differs by rounding, gives a jolt of that tick: hence the acceleration's.
TOLERANCE = {"accel": 0.2, "gyro": 0.005, "range": 5e-5}
PLACE_M, JOINT_RAD = 2e-4, 3e-3  # largest difference of the pelvis' place and of a joint
# without feedback, with it, and with a seat of each wearer's height
EXERCISES = ("squat", "lunge", "sit_to_stand")


def drawn(exercise: str, count: int = 3) -> list[Prepared]:
    return [prepare(Population(), Seeds(seed=5, index=k), exercise=exercise, mountings=2) for k in range(count)]


def worlds_of(sets: list[Prepared]) -> list[World]:
    return [World.of(one.model, one.reference) for one in sets]


@pytest.fixture(scope="module", params=EXERCISES)
def both(request) -> tuple[list[Prepared], list[Simulation | SimulationFailed]]:
    """Wearers who carry their devices elsewhere, and what they did together."""
    sets = drawn(request.param)
    return sets, simulate_worlds(worlds_of(sets), "cpu")


def test_wearers_of_one_exercise_share_a_layout_wherever_their_devices_are(both):
    models = [one.model for one in both[0]]
    assert len({layout(model) for model in models}) == 1
    assert len({tuple(model.sensor_objid) + tuple(model.site_bodyid) for model in models}) > 1


@pytest.mark.parametrize("mounting", [0, 1])
@pytest.mark.parametrize("device", ["watch", "phone"])
@pytest.mark.parametrize("kind", ["accel", "gyro"])
def test_a_device_reads_what_it_reads_natively(both, kind, device, mounting):
    for one, there in zip(*both, strict=True):
        assert isinstance(there, Simulation)
        name = f"{device}_{kind}"
        here = getattr(read_sensors(one.model, simulate(one.model, one.reference), mounting), name)
        off = getattr(read_sensors(one.model, there, mounting), name) - here
        assert np.sqrt(np.mean(off**2)) < TOLERANCE[kind]
        assert np.abs(off[:4]).max() < 1e-3  # before any contact comes or goes
        assert here.std(axis=0).max() > 3 * TOLERANCE[kind]


def test_the_body_moves_as_it_does_natively(both):
    for one, there in zip(*both, strict=True):
        assert isinstance(there, Simulation)
        here = simulate(one.model, one.reference)
        off = np.abs(there.qpos - here.qpos)
        assert off[:, :3].max() < PLACE_M
        assert off[:, 7:].max() < JOINT_RAD
        range_off = read_sensors(one.model, there).distance - read_sensors(one.model, here).distance
        assert np.sqrt(np.mean(range_off**2)) < TOLERANCE["range"]
        assert judge(one.model, one.reference, there).success


def test_a_set_depends_neither_on_the_others_nor_on_their_order(both):
    sets, together = both
    cut = [replace(world, time=world.time[: 2 * CHUNK_TICKS]) for world in worlds_of(sets)]
    backwards = simulate_worlds(cut[::-1], "cpu")[::-1]
    alone = simulate_worlds(cut[1:2], "cpu")[0]
    for there, other in zip(together, backwards, strict=True):
        assert isinstance(there, Simulation)
        assert isinstance(other, Simulation)
        np.testing.assert_array_equal(other.sensors, there.sensors[: len(other.time)])
        np.testing.assert_array_equal(other.qpos, there.qpos[: len(other.time)])
    assert isinstance(alone, Simulation)
    assert isinstance(together[1], Simulation)
    np.testing.assert_array_equal(alone.sensors, together[1].sensors[: len(alone.time)])


def test_a_bad_world_fails_alone():
    good, bad = worlds_of(drawn("squat", 2))
    good = replace(good, time=good.time[:CHUNK_TICKS])
    bad = replace(bad, time=bad.time[:CHUNK_TICKS], targets=np.full_like(bad.targets, np.nan))
    there, failed = simulate_worlds([good, bad], "cpu")
    assert isinstance(there, Simulation)
    assert isinstance(failed, SimulationFailed)
    assert (failed.reason, "not finite" in str(failed)) == ("warning", True)
    only = simulate_worlds([good], "cpu")[0]
    assert isinstance(only, Simulation)
    np.testing.assert_array_equal(there.sensors, only.sensors)


def test_layouts_are_not_mixed():
    worlds = worlds_of([*drawn("squat", 1), *drawn("lunge", 1)])
    with pytest.raises(ValueError, match="worlds of 2 layouts, expected one"):
        simulate_worlds(worlds, "cpu")


def test_the_work_can_be_left_off():
    asked = iter([False, True])
    with pytest.raises(InterruptedError, match=f"left off at tick {CHUNK_TICKS} of"):
        simulate_worlds(worlds_of(drawn("squat", 1)), "cpu", stopped=lambda: next(asked))
