"""What a dataset costs."""

import tempfile
import time
from pathlib import Path

import numpy as np


def measure(reps: int) -> dict[str, float]:
    """Wall time of a dataset with one and two jobs against raw native stepping of the same models on two threads."""
    from generators.produce import produce
    from generators.recipe import Recipe
    from generators.repetition import make_repetitions

    recipe = Recipe(repetitions=reps)
    seconds, digests, size = {}, {}, 0
    with tempfile.TemporaryDirectory() as folder:
        for jobs in (2, 1):
            start = time.perf_counter()
            dataset = produce(recipe, Path(folder) / str(jobs), make=make_repetitions, jobs=jobs, progress=False)
            seconds[jobs], digests[jobs], size = time.perf_counter() - start, dataset.digest, dataset.bytes
    raw = _raw_stepping(recipe, sample=min(reps, 200))
    return {
        "repetitions": reps,
        "wall_s_2_jobs": seconds[2],
        "wall_s_1_job": seconds[1],
        "speedup_2_jobs_ratio": seconds[1] / seconds[2],
        "wall_over_raw_ratio": seconds[2] / raw,
        "same_digest": float(digests[1] == digests[2]),
        "bytes_a_repetition": size / reps,
    }


def _raw_stepping(recipe, sample: int) -> float:
    """Seconds that native code alone needs for all repetitions on two threads, from an even sample of them."""
    import mujoco
    from mujoco import rollout

    from squat_env.population import Seeds, prepare
    from squat_env.reference import controls
    from squat_env.simulate import initial_state

    indices = np.linspace(0, recipe.repetitions - 1, sample).astype(int)
    prepared = [prepare(recipe.population, Seeds(seed=recipe.seed, index=int(i))) for i in indices]
    prepared.sort(key=lambda p: len(p.reference.time))
    data = [mujoco.MjData(prepared[0].model) for _ in range(2)]
    seconds, done = 0.0, 0
    for group in (prepared[k : k + 10] for k in range(0, sample, 10)):
        steps = len(group[0].reference.time)
        states = np.stack([initial_state(p.model, p.reference)[0] for p in group])
        control = np.stack([controls(p.model, p.reference)[:steps] for p in group])
        start = time.perf_counter()
        rollout.rollout([p.model for p in group], data, states, control)
        seconds, done = seconds + time.perf_counter() - start, done + steps * len(group)
    wanted = sum(len(p.reference.time) for p in prepared) * recipe.repetitions / sample
    return seconds / done * wanted
