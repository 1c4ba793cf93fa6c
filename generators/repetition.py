"""From a recipe and an index to arrays: draw, plan, simulate, measure."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, is_dataclass, replace
from typing import Any

import numpy as np

from generators.recipe import Recipe
from generators.store import Repetition, Worn
from generators.streams import Streams, record
from squat_env.activities import sample_setting
from squat_env.assessment import Performance, assess
from squat_env.draws import choose
from squat_env.faults import FAULTS, severities
from squat_env.geometry import InfeasibleMotion
from squat_env.landmarks import joint_angles
from squat_env.population import ATTEMPTS, Draw, Prepared, Seeds, Wearing, prepare
from squat_env.sensors import Scene, observe_scenes, read_sensors
from squat_env.simulate import Outcome, Simulation, SimulationFailed, judge, simulate
from squat_env.surroundings import Setting
from squat_env.take import Take, capture
from squat_env.timeline import STAND

BLOCK = 30
"""Repetitions that are drawn, simulated and measured together."""
REDRAW_REASONS = (
    "watch_inside",
    "phone_inside",
    "reach",
    "tempo",
    "ankle",
    "hip",
    "stance",
    "balance",
    "feet",
    "warning",
    "fall",
    "depth",
    "heel",
    "slip",
)


@dataclass(frozen=True, kw_only=True)
class DrawnSet:
    """A set that is ready for the physics.

    Attributes:
        prepared: What is to be simulated.
        redraws: The refused draws so far by reason.
        failed: How many of them failed in the physics.
    """

    prepared: Prepared
    redraws: Counter
    failed: int = 0


@dataclass(frozen=True, kw_only=True)
class SimulatedSet:
    """A set that succeeded, with everything that led to it."""

    prepared: Prepared
    simulation: Simulation
    outcome: Outcome
    redraws: Counter


def make_repetitions(
    recipe: Recipe, start: int, stop: int, *, simulated: Callable[[Recipe, int], SimulatedSet] | None = None
) -> Iterator[Repetition]:
    """Makes the repetitions `start` to `stop - 1` of a recipe.

    A repetition depends on the recipe and its index alone; sets that lie across the ends are made whole and cut.

    Args:
        recipe: What to make.
        start, stop: Indices.
        simulated: Gives a set by its number; `simulate_sets` gives several where None.
    """
    size = recipe.repetitions_a_set
    numbers, together = range(start // size, -(-stop // size)), max(1, BLOCK // size)
    for block in (numbers[k : k + together] for k in range(0, len(numbers), together)):
        sets = (simulated(recipe, number) for number in block) if simulated else simulate_sets(recipe, block)
        for number, done in zip(block, sets, strict=True):
            for repetition in measure_set(recipe, number, done):
                if start <= repetition.index < stop:
                    yield repetition


def simulate_set(recipe: Recipe, number: int) -> SimulatedSet:
    """Draws and simulates set `number`, as `simulate_sets` does several."""
    return next(simulate_sets(recipe, [number]))


def simulate_sets(recipe: Recipe, numbers: Sequence[int]) -> Iterator[SimulatedSet]:
    """Draws and simulates sets; one that fails in the physics is drawn again and the reason counted.

    All are drawn before the first is simulated: it takes a tenth less time outside the physics, as the processor keeps
    at hand what drawing needs. What goes wrong with a set is raised in its place.

    Raises:
        RuntimeError: No draw of a set succeeded.
        ValueError: The recipe wants other physics than MuJoCo's own.
    """
    if recipe.physics != "mujoco":
        raise ValueError(f"the recipe's physics is {recipe.physics}, expected mujoco here; make it with --backend warp")
    drawn: list[DrawnSet] = []
    done: list[SimulatedSet] = []
    failure: Exception | None = None
    try:
        for number in numbers:
            drawn.append(draw_set(recipe, number, over=drawn[-1].prepared if drawn else None))
    except Exception as error:
        failure = error
    try:
        for number, one in zip(numbers, drawn, strict=False):
            done.append(_succeeded(recipe, number, one))
    except Exception as error:
        failure = error
    yield from done
    if failure is not None:
        raise failure


def _succeeded(recipe: Recipe, number: int, drawn: DrawnSet) -> SimulatedSet:
    """A set in the physics, drawn again until it does not fail there."""
    while True:
        done = judge_set(drawn, _simulate(drawn.prepared))
        if isinstance(done, SimulatedSet):
            return done
        drawn = draw_set(recipe, number, after=done, over=done.prepared)


def draw_set(recipe: Recipe, number: int, *, after: DrawnSet | None = None, over: Prepared | None = None) -> DrawnSet:
    """Draws set `number`, or draws its motion again after a draw that failed in the physics.

    The memory of a set that is `over`, or that others wait beside, is used again where it serves.

    Raises:
        RuntimeError: Too many draws have failed.
    """
    seeds = Seeds(seed=recipe.seed, index=number)
    what: dict[str, Any] = {
        "exercise": draw_exercise(recipe, seeds),
        "faults": recipe.faults,
        "repetitions": recipe.repetitions_a_set,
        "mountings": recipe.mountings,
        "data": over.data if over else None,
    }
    if after is None:
        prepared = prepare(recipe.population, seeds, **what)
        return DrawnSet(prepared=prepared, redraws=Counter(prepared.redraws))
    if after.failed >= ATTEMPTS:
        raise RuntimeError(
            f"set {number} of seed {recipe.seed} failed in {ATTEMPTS} draws ({dict(after.redraws)}), expected one to"
            " succeed; narrow the recipe's population"
        )
    draw = after.prepared.draw
    prepared = prepare(
        recipe.population,
        seeds,
        **what,
        body=draw.body,
        placement=draw.placement,
        equipment=draw.equipment,
        devices=draw.devices,
        also=draw.also,
        first_attempt=after.prepared.attempt + 1,
    )
    return DrawnSet(prepared=prepared, redraws=after.redraws + prepared.redraws, failed=after.failed)


def draw_exercise(recipe: Recipe, seeds: Seeds) -> str:
    """The exercise of a set."""
    return choose(seeds.generator("exercise"), recipe.exercises)


def _simulate(prepared: Prepared) -> Simulation | SimulationFailed:
    try:
        return simulate(prepared.model, prepared.reference, prepared.data)
    except SimulationFailed as error:
        return error


def judge_set(drawn: DrawnSet, simulation: Simulation | SimulationFailed) -> SimulatedSet | DrawnSet:
    """The set if it kept to its plan; otherwise the draw, with the failure counted."""
    prepared = drawn.prepared
    if isinstance(simulation, SimulationFailed):
        return _failed(drawn, simulation.reason)
    outcome = judge(prepared.model, prepared.reference, simulation)
    if outcome.failure is not None:
        return _failed(drawn, outcome.failure)
    return SimulatedSet(prepared=prepared, simulation=simulation, outcome=outcome, redraws=drawn.redraws)


def _failed(drawn: DrawnSet, reason: str) -> DrawnSet:
    return replace(drawn, redraws=drawn.redraws + Counter({reason: 1}), failed=drawn.failed + 1)


def measure_set(recipe: Recipe, number: int, done: SimulatedSet) -> Iterator[Repetition]:
    """Cuts a simulated set into repetitions, each with its measured streams and labels."""
    prepared = done.prepared
    setting, take = surround(recipe, number, done)
    every = round(1.0 / (recipe.rate_hz * (take.simulation.time[1] - take.simulation.time[0])))
    scenes = observe_scenes(prepared.model, take.simulation.qpos[::every], prepared.data)
    sample = _shared(take, scenes[0], every)
    worn = _record_all(recipe, number, prepared, take.simulation, scenes, every)
    for cycle, begin in enumerate(take.starts[:-1]):
        rows, time = take.repetition[::every] == cycle, sample["time"] - begin
        first, *also = (_cut(streams, rows, take.starts, cycle) for streams in worn)
        yield Repetition(
            index=number * recipe.repetitions_a_set + cycle,
            sample={name: values[rows] for name, values in (sample | {"time": time}).items()} | first.sample,
            range=first.range,
            repetition={"set": number, "repetition": cycle, "subject": number, **_form(recipe, prepared.draw)},
            drawn=_drawn(done, cycle) | _measured(done, take, rows, sample, every) | _drawn_around(setting, take),
            also=tuple(
                Worn(sample=streams.sample, range=streams.range, drawn=_drawn_of(wearing))
                for streams, wearing in zip(also, prepared.draw.also, strict=True)
            ),
        )


def surround(recipe: Recipe, number: int, done: SimulatedSet) -> tuple[Setting, Take]:
    """Draws what surrounds the repetitions of a simulated set, again where a leg would be too short for it.

    Raises:
        RuntimeError: No draw was possible.
    """
    draw, exercise = done.prepared.draw, done.prepared.reference.exercise
    seeds = Seeds(seed=recipe.seed, index=number)
    for attempt in range(ATTEMPTS):
        setting = sample_setting(
            recipe.population.surroundings,
            seeds.generator("surroundings", attempt),
            body=draw.body,
            motion=draw.motion,
            has_seat=exercise.height == "seat",
            hands_free=draw.equipment.load == "none",
            stands=exercise.height != "floor",
        )
        try:
            return setting, capture(done.prepared, done.simulation, setting)
        except InfeasibleMotion as error:
            done.redraws[error.reason] += 1
    raise RuntimeError(
        f"nothing that was drawn in {ATTEMPTS} draws can surround set {number} of seed {recipe.seed}; "
        "narrow the recipe's population.surroundings"
    )


def _shared(take: Take, scene: Scene, every: int) -> dict[str, np.ndarray]:
    """What all mountings have in common: times, labels and the body's pose."""
    phase = take.phase[::every]
    outside_and_down = (take.activity[::every] != 0) & (phase == 0) & (take.phase4[::every] == STAND)
    return {
        "time": take.simulation.time[::every],
        "phase": phase,
        "phase4": np.where(outside_and_down, np.int8(-1), take.phase4[::every]),
        "activity": take.activity[::every],
        "dynamics": take.dynamics[::every],
        "joint_angles": joint_angles(scene.landmarks),
        "landmarks": scene.landmarks,
    }


