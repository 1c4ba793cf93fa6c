"""How well random wearers exercise: every exercise, and every fault as it was asked for and as it was done."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

SEED = 2**32 + 1
OTHERS = 0.2  # repetitions of every further exercise over those of squats
FAULTY = 0.06  # repetitions of every fault of every exercise over them
LOOK = 8  # physics steps from one look at a fault to the next


@dataclass(kw_only=True)
class Tally:
    """What repetitions came to."""

    failures: Counter = field(default_factory=Counter)
    redraws: Counter = field(default_factory=Counter)
    outcomes: list[tuple[float, float, float]] = field(default_factory=list)
    nonfinite: int = 0


def measure(reps: int) -> dict[str, float]:
    """Share of random repetitions that succeed at the first simulation, what they did, and how faults were done."""
    from squat_env.exercises import EXERCISES

    figures: dict[str, float] = {}
    for exercise, kind in EXERCISES.items():
        count = reps if exercise == "squat" else max(2, round(OTHERS * reps))
        tally = Tally()
        for index in range(count):
            _perform(exercise, index, None, tally)
        figures |= {f"{exercise}.{name}": value for name, value in _figures(tally, count).items()}
        for fault in kind.faults:
            found = _fault(exercise, fault, max(3, round(FAULTY * reps)))
            figures |= {f"{exercise}.{fault}.{name}": value for name, value in found.items()}
    return figures


def _perform(exercise: str, index: int, faults: Mapping[str, float] | None, tally: Tally):
    """Draws and simulates a repetition; what was prepared and done, or None where the physics warned."""
    from squat_env.population import Population, Seeds, prepare
    from squat_env.sensors import read_sensors
    from squat_env.simulate import SimulationFailed, judge, simulate

    prepared = prepare(Population(), Seeds(seed=SEED, index=index), exercise=exercise, faults=faults)
    tally.redraws.update(prepared.redraws)
    try:
        simulation = simulate(prepared.model, prepared.reference)
    except SimulationFailed as error:
        tally.failures[error.reason] += 1
        return None
    outcome = judge(prepared.model, prepared.reference, simulation)
    tally.failures[outcome.failure or "none"] += 1
    tally.outcomes.append((outcome.depth_error_deg, 1e3 * outcome.heel_m, 1e3 * outcome.slip_m))
    ideal = read_sensors(prepared.model, simulation)
    tally.nonfinite += sum(int((~np.isfinite(values)).sum()) for values in vars(ideal).values())
    return prepared, simulation


def _figures(tally: Tally, count: int) -> dict[str, float]:
    figures: dict[str, float] = {
        "repetitions": count,
        "success_share": tally.failures["none"] / count,
        "falls": tally.failures["fall"],
        "warnings": tally.failures["warning"],
        "nonfinite_values": tally.nonfinite,
        "redraws_a_repetition": sum(tally.redraws.values()) / count,
    }
    for name, values in zip(("depth_error_deg", "heel_mm", "slip_mm"), np.transpose(tally.outcomes), strict=True):
        figures |= {f"{name}_p99": np.percentile(values, 99), f"{name}_max": values.max()}
    return figures


def _fault(exercise: str, fault: str, count: int) -> dict[str, float]:
    """How the severity that is measured in what was done follows the one that was asked for."""
    from squat_env.assessment import Performance, assess
    from squat_env.sensors import observe_scene

    tally, asked, measured = Tally(), [], []
    severities = np.random.default_rng(SEED).uniform(0.0, 1.0, count)
    for index, severity in enumerate(severities):
        done = _perform(exercise, index, {fault: float(severity)}, tally)
        if done is None:
            continue
        prepared, simulation = done
        qpos = simulation.qpos[::LOOK]
        performance = Performance(
            exercise=exercise,
            lead=prepared.reference.lead,
            time=simulation.time[::LOOK],
            qpos=qpos,
            landmarks=observe_scene(prepared.model, qpos).landmarks,
        )
        asked.append(severity)
        measured.append(assess(performance)[fault])
    apart = np.abs(np.subtract(measured, asked))
    return {
        "success_share": tally.failures["none"] / count,
        "severity_correlation": np.corrcoef(asked, measured)[0, 1],
        "severity_error_mean": apart.mean(),
        "severity_error_max": apart.max(),
    }
