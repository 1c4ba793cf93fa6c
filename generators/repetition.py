"""From a recipe and an index to arrays: draw, plan, simulate, measure."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import numpy as np

from generators.recipe import Recipe
from generators.store import Repetition
from squat_env.faults import FAULTS, severities
from squat_env.inertial import measure_imu
from squat_env.labels import halfway, upright
from squat_env.landmarks import joint_angles
from squat_env.population import ATTEMPTS, Draw, Prepared, Seeds, prepare
from squat_env.ranging import measure_range
from squat_env.sensors import Ideal, Scene, observe_scene, read_sensors
from squat_env.signals import imu_to_grid, range_to_grid
from squat_env.simulate import Outcome, Simulation, SimulationFailed, judge, simulate
from squat_env.wobble import wobble

UNIT_HZ = 100.0  # what the devices are asked for, unless the recording is faster

REDRAW_REASONS = (
    "watch_inside",
    "phone_inside",
    "reach",
    "tempo",
    "ankle",
    "balance",
    "warning",
    "fall",
    "depth",
    "heel",
    "slip",
)


@dataclass(frozen=True, kw_only=True)
class SimulatedSet:
    """A set that succeeded, with everything that led to it."""

    prepared: Prepared
    simulation: Simulation
    outcome: Outcome
    redraws: Counter


def make_repetitions(recipe: Recipe, start: int, stop: int) -> Iterator[Repetition]:
    """Makes the repetitions `start` to `stop - 1` of a recipe.

    A repetition depends on the recipe and its index alone; sets that lie across the ends are made whole and cut.
    """
    size = recipe.repetitions_a_set
    for number in range(start // size, -(-stop // size)):
        for repetition in measure_set(recipe, number, simulate_set(recipe, number)):
            if start <= repetition.index < stop:
                yield repetition


def simulate_set(recipe: Recipe, number: int) -> SimulatedSet:
    """Draws and simulates set `number`; a set that fails in the physics is drawn again and the reason counted.

    Raises:
        RuntimeError: No draw succeeded.
    """
    seeds = Seeds(seed=recipe.seed, index=number)
    size = recipe.repetitions_a_set
    what = {"exercise": draw_exercise(recipe, seeds), "faults": recipe.faults, "repetitions": size}
    prepared = prepare(recipe.population, seeds, **what)
    redraws = Counter(prepared.redraws)
    for _ in range(ATTEMPTS):
        done = _attempt(prepared, redraws)
        if done is not None:
            return done
        draw = prepared.draw
        prepared = prepare(
            recipe.population,
            seeds,
            **what,
            body=draw.body,
            placement=draw.placement,
            equipment=draw.equipment,
            devices=draw.devices,
            first_attempt=prepared.attempt + 1,
        )
        redraws.update(prepared.redraws)
    raise RuntimeError(
        f"set {number} of seed {recipe.seed} failed in {ATTEMPTS} draws ({dict(redraws)}), expected one to"
        " succeed; narrow the recipe's population"
    )


def draw_exercise(recipe: Recipe, seeds: Seeds) -> str:
    """The exercise of a set."""
    names, shares = zip(*recipe.exercises, strict=True)
    return str(seeds.generator("exercise").choice(names, p=np.array(shares) / sum(shares)))


def _attempt(prepared: Prepared, redraws: Counter) -> SimulatedSet | None:
    """Simulates a prepared set; a failure is counted and gives None."""
    try:
        simulation = simulate(prepared.model, prepared.reference)
    except SimulationFailed as error:
        redraws[error.reason] += 1
        return None
    outcome = judge(prepared.model, prepared.reference, simulation)
    if outcome.failure is not None:
        redraws[outcome.failure] += 1
        return None
    return SimulatedSet(prepared=prepared, simulation=simulation, outcome=outcome, redraws=redraws)


def measure_set(recipe: Recipe, number: int, done: SimulatedSet) -> Iterator[Repetition]:
    """Cuts a simulated set into repetitions, each with its measured streams and labels."""
    prepared = done.prepared
    ideal = read_sensors(prepared.model, done.simulation)
    every = round(1.0 / (recipe.rate_hz * (ideal.time[1] - ideal.time[0])))
    scene = observe_scene(prepared.model, done.simulation.qpos[::every])
    rng = Seeds(seed=recipe.seed, index=number).generator("noise")
    sample, reading = _measure(recipe, prepared.draw, ideal, scene, every, rng)
    reference = prepared.reference
    repetition = reference.repetition[::every]
    thresholds = halfway(reference.qpos[:, 2], reference.repetition)
    sample["phase"] = upright(scene.pelvis_height, thresholds[repetition])
    sample["phase4"] = reference.phase4[::every]
    starts = np.cumsum([0.0, *(cycle.duration_s for cycle in prepared.draw.motion.cycles)])
    for cycle, begin in enumerate(starts[:-1]):
        rows, readings = repetition == cycle, _within(reading["range_time"], starts, cycle)
        yield Repetition(
            index=number * recipe.repetitions_a_set + cycle,
            sample={name: values[rows] - (begin if name == "time" else 0) for name, values in sample.items()},
            range={name: values[readings] - (begin if name == "range_time" else 0) for name, values in reading.items()},
            repetition={"set": number, "repetition": cycle, "subject": number},
            drawn=_form(recipe, prepared.draw) | _drawn(done, cycle),
        )


def _within(time: np.ndarray, starts: np.ndarray, cycle: int) -> np.ndarray:
    last = cycle == len(starts) - 2
    return (time >= starts[cycle]) & ((time < starts[cycle + 1]) | last)


def _measure(
    recipe: Recipe, draw: Draw, ideal: Ideal, scene: Scene, every: int, rng: np.random.Generator
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Streams on the recording's grid and the range readings on their own times."""
    grid = ideal.time[::every]
    sample = {"time": grid}
    watch, phone, link = rng.spawn(3)
    for device, noise in (("watch", watch), ("phone", phone)):
        both = _measure_unit(recipe, draw, ideal, device, grid, noise)
        sample[f"{device}_accel"], sample[f"{device}_gyro"] = both[:, :3], both[:, 3:]
    when, reading = measure_range(
        grid, ideal.distance[::every], scene.thickness, draw.devices.range, link, rate_hz=recipe.range_hz
    )
    sample["range"] = range_to_grid(when, reading, grid)[0]
    sample["range_ideal"] = ideal.distance[::every]
    sample["line_of_sight"] = scene.line_of_sight.astype(np.uint8)
    sample["body_thickness"] = scene.thickness
    sample["joint_angles"] = joint_angles(scene.landmarks)
    sample["landmarks"] = scene.landmarks
    return sample, {"range_time": when, "range_reading": reading}