def _record_all(
    recipe: Recipe, number: int, prepared: Prepared, simulation: Simulation, scenes: list[Scene], every: int
) -> list[Streams]:
    seeds = Seeds(seed=recipe.seed, index=number)
    return [
        record(recipe, seeds, k, wearing, read_sensors(prepared.model, simulation, k), scene, every)
        for k, (wearing, scene) in enumerate(zip(prepared.draw.worn, scenes, strict=True))
    ]


def _cut(streams: Streams, rows: np.ndarray, starts: np.ndarray, cycle: int) -> Streams:
    """A repetition's part of what was recorded, its times counted from its start."""
    time, last = streams.range["range_time"], cycle == len(starts) - 2
    within = (time >= starts[cycle]) & ((time < starts[cycle + 1]) | last)
    readings = {name: values[within] for name, values in streams.range.items()}
    readings["range_time"] = readings["range_time"] - starts[cycle]
    return Streams(sample={name: values[rows] for name, values in streams.sample.items()}, range=readings)


def _form(recipe: Recipe, draw: Draw) -> dict[str, int | str]:
    """What was done, the side that leads, and whether no fault is severe."""
    found = severities(draw.motion, draw.body).values()
    return {
        "exercise": draw.motion.exercise,
        "lead": draw.motion.lead,
        "correct": int(all(severity < recipe.correct_below for severity in found)),
    }


