"""What a dataset costs."""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from generators.recipe import Recipe
    from squat_env.population import Prepared

SHARDS = 20  # or more are made, so that both jobs are busy to the end


def measure(reps: int) -> dict[str, float]:
    """Wall time of a dataset with one and two jobs against raw native stepping of the same models on two threads.

    A shared machine is not always equally fast, so whatever is compared stands between two runs of what it is compared
    with: the dataset between two of stepping and two of a tenth of the repetitions, four mountings between two of one.
    What they and few repetitions cost is measured in processor time.
    """
    from generators.recipe import Recipe

    recipe = Recipe(repetitions=reps)
    tenth = max(60, reps // 10)
    shard = min(recipe.shard_repetitions, max(1, reps // SHARDS))
    sample = _sample(recipe, size=min(reps, 400))
    first = _run(tenth, 2)
    before = _raw_stepping(recipe, sample)
    two = _run(reps, 2, shard_repetitions=shard)
    after = _raw_stepping(recipe, sample)
    raw, raw_cpu = 0.5 * (before + after)
    second = _run(tenth, 2)
    worn_by_four = _run(tenth, 2, mountings=4)
    third = _run(tenth, 2)
    one = _run(reps, 1, shard_repetitions=shard)
    return {
        "repetitions": reps,
        "wall_s_2_jobs": two["seconds"],
        "wall_s_1_job": one["seconds"],
        "speedup_2_jobs_ratio": one["seconds"] / two["seconds"],
        "wall_over_raw_ratio": two["seconds"] / raw,
        "cpu_over_raw_cpu_ratio": two["cpu_s"] / raw_cpu,
        "raw_after_over_before_ratio": after[0] / before[0],
        "start_s": two["start_s"],
        "cpu_ms_a_repetition": 1e3 * two["cpu_s"] / reps,
        "cost_flat_ratio": (two["cpu_s"] / reps) / (_mean("cpu_s", first, second) / tenth),
        "tenth_after_over_before_ratio": second["cpu_s"] / first["cpu_s"],
        "four_mountings_ratio": worn_by_four["cpu_s"] / _mean("cpu_s", second, third),
        "four_mountings_wall_ratio": worn_by_four["seconds"] / _mean("seconds", second, third),
        "four_mountings_bytes_ratio": worn_by_four["bytes"] / second["bytes"],
        "values_not_finite": sum(run["not_finite"] for run in (first, two, second, worn_by_four, third, one)),
        "same_digest": float(one["digest"] == two["digest"]),
        "bytes_a_repetition": two["bytes"] / reps,
        "parent_peak_mb": two["parent_mb"],
        "worker_peak_mb": max(two["workers_mb"]),
    }


def _mean(figure: str, *runs: dict[str, Any]) -> float:
    return sum(run[figure] for run in runs) / len(runs)


def _run(reps: int, jobs: int, shard_repetitions: int = 60, mountings: int = 1) -> dict[str, Any]:
    """Make a dataset in a fresh process, after a first shard for each job that brings the workers up."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, folder, *map(str, (reps, jobs, shard_repetitions, mountings))]
        return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def _make(folder: Path, reps: int, jobs: int, shard_repetitions: int, mountings: int) -> dict[str, Any]:
    """What a run takes, and the most memory that this process and its workers ever had (needs /proc)."""
    from generators.produce import produce
    from generators.recipe import Recipe
    from generators.repetition import make_repetitions

    start = time.perf_counter()
    produce(Recipe(repetitions=4 * jobs, shard_repetitions=4), folder / "first", make=make_repetitions, jobs=jobs)
    warm, worked = time.perf_counter(), sum(map(_cpu_s, _children()))
    recipe = Recipe(repetitions=reps, shard_repetitions=shard_repetitions, mountings=mountings)
    dataset = produce(recipe, folder / "all", make=make_repetitions, jobs=jobs)
    seconds = time.perf_counter() - warm
    return {
        "start_s": warm - start,
        "seconds": seconds,
        "cpu_s": sum(map(_cpu_s, _children())) - worked,
        "digest": dataset.digest,
        "bytes": dataset.bytes,
        "parent_mb": _peak_mb("self"),
        "workers_mb": [_peak_mb(child) for child in _children()],
        "not_finite": _not_finite(dataset),
    }


def _not_finite(dataset) -> int:
    """Infinite values, and NaN where it has no meaning."""
    total = 0
    for name, field in dataset.fields.items():
        if np.dtype(field.dtype).kind == "f":
            for mounting in range(dataset.mountings):
                values = dataset.read(name, mounting=mounting)
                total += int(np.isinf(values).sum() if field.nullable else (~np.isfinite(values)).sum())
    return total


def _children() -> list[str]:
    return Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()


def _cpu_s(process: str) -> float:
    user, system = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def _peak_mb(process: str) -> float:
    status = dict(line.split(":", 1) for line in Path(f"/proc/{process}/status").read_text().splitlines())
    return int(status["VmHWM"].split()[0]) / 1024


def _sample(recipe: "Recipe", size: int) -> "list[Prepared]":
    """An even sample of a dataset's sets, drawn and planned, by length."""
    from squat_env.population import Seeds, prepare

    indices = np.linspace(0, recipe.repetitions - 1, size).astype(int)
    drawn = [prepare(recipe.population, Seeds(seed=recipe.seed, index=int(i))) for i in indices]
    return sorted(drawn, key=lambda prepared: len(prepared.reference.time))


def _raw_stepping(recipe: "Recipe", sample: "list[Prepared]") -> np.ndarray:
    """Seconds, and of processors, that native code alone takes for all on two threads, going by a sample (2,)."""
    import mujoco
    from mujoco import rollout

    from squat_env.reference import controls
    from squat_env.simulate import initial_state

    data = [mujoco.MjData(sample[0].model) for _ in range(2)]
    spent, done = np.zeros(2), 0
    for group in (sample[k : k + 10] for k in range(0, len(sample), 10)):
        steps = len(group[0].reference.time)
        states = np.stack([initial_state(p.model, p.reference)[0] for p in group])
        control = np.stack([controls(p.model, p.reference)[:steps] for p in group])
        start = np.array([time.perf_counter(), time.process_time()])
        rollout.rollout([p.model for p in group], data, states, control)
        spent += np.array([time.perf_counter(), time.process_time()]) - start
        done += steps * len(group)
    return spent / done * sum(len(p.reference.time) for p in sample) * recipe.repetitions / len(sample)


if __name__ == "__main__":
    print(json.dumps(_make(Path(sys.argv[1]), *map(int, sys.argv[2:]))))
