"""One set of one wearer as an agent lives it: what is drawn at its start, what each step does, shows and pays."""

import math
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import mujoco
import numpy as np
from gymnasium.error import ResetNeeded

from squat_env.faults import severities
from squat_env.info import Info
from squat_env.instruments import UNIT_COLUMNS, Panel, RangeLink, draw_units, tame
from squat_env.kernels import squares
from squat_env.labels import Phases
from squat_env.landmarks import joint_angles
from squat_env.population import Seeds, prepare
from squat_env.sensors import Scene, Surveyor
from squat_env.simulate import FALLEN_HEIGHT, initial_state
from squat_env.stepping import Controller, Moment, Stepper
from squat_env.task import ANGLE_LIMIT, JOINTS, RANGE_LIMIT, RESIDUAL_RAD, SPEED_LIMIT, Task, layout

TRACKING_RAD = 0.1  # rms error of the joints at which the tracking term has come down to 1/e
EFFORT = 0.1  # what a mean squared action of 1 costs


def next_seed(rng: np.random.Generator) -> int:
    """The seed of an environment's next set, drawn from its random numbers."""
    return int(rng.integers(2**63))


class Episode:
    """A set from its draw to its end. A copy or a pickle of it goes on with the same bits.

    Attributes:
        draw, model, reference: As `population.prepare` gives them.
        start: The first moment.
        controller: Tells the actuators what to do.
        panel: Reads the inertial units.
        planned: (S, 29) the joints at each step [rad].
        surveyor: Looks at the wearer.
        qpos: (nq,) of the present state.
        step: Steps of the environment done.
        fallen: The pelvis has come below half its planned height, or the physics has failed.
    """

    def __init__(self, task: Task, seed: int, options: Mapping[str, Any], data: mujoco.MjData | None = None):
        """Draws and plans a set.

        Args:
            task: What is done.
            seed: Of everything.
            options: Fixes draws by name, over what the task fixes.
            data: Of an episode that is over, used again where it serves.

        Raises:
            ValueError: A fixed draw is not of its kind, or physically impossible.
        """
        fixed = task.fixed(options)
        seeds = Seeds(seed=seed, index=0)
        prepared = prepare(
            task.drawn_from,
            seeds,
            exercise=task.exercise,
            faults=task.faults,
            repetitions=task.reps,
            data=data,
            **fixed,
        )
        self.draw, self.model, self.reference = prepared.draw, prepared.model, prepared.reference
        _, data = initial_state(self.model, self.reference, prepared.data)
        self.start = Moment.of(self.model, data)
        self.controller = Controller(self.model, self.reference)
        self.surveyor = Surveyor(self.model, data)
        self.task, self.step, self.fallen = task, 0, False
        self._ticks, self._proprioception = task.ticks, task.proprioception
        self._plan()
        self._equip(seeds.generator("noise"))

    def _plan(self) -> None:
        """What is planned at each step."""
        qpos = self.reference.qpos
        rows = np.arange(0, len(qpos), self.task.ticks)
        self.last_step = (len(qpos) - 1) // self.task.ticks
        self._lowest = (FALLEN_HEIGHT * qpos[rows, 2]).tolist()
        self.planned = np.ascontiguousarray(qpos[rows, 7:])
        self._tracking, self._effort = 1.0 / (JOINTS * TRACKING_RAD**2), EFFORT / float(JOINTS * RESIDUAL_RAD**2)
        self.qpos, self._qvel = self.start.qpos(self.model), self.start.qvel(self.model)

    def _equip(self, rng: np.random.Generator) -> None:
        """The devices, and at which steps the link is read."""
        limits = np.concatenate([np.full(part.size, part.high) for part in layout(self.task)])[:UNIT_COLUMNS]
        readings = np.floor(np.arange(self.last_step + 1) * self.task.range_hz / self.task.control_hz + 1e-9)
        self._due = (np.diff(readings, prepend=-1.0) > 0).tolist()
        units = draw_units(
            self.draw,
            rng,
            samples=self.last_step + 1,
            rate_hz=self.task.control_hz,
            ticks=self._ticks,
            limits=limits,
        )
        self.panel = Panel(units)
        self._link = RangeLink(self.draw.devices.range, rng, readings=sum(self._due), rate_hz=self.task.range_hz)
        self._range = 0.0

    @cached_property
    def stepper(self) -> Stepper:
        """The physics of a wearer who goes alone; a lane of several has none of its own."""
        return Stepper(self.model, self.controller, self.start, self.surveyor.data)

    @cached_property
    def phases(self) -> Phases:
        """What divides upright from down."""
        return Phases.of(self.reference)

    @property
    def over(self) -> bool:
        """The set has come to its end without a fall."""
        return self.step >= self.last_step and not self.fallen

    def begin(self, row: np.ndarray) -> None:
        """Writes what the agent sees first, see `advance`."""
        self.panel.start(self.start.sensors, self._ticks, row[:UNIT_COLUMNS])
        self._observe(row)

    def advance(self, residual: np.ndarray, row: np.ndarray) -> dict[str, float]:
        """Goes one step on.

        Args:
            residual: (29,) added to the controller's targets [rad].
            row: (W,) float32 in the columns of `task.layout`, overwritten with what the agent sees then.

        Returns:
            The terms of the reward by name.

        Raises:
            ResetNeeded: The set is over.
        """
        if self.fallen or self.step >= self.last_step:
            raise ResetNeeded("the set is over, expected reset() before another step")
        stepper = self.stepper
        readings = stepper.advance(self._ticks, residual)
        self.move(stepper.qpos.copy(), stepper.qvel.copy() if self._proprioception else self._qvel, stepper.warned)
        self.panel.read(self.step, tame(readings) if self.fallen else readings, row[:UNIT_COLUMNS])
        return self.settle(row, *squares(self.qpos, self.planned[self.step], residual))

    def move(self, qpos: np.ndarray, qvel: np.ndarray, warned: bool) -> None:
        """Goes one step on, which the physics has done.

        Args:
            qpos, qvel: (nq,), (nv,) of the state that it has led to; nobody overwrites them.
            warned: They are not to be trusted: the wearer stays where he was, and has fallen.
        """
        self.step += 1
        if not warned:
            self.qpos, self._qvel = qpos, qvel
        self.fallen = warned or qpos.item(2) < self._lowest[self.step]

    def settle(self, row: np.ndarray, missed: float, added: float) -> dict[str, float]:
        """Ends a step: `advance` from the inertial units on, given the `kernels.squares` of the step."""
        self._observe(row)
        return {
            "upright": 0.0 if self.fallen else 1.0,
            "tracking": math.exp(-missed * self._tracking),
            "effort": -added * self._effort,
        }

    def _observe(self, row: np.ndarray) -> None:
        """Writes what the agent sees besides the inertial units."""
        row[UNIT_COLUMNS + 1] = self._due[self.step] and self._read_range()
        row[UNIT_COLUMNS] = self._range
        if self._proprioception:
            row[UNIT_COLUMNS + 2 :][:JOINTS] = np.clip(self.qpos[7:], -ANGLE_LIMIT, ANGLE_LIMIT)
            row[UNIT_COLUMNS + 2 :][JOINTS:] = np.clip(self._qvel[6:], -SPEED_LIMIT, SPEED_LIMIT)

    def _read_range(self) -> bool:
        """Reads the link; False where nothing came."""
        reading = self._link.read(*self.surveyor.sight(self.qpos))
        if math.isnan(reading):
            return False
        self._range = min(reading, RANGE_LIMIT)
        return True

    def info(self, **known: Any) -> Info:
        """What is true of the wearer now; all but `known` is worked out when it is read."""
        return Info(known, Truth(self))