def _measure_unit(
    recipe: Recipe, draw: Draw, ideal: Ideal, device: str, grid: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """One device's stream on the grid, accel and gyro (T, 6): recorded on its own clock, then prepared as real ones."""
    looseness = getattr(draw.placement, device).looseness
    accel, gyro, _ = wobble(
        getattr(ideal, f"{device}_accel"),
        getattr(ideal, f"{device}_gyro"),
        looseness,
        timestep_s=float(ideal.time[1] - ideal.time[0]),
    )
    errors = getattr(draw.devices, device)
    stamps, accel, gyro = measure_imu(ideal.time, accel, gyro, errors, rng, rate_hz=max(recipe.rate_hz, UNIT_HZ))
    return imu_to_grid(stamps, np.column_stack([accel, gyro]), grid, rate_hz=recipe.rate_hz)


def _form(recipe: Recipe, draw: Draw) -> dict[str, Any]:
    """What was done and how well: exercise, leading side, severity of every fault, and whether all are small."""
    found = severities(draw.motion, draw.body)
    return {
        "exercise": draw.motion.exercise,
        "lead": draw.motion.lead,
        "correct": int(all(severity < recipe.correct_below for severity in found.values())),
        **{f"severity.{name}": found.get(name, 0.0) for name in FAULTS},
    }


def _drawn(done: SimulatedSet, cycle: int) -> dict[str, Any]:
    """Everything drawn for a repetition under dotted names, the redraws by reason, and how well it went."""
    draw = done.prepared.draw
    values = {
        name: value
        for part in ("body", "placement", "equipment", "motion", "devices")
        for name, value in flatten(getattr(draw, part), part)
    }
    for told_already in ("motion.cycles", "motion.exercise", "motion.lead"):
        del values[told_already]
    values |= dict(flatten(draw.motion.cycles[cycle], "motion.cycle"))
    values |= {f"redraws.{reason}": done.redraws[reason] for reason in REDRAW_REASONS}
    return values | dict(flatten(done.outcome, "outcome"))


def flatten(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    """The leaves of a dataclass under dotted names; tuples of numbers are leaves."""
    if not is_dataclass(value):
        yield name, value
        return
    for item in fields(value):
        yield from flatten(getattr(value, item.name), f"{name}.{item.name}")