def _drawn(done: SimulatedSet, cycle: int) -> dict[str, Any]:
    """Everything drawn for a repetition under dotted names, the redraws by reason, and how well it went."""
    draw = done.prepared.draw
    values = {
        name: value
        for part in ("body", "placement", "equipment", "motion", "devices")
        for name, value in flatten(getattr(draw, part), part)
    }
    for told_elsewhere in ("motion.cycles", "motion.exercise", "motion.lead"):
        del values[told_elsewhere]
    values |= dict(flatten(draw.motion.cycles[cycle], "motion.cycle"))
    found = severities(draw.motion, draw.body)
    values |= {f"severity.{name}": found.get(name, 0.0) for name in FAULTS}
    values |= {f"redraws.{reason}": done.redraws[reason] for reason in REDRAW_REASONS}
    return values | dict(flatten(done.outcome, "outcome"))


def _drawn_around(setting: Setting, take: Take) -> dict[str, Any]:
    """How the person walks, and how much was done around the set's repetitions."""
    played = take.dynamics == 0
    return dict(flatten(setting.gait, "gait")) | {
        "surroundings.from_seat": int(setting.seated),
        "surroundings.haste": setting.haste,
        "surroundings.steps": sum(len(one.steps) for one in setting.interludes),
        "surroundings.played_s": float(played.sum() * (take.simulation.time[1] - take.simulation.time[0])),
    }


def _measured(
    done: SimulatedSet, take: Take, rows: np.ndarray, sample: dict[str, np.ndarray], every: int
) -> dict[str, float]:
    """Severity of every fault in what was done in the samples of one repetition, which sway and fatigue change."""
    rows = rows & (sample["activity"] == 0)
    found = assess(
        Performance(
            exercise=done.prepared.draw.motion.exercise,
            lead=done.prepared.reference.lead,
            time=sample["time"][: rows.sum()],
            qpos=take.simulation.qpos[::every][rows],
            landmarks=sample["landmarks"][rows],
        )
    )
    return {f"measured.{name}": found.get(name, 0.0) for name in FAULTS}


def _drawn_of(wearing: Wearing) -> dict[str, Any]:
    """What was drawn for a further mounting, under the names that the first one's has."""
    return dict(flatten(wearing.placement, "placement")) | dict(flatten(wearing.devices, "devices"))


def flatten(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    """The leaves of a dataclass under dotted names; all that is no dataclass is one."""
    for item, part in vars(value).items():
        if is_dataclass(part):
            yield from flatten(part, f"{name}.{item}")
        else:
            yield f"{name}.{item}", part