class Truth:
    """The wearer at one step, as no device sees him; every property is one value of `info`."""

    __slots__ = ("_episode", "_looked", "_qpos", "_step")
    names = (
        *("phase", "phase4", "repetition", "progress", "joint_angles", "landmarks"),
        *("range_true", "line_of_sight", "body_thickness", "faults"),
    )

    def __init__(self, episode: Episode):
        self._episode, self._step, self._qpos = episode, episode.step, episode.qpos
        self._looked: Scene | None = None

    def read(self, name: str) -> Any:
        """The value of one of `names`."""
        return getattr(self, name)

    @property
    def _scene(self) -> Scene:
        if self._looked is None:
            self._looked = self._episode.surveyor.scene(self._qpos[None])
        return self._looked

    @property
    def phase(self) -> int:
        """0 down, 1 upright."""
        return int(self._episode.phases.phase(self._qpos[None], np.array([self.repetition]))[0])

    @property
    def phase4(self) -> int:
        """0 stand, 1 descent, 2 bottom, 3 ascent, as planned."""
        return int(self._episode.reference.phase4[self._tick])

    @property
    def repetition(self) -> int:
        """Number of the repetition, as planned."""
        return int(self._episode.reference.repetition[self._tick])

    @property
    def progress(self) -> float:
        """0 to 1, over the whole set."""
        return self._tick / (len(self._episode.reference.time) - 1)

    @property
    def joint_angles(self) -> np.ndarray:
        """(10,) in the order of `landmarks.JOINT_ANGLES` [deg]."""
        return joint_angles(self._scene.landmarks)[0]

    @property
    def landmarks(self) -> np.ndarray:
        """(17, 3) in the order of `model.LANDMARKS`, world [m]."""
        return self._scene.landmarks[0]

    @property
    def range_true(self) -> float:
        """Distance of the devices [m]."""
        return float(self._scene.distance[0])

    @property
    def line_of_sight(self) -> bool:
        """The devices see each other."""
        return bool(self._scene.line_of_sight[0])

    @property
    def body_thickness(self) -> float:
        """Metres of body between the devices."""
        return float(self._scene.thickness[0])

    @property
    def faults(self) -> dict[str, float]:
        """Severity of each fault of the exercise, 0 to 1, in this wearer's motion."""
        return severities(self._episode.draw.motion, self._episode.draw.body)

    @property
    def _tick(self) -> int:
        return self._step * self._episode.task.ticks
