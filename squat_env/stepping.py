"""Physics forward in native code: one wearer or several, any number of ticks a call, always the same bits.

A tick is one physics step. State k is the state before tick k, and sensor readings of tick k belong to state k; the
acceleration in them is the one that the targets of tick k bring about.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import mujoco
import numpy as np
from mujoco import batch, rollout

from squat_env.dynamics import BALANCE_STEPS
from squat_env.kernels import targets_of_lanes
from squat_env.reference import Reference, controls

_PHYSICS = mujoco.mjtState.mjSTATE_FULLPHYSICS
_CONTROL = mujoco.mjtState.mjSTATE_CTRL.value
_EVERYTHING = mujoco.mjtState.mjSTATE_INTEGRATION


@dataclass(frozen=True, kw_only=True)
class Moment:
    """All that the physics goes on from.

    Attributes:
        state: (n,) MuJoCo's integration state, the solver's warm start in it.
        sensors: (nsensordata,) the last readings; at the start of a set those of the state itself.
    """

    state: np.ndarray
    sensors: np.ndarray

    @classmethod
    def of(cls, model: mujoco.MjModel, data: mujoco.MjData) -> "Moment":
        """The state that `data` holds, with the sensors brought up to it."""
        state = _state(model, data)
        mujoco.mj_forward(model, data)
        return cls(state=state, sensors=data.sensordata.copy())

    def qpos(self, model: mujoco.MjModel) -> np.ndarray:
        """(nq,) of the state."""
        return self.state[1 : 1 + model.nq]

    def qvel(self, model: mujoco.MjModel) -> np.ndarray:
        """(nv,) of the state."""
        return self.state[1 + model.nq :][: model.nv]


def _state(model: mujoco.MjModel, data: mujoco.MjData) -> np.ndarray:
    state = np.empty(mujoco.mj_stateSize(model, _EVERYTHING))
    mujoco.mj_getState(model, data, state, _EVERYTHING)
    return state


class Controller:
    """What one wearer's actuators are told: the plan's targets, and the feedback of the centre of mass if it has one.

    The feedback is refreshed at every `BALANCE_STEPS`-th tick and held in between. It compares the plan with the last
    readings, which belong to the state one tick earlier (at tick 0: to the state itself).
    """

    def __init__(self, model: mujoco.MjModel, reference: Reference):
        self._targets, self._balance = controls(model, reference), reference.balance
        self._held: np.ndarray | None = None
        if self._balance is not None:
            self._planned = np.hstack([self._balance.com, self._balance.com_velocity])
            self._columns = np.hstack([model.sensor(name).adr[0] + np.arange(3) for name in ("com", "com_velocity")])

    def __len__(self) -> int:
        """Ticks of the set."""
        return len(self._targets)

    def pauses(self, tick: int, count: int) -> list[int]:
        """Where `count` ticks from `tick` on are cut, both ends among them: a refresh needs the readings before it."""
        if self._balance is None:
            return [0, count]
        return sorted({0, *range(-tick % BALANCE_STEPS, count, BALANCE_STEPS), count})

    @property
    def fed_back(self) -> bool:
        """The plan has feedback."""
        return self._balance is not None

    def targets(self, tick: int, count: int) -> np.ndarray:
        """(count, nu) targets of the plan from `tick` on [rad]."""
        return self._targets[tick : tick + count]

    def feedback(self, tick: int, sensors: np.ndarray) -> np.ndarray | None:
        """(nu,) to add to the targets from `tick` to the next refresh [rad], None for a plan without feedback.

        Args:
            tick: One of `pauses`, or any between the last of them and the next.
            sensors: (nsensordata,) the last readings.
        """
        if self._balance is not None and tick % BALANCE_STEPS == 0:
            self._held = self._balance.gain[tick] @ (self._planned[tick] - sensors[self._columns])
        return self._held


class Stepper:
    """One wearer, stepped on the calling thread. A copy or a pickle of it goes on with the same bits.

    Native code runs without Python's lock, so steppers on several threads go on at once.

    Attributes:
        tick: Ticks done.
        warned: MuJoCo has warned about the state; it is not to be trusted any more.
        data: MuJoCo's own memory, with the warnings in it. Between two calls anybody may pose the model in it.
        states: (n, nstate) full physics states after each tick of the last call, which the next call overwrites.
        qpos, qvel: (nq,), (nv,) of the present state, which the next call overwrites.
    """

    def __init__(self, model: mujoco.MjModel, controller: Controller, start: Moment, data: mujoco.MjData | None = None):
        """Begins at `start`; `data`, if given, is overwritten."""
        self._model, self._controller = model, controller
        self.tick, self.warned = 0, False
        self._load(start, data)

    def _load(self, moment: Moment, data: mujoco.MjData | None = None) -> None:
        self.data = data or mujoco.MjData(self._model)
        # what `Rollout.rollout` calls: its keywords cost 1 % of a step at 100 Hz, a tenth of all that a step may cost
        self._rollout = rollout.Rollout(nthread=0).rollout_.rollout  # type: ignore[union-attr]
        self._models, self._datas = [self._model], [self.data]
        mujoco.mj_setState(self._model, self.data, moment.state, _EVERYTHING)
        self._warnings, self._warmstart = self.data.warning.number, self.data.qacc_warmstart[None]
        self._silence = bytes(self._warnings.nbytes)
        physics = np.empty(mujoco.mj_stateSize(self._model, _PHYSICS))
        mujoco.mj_getState(self._model, self.data, physics, _PHYSICS)
        self._allot(1, physics, moment.sensors)

    def __getstate__(self) -> dict[str, Any]:
        kept = {name: getattr(self, name) for name in ("_model", "_controller", "tick", "warned")}
        mujoco.mj_setState(self._model, self.data, self._states[0, -1], _PHYSICS)
        return kept | {"moment": Moment(state=_state(self._model, self.data), sensors=self._sensors[0, -1].copy())}

    def __setstate__(self, kept: dict[str, Any]) -> None:
        moment = kept.pop("moment")
        vars(self).update(kept)
        self._load(moment)

    def _allot(self, count: int, state: np.ndarray, sensors: np.ndarray) -> None:
        """Memory for calls of `count` ticks; its last row is where the next call begins."""
        self._states, self._sensors = np.empty((1, count, len(state))), np.empty((1, count, len(sensors)))
        self._controls = np.empty((1, count, self._model.nu))
        self._states[0, -1], self._sensors[0, -1] = state, sensors
        self.states, last = self._states[0], self._states[0, -1, 1:]
        self.qpos, self.qvel = last[: self._model.nq], last[self._model.nq :][: self._model.nv]
        self._whole = self._stretch(0, count)

    def _stretch(self, begin: int, end: int) -> "_Stretch":
        """Ticks `begin` to `end - 1` of a call; row -1 is still the last one of the call before."""
        before, control = self._states[:, begin - 1], self._controls[:, begin:end]
        after, sensors = self._states[:, begin:end], self._sensors[:, begin:end]
        call = (self._models, self._datas, end - begin, _CONTROL, before, self._warmstart, control, after, sensors)
        return _Stretch(sensed=self._sensors[0, begin - 1], control=control[0], call=(*call, None))

    def advance(self, count: int, residual: np.ndarray | float = 0.0) -> np.ndarray:
        """Steps `count` ticks with `residual` (nu,) [rad] added to the targets.

        Where MuJoCo warns, the wearer stays and the last readings are repeated.

        Returns:
            (count, nsensordata) the readings of each tick, which the next call overwrites.
        """
        if count != len(self.states):
            self._allot(count, self._states[0, -1], self._sensors[0, -1])
        begin, *ends = self._controller.pauses(self.tick, count)
        for end in ends:
            stretch = self._whole if end - begin == count else self._stretch(begin, end)
            self._run(stretch, self.tick + begin, residual)
            if self.warned and end < count:
                self._states[0, end:], self._sensors[0, end:] = self._states[0, end - 1], self._sensors[0, end - 1]
                break
            begin = end
        self.tick += count
        return self._sensors[0]

    def _run(self, stretch: "_Stretch", tick: int, residual: np.ndarray | float) -> None:
        control = stretch.control
        np.add(self._controller.targets(tick, len(control)), residual, control)
        feedback = self._controller.feedback(tick, stretch.sensed)
        if feedback is not None:
            control += feedback
        self._rollout(*stretch.call)
        self.warned = self._warnings.tobytes() != self._silence


class _Stretch(NamedTuple):
    """Some ticks of one call: views of a stepper's memory."""

    sensed: np.ndarray  # (nsensordata,) the readings before them
    control: np.ndarray  # (n, nu)
    call: tuple[Any, ...]  # what native code is given


