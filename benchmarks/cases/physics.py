"""How well random wearers squat."""

from collections import Counter

import numpy as np


def measure(reps: int) -> dict[str, float]:
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
