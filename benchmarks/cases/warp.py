"""Sets stepped at once by mujoco_warp on the device of this machine, beside native MuJoCo on one core."""

import time
from typing import Any

import numpy as np

EXERCISES = ("squat", "lunge", "sit_to_stand")  # without feedback, with it, and with a seat of each wearer's height
PLANNED = 256  # sets that are drawn; larger numbers of worlds hold each of them several times
COMPARED = 64
CHANNELS = ("accel", "gyro", "range")


def measure(worlds: int) -> dict[str, float]:
    """Repetitions a second for a sixteenth, a quarter and all of `worlds`; how far results are from native ones."""
    import warp

    from squat_env.accelerator import device_named

    device = warp.get_device(device_named(None))
    figures: dict[str, float] = {"device_is_gpu": float(device.is_cuda)}
    planned = _planned("squat", min(worlds, PLANNED))
    figures |= _native(planned)
    for count in sorted({max(1, worlds // 16), max(1, worlds // 4), worlds}):
        figures |= _stepped(planned, count)
    for exercise in EXERCISES:
        figures |= _compared(exercise, _planned(exercise, min(worlds, COMPARED)))
    return figures


def _planned(exercise: str, count: int) -> list[Any]:
    from squat_env.population import Population, Seeds, prepare

    return [prepare(Population(), Seeds(seed=2**32 + 7, index=k), exercise=exercise) for k in range(count)]


def _native(planned: list[Any]) -> dict[str, float]:
    from squat_env.simulate import simulate

    begin = time.process_time()
    for prepared in planned:
        simulate(prepared.model, prepared.reference)
    return {"native_core_repetitions_a_second": len(planned) / (time.process_time() - begin)}


def _stepped(planned: list[Any], count: int) -> dict[str, float]:
    """The second run of two, as the first one compiles what has not been compiled on this machine before."""
    from squat_env.accelerator import simulate_worlds
    from squat_env.worlds import World

    worlds = [World.of(planned[k % len(planned)].model, planned[k % len(planned)].reference) for k in range(count)]
    walls = []
    for _ in range(2):
        begin = time.perf_counter()
        simulate_worlds(worlds)
        walls.append(time.perf_counter() - begin)
    longest = max(len(world.time) for world in worlds)
    return {
        f"worlds_{count}_first_wall_s": walls[0],
        f"worlds_{count}_repetitions_a_second": count / walls[1],
        f"worlds_{count}_used_ticks_share": sum(len(world.time) for world in worlds) / (count * longest),
    }


def _compared(exercise: str, planned: list[Any]) -> dict[str, float]:
    """Differences to native MuJoCo at the physics rate: root mean square and largest, and of the poses."""
    from squat_env.accelerator import simulate_worlds
    from squat_env.sensors import read_sensors
    from squat_env.simulate import Simulation, judge, simulate
    from squat_env.worlds import World

    found: dict[str, list[np.ndarray]] = {name: [] for name in (*CHANNELS, "place", "joints")}
    failed, otherwise = 0, 0
    done = simulate_worlds([World.of(prepared.model, prepared.reference) for prepared in planned])
    for prepared, there in zip(planned, done, strict=True):
        here = simulate(prepared.model, prepared.reference)
        if not isinstance(there, Simulation):
            failed += 1
            continue
        model, reference = prepared.model, prepared.reference
        otherwise += judge(model, reference, here).failure != judge(model, reference, there).failure
        one, other = read_sensors(model, here), read_sensors(model, there)
        for kind in ("accel", "gyro"):
            for device in ("watch", "phone"):
                found[kind].append(np.abs(getattr(one, f"{device}_{kind}") - getattr(other, f"{device}_{kind}")))
        found["range"].append(np.abs(one.distance - other.distance)[:, None])
        pose = np.abs(here.qpos - there.qpos)
        found["place"].append(pose[:, :3])
        found["joints"].append(pose[:, 7:])
    figures = {f"{exercise}_failed": float(failed), f"{exercise}_judged_otherwise": float(otherwise)}
    for name, differences in found.items():
        sets = np.array([np.sqrt(np.mean(values**2)) for values in differences])
        every = np.concatenate([values.ravel() for values in differences])
        figures[f"{exercise}_{name}_rms"] = float(np.sqrt(np.mean(every**2)))
        figures[f"{exercise}_{name}_rms_median_set"] = float(np.median(sets))
        figures[f"{exercise}_{name}_rms_worst_set"] = float(sets.max())
        figures[f"{exercise}_{name}_max"] = float(every.max())
    return figures