class Lanes:
    """Several wearers side by side on MuJoCo's own threads; each lane goes on as a `Stepper` would.

    This is `mujoco.batch`, which keeps every lane's warm start; `mujoco.rollout` keeps one a thread.

    Attributes:
        qpos, qvel: (N, nq), (N, nv) of the present states, live.
    """

    def __init__(self, model: mujoco.MjModel, count: int, *, threads: int):
        """Lanes for `count` models of the layout of `model`; `threads` counts the calling one, 0 is one a processor."""
        self._batch, self._models = batch.Batch(model, count, threads), [model] * count
        self.qpos, self.qvel = self._batch.bind("qpos"), self._batch.bind("qvel")
        self._controllers: dict[int, Controller] = {}
        self._fed_back = np.zeros(count, bool)
        self._ticks, self._targets = np.zeros(count, int), np.empty((count, 0, model.nu))
        self._sensors = np.zeros((count, model.nsensordata))
        self._readings = np.empty((count, 0, model.nsensordata))

    def put(self, lane: int, model: mujoco.MjModel, controller: Controller, start: Moment) -> None:
        """Gives a lane to a new wearer."""
        self._models[lane] = model
        self._batch.set_models(self._models)
        self._batch.reset([lane], stage=mujoco.mjtStage.mjSTAGE_NONE)
        self._batch.state[lane] = start.state
        self._controllers[lane], self._ticks[lane], self._sensors[lane] = controller, 0, start.sensors
        self._fed_back[lane] = controller.fed_back
        self._targets = with_rows(self._targets, lane, controller.targets(0, len(controller)))

    @property
    def warned(self) -> np.ndarray:
        """(N,) bool: MuJoCo has warned about the lane's state; it is not to be trusted any more."""
        return self._batch.warning[:, :, 1].any(1)

    def advance(self, lanes: Sequence[int], count: int, residuals: np.ndarray) -> np.ndarray:
        """Steps some lanes `count` ticks: in one native call, or in one a stretch where feedback is refreshed.

        A lane about which MuJoCo warns stays where it is, and its last readings are repeated.

        Args:
            lanes: (L,) increasing numbers.
            count: Ticks.
            residuals: (L, nu) added to the targets [rad].

        Returns:
            (L, count, nsensordata) the readings of each tick, which the next call overwrites.
        """
        ids = np.asarray(lanes, np.int32)
        ticks = self._ticks[ids]
        control = targets_of_lanes(ids, ticks, self._targets, residuals, count)
        if self._readings.shape[:2] != (len(ids), count):
            self._readings = np.empty((len(ids), count, self._sensors.shape[1]))
        if self._fed_back[ids].any():
            self._run_stretches(ids, ticks.tolist(), control)
        else:
            self._run(ids, control, self._readings)
        self._ticks[ids] = ticks + count
        return self._readings

    def _run_stretches(self, ids: np.ndarray, ticks: list[int], control: np.ndarray) -> None:
        steered = [(self._controllers[lane], tick) for lane, tick in zip(ids.tolist(), ticks, strict=True)]
        cuts = {cut for controller, tick in steered for cut in controller.pauses(tick, control.shape[1])}
        for begin, end in itertools.pairwise(sorted(cuts)):
            self._feed(ids, steered, begin, control[:, begin:end])
            self._stretch(ids, begin, control[:, begin:end])

    def _feed(self, ids: np.ndarray, steered: list[tuple[Controller, int]], begin: int, control: np.ndarray) -> None:
        """Adds the feedback of the readings so far to `control` (L, n, nu)."""
        for row, (controller, tick) in enumerate(steered):
            feedback = controller.feedback(tick + begin, self._sensors[ids[row]])
            if feedback is not None:
                control[row] += feedback

    def _stretch(self, ids: np.ndarray, begin: int, control: np.ndarray) -> None:
        """Ticks of one call, from `begin` on."""
        going, part = ~self.warned[ids], self._readings[:, begin : begin + control.shape[1]]
        readings = np.empty((np.count_nonzero(going), *part.shape[1:]))
        self._run(ids[going], control[going], readings)
        part[going], part[~going] = readings, self._sensors[ids[~going], None]
        self._sensors[ids] = part[:, -1]

    def _run(self, ids: np.ndarray, control: np.ndarray, readings: np.ndarray) -> None:
        which = None if len(ids) == len(self._models) else ids
        self._batch.rollout(control.shape[1], control, record=("sensordata",), ids=which, out={"sensordata": readings})


def with_rows(lanes: np.ndarray, lane: int, rows: np.ndarray) -> np.ndarray:
    """`lanes` (N, S, n) with `rows` (R, n) in one of them, in larger memory where S is less than R."""
    if lanes.shape[1] < len(rows):
        larger = np.zeros((len(lanes), len(rows), lanes.shape[2]))
        larger[:, : lanes.shape[1]] = lanes
        lanes = larger
    lanes[lane, : len(rows)] = rows
    return lanes
