"""Who squats, how, and wearing what: everything that is drawn for a set, from one seed."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import mujoco
import numpy as np

from squat_env.body import Body, BodyRanges, sample_body
from squat_env.crossing import body_shapes
from squat_env.devices import DeviceRanges, Devices, sample_devices
from squat_env.draws import uniform
from squat_env.equipment import Equipment
from squat_env.exercises import exercise_named, sample_equipment
from squat_env.faults import FaultRanges, sample_faults, with_faults
from squat_env.geometry import InfeasibleMotion, TooFast
from squat_env.model import build_model
from squat_env.motion import Motion, MotionRanges, sample_motion, slowed
from squat_env.placement import Placement, PlacementRanges, sample_placement
from squat_env.reference import Reference, find_route, plan
from squat_env.simulate import reset_data
from squat_env.surface import same_limb
from squat_env.surroundings import Surroundings
from squat_env.wearables import DEVICES, worn

ATTEMPTS = 200  # redraws before a population is refused
MOTIONS_A_FAULT = 20  # draws of a motion before other faults are drawn
MOTIONS_A_DEPTH = 20  # draws of a motion before another depth is drawn, lest what is hard to do becomes rare
LEISURE = (1.02, 1.4)  # how much longer than needed somebody takes whose tempo was impossible (assumed)
EMBEDDED_M = 0.02  # how deep a device may press into cloth and flesh


@dataclass(frozen=True, kw_only=True)
class Population:
    """The ranges that a wearer is drawn from.

    Attributes:
        body, placement, devices: Of every exercise.
        motion: None for the exercise's own ranges.
        surroundings: What is done before, between and after the repetitions of a recorded set.
    """

    body: BodyRanges = BodyRanges()
    motion: MotionRanges | None = None
    placement: PlacementRanges = PlacementRanges()
    devices: DeviceRanges = DeviceRanges()
    surroundings: Surroundings = Surroundings()


@dataclass(frozen=True, kw_only=True)
class Seeds:
    """Independent streams of random numbers for one set, one stream a group.

    A new parameter in one group leaves the draws of the others as they are.

    Attributes:
        seed: Of the whole dataset or run.
        index: Of the set.
    """

    seed: int
    index: int

    GROUPS = (
        *("body", "placement", "motion", "devices", "noise", "equipment", "exercise", "faults", "surroundings"),
        "depth",
    )

    def generator(self, group: str, attempt: int = 0, mounting: int = 0) -> np.random.Generator:
        """The stream of a group at a given attempt to draw it, for one of the mountings worn at once."""
        key = (self.index, self.GROUPS.index(group), attempt) + ((mounting,) if mounting else ())
        return np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=key))


@dataclass(frozen=True, kw_only=True)
class Wearing:
    """A watch and a phone: where they sit, and how well they and their link measure."""

    placement: Placement
    devices: Devices


@dataclass(frozen=True, kw_only=True)
class Draw:
    """One wearer: everything that was drawn for a set.

    Attributes:
        body, placement, equipment, motion, devices: Who does what, wearing what.
        also: What is worn besides, to record one movement in several ways at once.
    """

    body: Body
    placement: Placement
    equipment: Equipment
    motion: Motion
    devices: Devices
    also: tuple[Wearing, ...] = ()

    @property
    def worn(self) -> tuple[Wearing, ...]:
        """All that is worn at once, by number of the mounting."""
        return Wearing(placement=self.placement, devices=self.devices), *self.also


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A drawn set, ready to be simulated.

    Attributes:
        draw: The wearer.
        model, reference: What is to be simulated.
        attempt: The attempt at which the motion was possible.
        redraws: The refused draws by reason.
        data: Memory of MuJoCo's for the model, which whoever goes on with the set overwrites; None in a pickle.
    """

    draw: Draw
    model: mujoco.MjModel = field(repr=False)
    reference: Reference = field(repr=False)
    attempt: int
    redraws: Counter
    data: mujoco.MjData | None = field(repr=False, compare=False)

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"data": None}


