"""What an agent is given to do, to see and to move: the arguments of the environment, and its spaces."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from gymnasium import spaces

from squat_env.body import Body
from squat_env.exercises import EXERCISES
from squat_env.model import TIMESTEP_S, joint_names
from squat_env.motion import Motion
from squat_env.placement import Placement
from squat_env.population import Population
from squat_env.wearables import DEVICES

JOINTS = len(joint_names())
PHYSICS_HZ = round(1 / TIMESTEP_S)
CONTROL_HZ = tuple(rate for rate in range(10, 201) if PHYSICS_HZ % rate == 0)
ACCEL_LIMIT = 8 * 9.80665  # m/s^2, full scale
GYRO_LIMIT = float(np.deg2rad(2000.0))  # rad/s, full scale
RANGE_LIMIT = 5.0  # m; no two places on a body are further apart
ANGLE_LIMIT = 2 * math.pi  # rad, of a joint
RESIDUAL_RAD = np.float64(0.2)  # what an action of 1 adds to a joint's target
SPEED_LIMIT = 100.0  # rad/s, of a joint; people throw with half of it
FIXABLE: dict[str, type] = {"body": Body, "placement": Placement, "motion": Motion}


@dataclass(frozen=True, kw_only=True)
class Task:
    """The arguments of `SquatSensor-v0`.

    Attributes:
        exercise: What the wearer does, one of `EXERCISES`.
        reps: Repetitions of a set.
        control_hz: Steps a second, one of 10, 16, 20, 25, 40, 50, 80, 100, 200.
        range_hz: Readings of the range a second, above 0 and not above `control_hz`.
        sensing: "measured" with the devices' errors, "ideal" without.
        device_level: Factor on the devices' errors, 0 (ideal) to 10.
        faults: Severity, 0 to 1, of faults by name.
        body, placement, motion: Fixed for every episode instead of drawn; `reset(options={...})` takes them too.
        population: What is drawn from.
        proprioception: The observation has joint angles and velocities too.

    Raises:
        ValueError: An argument is outside what it may be.
    """

    exercise: str = "squat"
    reps: int = 1
    control_hz: int = 20
    range_hz: float = 5.0
    sensing: Literal["measured", "ideal"] = "measured"
    device_level: float = 1.0
    faults: Mapping[str, float] | None = None
    body: Body | None = None
    placement: Placement | None = None
    motion: Motion | None = None
    population: Population = Population()
    proprioception: bool = False

    def __post_init__(self):
        _refuse(self.exercise not in tuple(EXERCISES), "exercise", self.exercise, f"one of {', '.join(EXERCISES)}")
        _refuse(not (isinstance(self.reps, int) and 1 <= self.reps <= 100), "reps", self.reps, "1 to 100")
        _refuse(self.control_hz not in CONTROL_HZ, "control_hz", self.control_hz, f"one of {CONTROL_HZ}")
        _refuse(
            not 0 < self.range_hz <= self.control_hz, "range_hz", self.range_hz, f"above 0 and up to {self.control_hz}"
        )
        _refuse(self.sensing not in ("measured", "ideal"), "sensing", self.sensing, "'measured' or 'ideal'")
        _refuse(not 0 <= self.device_level <= 10, "device_level", self.device_level, "a factor from 0 (ideal) to 10")
        known = EXERCISES[self.exercise].faults
        for name, severity in (self.faults or {}).items():
            _refuse(name not in known, f"a fault of {self.exercise}", name, f"one of {', '.join(known)}")
            _refuse(not 0.0 <= severity <= 1.0, f"fault {name}", severity, "a severity from 0 to 1")
        self.fixed({})

    @property
    def ticks(self) -> int:
        """Physics steps of one step of the environment."""
        return PHYSICS_HZ // int(self.control_hz)

    @property
    def drawn_from(self) -> Population:
        """The population with the devices' errors at the level that was asked for."""
        level = self.device_level if self.sensing == "measured" else 0.0
        return replace(self.population, devices=replace(self.population.devices, level=level))

    def fixed(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """What is not drawn: the task's own fixed draws with `options` over them; None is drawn.

        Raises:
            ValueError: An option is unknown, of another type than what is drawn, or a motion of another exercise.
        """
        _refuse(bool(set(options) - set(FIXABLE)), "options", sorted(options), f"only {', '.join(FIXABLE)}")
        fixed = {name: getattr(self, name) for name in FIXABLE} | dict(options)
        for name, kind in FIXABLE.items():
            wrong = fixed[name] is not None and not isinstance(fixed[name], kind)
            _refuse(wrong, name, fixed[name], f"a {kind.__module__}.{kind.__name__}")
        if motion := fixed["motion"]:
            _refuse(motion.exercise != self.exercise, "motion.exercise", motion.exercise, repr(self.exercise))
        return fixed


def _refuse(wrong: bool, name: str, value: object, expected: str) -> None:
    if wrong:
        raise ValueError(f"{name} is {value!r}, expected {expected}")


@dataclass(frozen=True)
class Part:
    """One key of the observation: its name, number of values, and bounds."""

    name: str
    size: int
    low: float
    high: float


def layout(task: Task) -> list[Part]:
    """The observation's keys, in the order of the columns of a row that holds all of them."""
    limits = {"accel": ACCEL_LIMIT, "gyro": GYRO_LIMIT}
    parts = [Part(f"{device}_{kind}", 3, -limits[kind], limits[kind]) for device in DEVICES for kind in limits]
    parts += [Part("range", 1, 0.0, RANGE_LIMIT), Part("range_valid", 1, 0.0, 1.0)]
    if task.proprioception:
        parts.append(Part("joint_position", JOINTS, -ANGLE_LIMIT, ANGLE_LIMIT))
        parts.append(Part("joint_velocity", JOINTS, -SPEED_LIMIT, SPEED_LIMIT))
    return parts


def columns(task: Task) -> dict[str, slice]:
    """Where each key of the observation is in a row of all values."""
    ends = np.cumsum([part.size for part in layout(task)]).tolist()
    return {part.name: slice(end - part.size, end) for part, end in zip(layout(task), ends, strict=True)}


def observation_space(task: Task) -> spaces.Dict:
    """What an agent sees."""
    return spaces.Dict({part.name: spaces.Box(part.low, part.high, (part.size,), np.float32) for part in layout(task)})


def action_space() -> spaces.Box:
    """What an agent moves: one residual a joint."""
    return spaces.Box(-1.0, 1.0, (JOINTS,), np.float32)
