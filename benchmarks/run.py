"""Benchmarks: `python benchmarks/run.py NAME... [--json FILE]` prints lines `name.metric value`.

Performance figures are ratios measured in one run; everything else is a property of the results.
"""

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

Figures = dict[str, float]


def physics(reps: int) -> Figures:
    """Share of random repetitions that succeed at the first simulation, and what they did."""
    from generators.recipe import Recipe
    from squat_env.population import Seeds, prepare
    from squat_env.sensors import read_sensors
    from squat_env.simulate import SimulationFailed, judge, simulate

    failures, redraws, outcomes, broken = Counter(), Counter(), [], 0
    for index in range(reps):
        prepared = prepare(Recipe().population, Seeds(seed=2**32 + 1, index=index))
        redraws.update(prepared.redraws)
        try:
            simulation = simulate(prepared.model, prepared.reference)
        except SimulationFailed as error:
            failures[error.reason] += 1
            continue
        outcome = judge(prepared.model, prepared.reference, simulation)
        failures[outcome.failure or "none"] += 1
        outcomes.append((outcome.depth_error_deg, outcome.heel_m, outcome.slip_m))
        ideal = read_sensors(prepared.model, simulation)
        broken += sum(int((~np.isfinite(values)).sum()) for values in vars(ideal).values())
    depth, heel, slip = np.percentile(outcomes, 99, axis=0)
    worst = np.max(outcomes, axis=0)
    return {
        "repetitions": reps,
        "success_share": failures["none"] / reps,
        "falls": failures["fall"],
        "warnings": failures["warning"],
        "nonfinite_values": broken,
        "depth_error_deg_p99": depth,
        "depth_error_deg_max": worst[0],
        "heel_mm_p99": 1e3 * heel,
        "heel_mm_max": 1e3 * worst[1],
        "slip_mm_p99": 1e3 * slip,
        "slip_mm_max": 1e3 * worst[2],
        "redraws_a_repetition": sum(redraws.values()) / reps,
    }


def generate(reps: int) -> Figures:
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


def mine(samples: int) -> Figures:
    """Estimated against known mutual information of correlated Gaussians [nat]."""
    import torch

    from real2sim.mutual_information import correlated_gaussians, estimate_mutual_information

    figures, worst = {}, 0.0
    for dimension in (2, 10):
        for rho in (0.0, 0.5, 0.9):
            generator = torch.Generator().manual_seed(dimension * 100 + int(rho * 10))
            x, y, known = correlated_gaussians(samples, dimension, rho, generator)
            estimate = estimate_mutual_information(x, y, generator=generator)
            name = f"d{dimension}_rho{rho:g}"
            figures |= {f"{name}_known": known, f"{name}_estimate": estimate}
            worst = max(worst, abs(estimate - known) - max(0.1, 0.1 * known))
    return figures | {"beyond_tolerance": max(worst, 0.0)}


CASES: dict[str, tuple[Callable[[int], Figures], int]] = {
    "physics": (physics, 1000),
    "generate": (generate, 3000),
    "mine": (mine, 20_000),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="+", choices=sorted(CASES), metavar="NAME", help=", ".join(sorted(CASES)))
    parser.add_argument("--size", type=int, help="repetitions or samples instead of the case's own number")
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    arguments = parser.parse_args()
    results = {}
    for name in arguments.names:
        case, size = CASES[name]
        for metric, value in case(arguments.size or size).items():
            results[f"{name}.{metric}"] = value
            print(f"{name}.{metric} {value:.6g}", flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