def prepare(
    population: Population,
    seeds: Seeds,
    *,
    exercise: str = "squat",
    faults: Mapping[str, float] | FaultRanges | None = None,
    repetitions: int = 1,
    body: Body | None = None,
    placement: Placement | None = None,
    equipment: Equipment | None = None,
    motion: Motion | None = None,
    devices: Devices | None = None,
    also: Sequence[Wearing] | None = None,
    mountings: int = 1,
    first_attempt: int = 0,
    data: mujoco.MjData | None = None,
) -> Prepared:
    """Draws a wearer, builds the model and plans the set; what is physically impossible is drawn again and counted.

    Args:
        population: Ranges of what is not given.
        seeds: Where the draws come from.
        exercise: Key of `EXERCISES`; a given motion has its own.
        faults: Severities 0-1 by name, put into a drawn motion; a fault that is named with 0 is absent, others are as
            people happen to have them. Where ranges are given, faults that this person cannot have at once are drawn
            again too.
        repetitions: Of the set.
        body, placement, equipment, motion, devices: Given values; they are not drawn, and refused if impossible.
        also: What is worn besides; drawn where it is not given.
        mountings: How many watches and phones are worn at once, all in all.
        first_attempt: Where the draws of the motion begin; a caller whose simulation failed goes on after the last one.
        data: Of a set that is over, overwritten and used again where the layout is the same.

    Raises:
        InfeasibleMotion: A given motion is impossible for the body.
        ValueError: There is no such exercise or fault, a given placement is inside the body, or no possible draw was
            found.
    """
    redraws: Counter = Counter()
    kind = exercise_named(motion.exercise if motion else exercise)
    body = body or sample_body(population.body, seeds.generator("body"))
    devices = devices or sample_devices(population.devices, seeds.generator("devices"))
    equipment = equipment or sample_equipment(kind, body, seeds.generator("equipment"))
    balance = kind.feedback is not None or _rises(motion, faults)
    given = {0: placement} if placement else {}
    given |= {k: wearing.placement for k, wearing in enumerate(also or (), start=1)}
    placements, model, data = _place(population, seeds, balance, body, equipment, given, mountings, redraws, data)
    also = also or [
        Wearing(placement=place, devices=sample_devices(population.devices, seeds.generator("devices", mounting=k)))
        for k, place in enumerate(placements[1:], start=1)
    ]
    ranges = population.motion or kind.ranges
    for attempt in range(first_attempt, first_attempt + ATTEMPTS):
        drawn, haste = motion, 0.0
        rng = seeds.generator("motion", attempt)
        if drawn is None:
            depth = float(seeds.generator("depth", attempt // MOTIONS_A_DEPTH).random())
            drawn = sample_motion(ranges, rng, exercise=exercise, repetitions=repetitions, depth=depth)
            wrong = _drawn_faults(faults, exercise, seeds, attempt)
            drawn, haste = with_faults(drawn, body, wrong), wrong.get("too_fast", 0.0)
        try:
            if motion is not None or haste > 0:
                reference = plan(model, body, drawn, equipment, data)
            else:
                drawn, reference = _plan_possible_tempo(model, data, body, drawn, equipment, rng, redraws)
        except InfeasibleMotion as error:
            if motion is not None:
                raise
            redraws[error.reason] += 1
            continue
        draw = Draw(
            body=body,
            placement=placements[0],
            equipment=equipment,
            motion=drawn,
            devices=devices,
            also=tuple(also),
        )
        return Prepared(draw=draw, model=model, reference=reference, attempt=attempt, redraws=redraws, data=data)
    raise ValueError(f"no possible motion in {ATTEMPTS} draws ({dict(redraws)}); widen MotionRanges or ask less of it")


def _plan_possible_tempo(
    model: mujoco.MjModel,
    data: mujoco.MjData,
    body: Body,
    motion: Motion,
    equipment: Equipment,
    rng: np.random.Generator,
    redraws: Counter,
) -> tuple[Motion, Reference]:
    """Plans a set; one that this body cannot do so fast is slowed down, which counts as a redraw of its tempo."""
    route = find_route(model, data, body, motion, equipment)
    try:
        return motion, plan(model, body, motion, equipment, data, route)
    except TooFast as error:
        redraws[error.reason] += 1
        slower = slowed(motion, error.slowdown * uniform(rng, *LEISURE))
        return slower, plan(model, body, slower, equipment, data, route)


def _rises(motion: Motion | None, faults: Mapping[str, float] | FaultRanges | None) -> bool:
    """Whether heels may rise, which takes feedback."""
    if motion is not None:
        return motion.heel_rise_deg > 0
    return isinstance(faults, FaultRanges) or bool((faults or {}).get("heel_rise"))


def _drawn_faults(
    faults: Mapping[str, float] | FaultRanges | None, exercise: str, seeds: Seeds, attempt: int
) -> Mapping[str, float]:
    if isinstance(faults, FaultRanges):
        return sample_faults(faults, exercise, seeds.generator("faults", attempt // MOTIONS_A_FAULT))
    return faults or {}


def _place(
    population: Population,
    seeds: Seeds,
    balance: bool,
    body: Body,
    equipment: Equipment,
    given: Mapping[int, Placement],
    mountings: int,
    redraws: Counter,
    data: mujoco.MjData | None,
) -> tuple[list[Placement], mujoco.MjModel, mujoco.MjData]:
    """Draws the placements that are not given; each is drawn again where it is inside the body, whatever the others."""
    drawn = [k for k in range(mountings) if k not in given]
    tried, placements = [0] * mountings, dict(given)
    while max(tried) < ATTEMPTS:
        for k in drawn:
            rng = seeds.generator("placement", tried[k], k)
            placements[k] = sample_placement(population.placement, rng, hands_free=equipment.load != "none")
        every = [placements[k] for k in range(mountings)]
        model = build_model(body, every[0], equipment, balance=balance, also=every[1:])
        data = reset_data(model, data)
        inside = devices_inside(model, data, range(mountings))
        if not inside:
            return every, model, data
        for k in inside.keys() & given.keys():
            raise ValueError(f"the {inside[k]} is inside the body, expected it on the surface; move the placement")
        drawn = list(inside)
        for k, device in inside.items():
            redraws[f"{device}_inside"] += 1
            tried[k] += 1
    raise ValueError(f"no placement outside the body in {ATTEMPTS} draws ({dict(redraws)}); widen PlacementRanges")


def devices_inside(model: mujoco.MjModel, data: mujoco.MjData, mountings: Iterable[int]) -> dict[int, str]:
    """For each mounting with a device more than `EMBEDDED_M` inside the standing body, as data begin: which it is.

    An arm is no obstacle for what is worn elsewhere, nor the thigh for what is worn on an arm: in the neutral pose the
    hanging arms cross the thighs, in a motion they hardly do.
    """
    mujoco.mj_kinematics(model, data)
    body, geom, carriers = mujoco.mjtObj.mjOBJ_BODY, mujoco.mjtObj.mjOBJ_GEOM, model.geom_bodyid.tolist()
    parts = {shape: mujoco.mj_id2name(model, body, carriers[shape]) for shape in body_shapes(model).tolist()}

    def inside(name: str) -> bool:
        device = mujoco.mj_name2id(model, geom, name)
        carrier = mujoco.mj_id2name(model, body, carriers[device])
        near = [shape for shape, part in parts.items() if same_limb(carrier, part)]
        return any(mujoco.mj_geomDistance(model, data, device, shape, 1.0, None) < -EMBEDDED_M for shape in near)

    found = {k: [name for name in DEVICES if inside(worn(name, k))] for k in mountings}
    return {k: names[0] for k, names in found.items() if names}
