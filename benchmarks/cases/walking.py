"""What surrounds repetitions: its cost over the physics, and whether people who walk after a chair rise feel it so.

People are the recordings of `spsw` in the folder that SQUAT_RECORDINGS names; without it only the cost is measured.
"""

import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

RATE_HZ, TRIM_S = 50.0, 0.8  # of the streams; what of an upright stretch belongs to the rise and to sitting down


def measure(sets: int) -> dict[str, float]:
    """Processor time a step, and the share of people's values within the simulation's central 90 %, by quantity."""
    from generators.recipe import randomised

    recipe = randomised(exercises=(("sit_to_stand", 1.0),), repetitions=sets, shard_repetitions=sets, rate_hz=RATE_HZ)
    around = replace(recipe.population.surroundings, from_seat=1.0)
    recipe = replace(recipe, population=replace(recipe.population, surroundings=around))
    results = _cost(recipe, min(sets, 20))
    if "SQUAT_RECORDINGS" not in os.environ:
        return results
    people = _people(Path(os.environ["SQUAT_RECORDINGS"]) / "spsw")
    made = _simulated(recipe, sets)
    for name, values in people.items():
        low, middle, high = np.percentile(made[name], (5, 50, 95))
        results[f"{name}_coverage"] = float(((values >= low) & (values <= high)).mean())
        results[f"{name}_median_ratio"] = float(middle / np.median(values))
    return results


def _cost(recipe: Any, sets: int) -> dict[str, float]:
    from generators.repetition import simulate_set, surround
    from squat_env.simulate import simulate

    physics, around, steps, played = 0.0, 0.0, 0, 0
    for number in range(sets):
        done = simulate_set(recipe, number)
        begin = time.process_time()
        simulate(done.prepared.model, done.prepared.reference)
        middle = time.process_time()
        _, take = surround(recipe, number, done)
        around += time.process_time() - middle
        physics += middle - begin
        steps, played = steps + len(done.simulation.time), played + int((take.dynamics == 0).sum())
    return {"played_step_over_physics_ratio": (around / played) / (physics / steps)}


def _people(folder: Path) -> dict[str, np.ndarray]:
    from real2sim.recordings.alignment import labels_on_grid, shared_grid, stream_on_grid
    from real2sim.recordings.plain import read_folder

    rows = []
    for recording in read_folder(folder, exercise="sit_to_stand", labels="optional"):
        grid = shared_grid(recording, ("watch", "phone"), RATE_HZ)
        phase, _ = labels_on_grid(recording.labels, grid, RATE_HZ)
        streams = {name: stream_on_grid(recording, name, grid, RATE_HZ) for name in ("watch", "phone")}
        rows.append(_felt(phase, streams))
    return _columns(rows)


def _simulated(recipe: Any, sets: int) -> dict[str, np.ndarray]:
    from generators.repetition import make_repetitions

    rows = []
    for repetition in make_repetitions(recipe, 0, sets):
        sample = repetition.sample
        streams = {name: np.hstack([sample[f"{name}_accel"], sample[f"{name}_gyro"]]) for name in ("watch", "phone")}
        rows.append(_felt(sample["phase"], streams))
    return _columns(rows)


def _felt(phase: np.ndarray, streams: dict[str, np.ndarray]) -> dict[str, float]:
    """How strongly both devices move between the rise and sitting down."""
    from real2sim.validation.amplitude import BANDS_HZ, band_rms, dynamic, rms

    up = np.flatnonzero(phase == 1)
    trim = round(TRIM_S * RATE_HZ)
    rows = slice(up[0] + trim, up[-1] - trim)
    felt = {}
    for name, values in streams.items():
        known = values[rows][np.isfinite(values[rows]).all(axis=1)]
        felt[f"{name}_accel_rms"], felt[f"{name}_gyro_rms"] = rms(dynamic(known[:, :3])), rms(known[:, 3:]) * 3**0.5
        for kind, part in (("accel", known[:, :3]), ("gyro", known[:, 3:])):
            for (low, high), value in zip(BANDS_HZ, band_rms(part, RATE_HZ), strict=True):
                felt[f"{name}_{kind}_{low:g}_{high:g}_hz"] = float(value)
    return felt


def _columns(rows: list[dict[str, float]]) -> dict[str, np.ndarray]:
    columns = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    return {name: column[np.isfinite(column)] for name, column in columns.items()}
