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
from squat_env.reference import Reference, controls

_PHYSICS = mujoco.mjtState.mjSTATE_FULLPHYSICS
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

    def refreshes(self, tick: int, count: int) -> range:
        """Which of `count` ticks from `tick` on need the readings of the tick before, so that native code pauses."""
        return range(-tick % BALANCE_STEPS, count, BALANCE_STEPS) if self._balance is not None else range(0)

    def targets(self, tick: int, count: int) -> np.ndarray:
        """(count, nu) targets of the plan from `tick` on [rad]."""
        return self._targets[tick : tick + count]

    def feedback(self, tick: int, sensors: np.ndarray) -> np.ndarray | None:
        """(nu,) to add to the targets from `tick` to the next refresh [rad], None for a plan without feedback.

        Args:
            tick: One of `refreshes`, or any between the last of them and the next.
            sensors: (nsensordata,) the last readings.
        """
        if self._balance is not None and tick % BALANCE_STEPS == 0:
            self._held = self._balance.gain[tick] @ (self._planned[tick] - sensors[self._columns])
        return self._held


class Stepper:
    """One wearer, stepped on the calling thread. A copy or a pickle of it goes on with the same bits.

    Attributes:
        tick: Ticks done.
        warned: MuJoCo has warned about the state; it is not to be trusted any more.
        data: MuJoCo's own memory, with the warnings in it.
        states: (n, nstate) full physics states after each tick of the last call, which the next call overwrites.
        qpos, qvel: (nq,), (nv,) of the present state, which the next call overwrites.
    """

    def __init__(self, model: mujoco.MjModel, controller: Controller, start: Moment):
        self._model, self._controller = model, controller
        self.tick, self.warned = 0, False
        self._load(start)

    def _load(self, moment: Moment) -> None:
        self._rollout, self.data = rollout.Rollout(nthread=0), mujoco.MjData(self._model)
        self._models, self._datas = [self._model], [self.data]
        mujoco.mj_setState(self._model, self.data, moment.state, _EVERYTHING)
        self._warnings, self._warmstart = self.data.warning.number, self.data.qacc_warmstart[None]
        self._silence = bytes(self._warnings.nbytes)
        physics = np.empty(mujoco.mj_stateSize(self._model, _PHYSICS))
        mujoco.mj_getState(self._model, self.data, physics, _PHYSICS)
        self._allot(1, physics, moment.sensors)

    def __getstate__(self) -> dict[str, Any]:
        kept = {name: getattr(self, name) for name in ("_model", "_controller", "tick", "warned")}
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
        return _Stretch(
            before=self._states[:, begin - 1],
            sensed=self._sensors[0, begin - 1],
            control=self._controls[:, begin:end],
            states=self._states[:, begin:end],
            sensors=self._sensors[:, begin:end],
        )

    def advance(self, count: int, residual: np.ndarray | float = 0.0) -> np.ndarray:
        """Steps `count` ticks with `residual` (nu,) [rad] added to the targets.

        Where MuJoCo warns, the wearer stays and the last readings are repeated.

        Returns:
            (count, nsensordata) the readings of each tick, which the next call overwrites.
        """
        if count != len(self.states):
            self._allot(count, self._states[0, -1], self._sensors[0, -1])
        cuts = self._controller.refreshes(self.tick, count)
        if not cuts:
            self._run(self._whole, self.tick, residual)
        for begin, end in itertools.pairwise(sorted({0, *cuts, count}) if cuts else ()):
            self._run(self._stretch(begin, end), self.tick + begin, residual)
            if self.warned:
                self._states[0, end:], self._sensors[0, end:] = self._states[0, end - 1], self._sensors[0, end - 1]
                break
        self.tick += count
        return self._sensors[0]

    def _run(self, stretch: "_Stretch", tick: int, residual: np.ndarray | float) -> None:
        control = stretch.control[0]
        np.add(self._controller.targets(tick, len(control)), residual, out=control)
        feedback = self._controller.feedback(tick, stretch.sensed)
        if feedback is not None:
            control += feedback
        self._rollout.rollout(
            self._models,
            self._datas,
            stretch.before,
            stretch.control,
            skip_checks=True,
            nstep=stretch.control.shape[1],
            initial_warmstart=self._warmstart,
            state=stretch.states,
            sensordata=stretch.sensors,
        )
        self.warned = self._warnings.tobytes() != self._silence


class _Stretch(NamedTuple):
    """Some ticks of one call: views of a stepper's memory."""

    before: np.ndarray  # (1, nstate) where they begin
    sensed: np.ndarray  # (nsensordata,) the readings before them
    control: np.ndarray  # (1, n, nu)
    states: np.ndarray  # (1, n, nstate)
    sensors: np.ndarray  # (1, n, nsensordata)


class Lanes:
    """Several wearers side by side on MuJoCo's own threads; each lane goes on as a `Stepper` would.

    This is `mujoco.batch`, which keeps every lane's warm start; `mujoco.rollout` keeps one a thread.

    Attributes:
        qpos, qvel: (N, nq), (N, nv) of the present states, live.
    """

    def __init__(self, models: Sequence[mujoco.MjModel], *, threads: int):
        """One lane a model, all of one layout; `threads` counts the calling one, 0 is one a processor."""
        self._models = list(models)
        self._batch = batch.Batch(self._models[0], len(self._models), threads)
        self._batch.set_models(self._models)
        self.qpos, self.qvel = self._batch.bind("qpos"), self._batch.bind("qvel")
        self._controllers: dict[int, Controller] = {}
        self._ticks = np.zeros(len(self._models), int)
        self._sensors = np.zeros((len(self._models), self._models[0].nsensordata))

    def put(self, lane: int, model: mujoco.MjModel, controller: Controller, start: Moment) -> None:
        """Gives a lane to a new wearer."""
        if self._models[lane] is not model:
            self._models[lane] = model
            self._batch.set_models(self._models)
        self._batch.reset([lane], stage=mujoco.mjtStage.mjSTAGE_NONE)
        self._batch.state[lane] = start.state
        self._controllers[lane], self._ticks[lane], self._sensors[lane] = controller, 0, start.sensors

    @property
    def warned(self) -> np.ndarray:
        """(N,) bool: MuJoCo has warned about the lane's state; it is not to be trusted any more."""
        return self._batch.warning[:, :, 1].any(1)

    def advance(self, lanes: Sequence[int], count: int, residuals: np.ndarray) -> np.ndarray:
        """Steps some lanes `count` ticks.

        Args:
            lanes: (L,) increasing numbers.
            count: Ticks.
            residuals: (L, nu) added to the targets [rad].

        Returns:
            (L, count, nsensordata) the readings of each tick.
        """
        ids = lanes if len(lanes) < len(self._models) else None
        readings = np.empty((len(lanes), count, self._sensors.shape[1]))
        controllers, ticks = [self._controllers[lane] for lane in lanes], self._ticks[lanes].tolist()
        control = np.array([one.targets(tick, count) for one, tick in zip(controllers, ticks, strict=True)])
        control += residuals[:, None]
        cuts = {cut for one, tick in zip(controllers, ticks, strict=True) for cut in one.refreshes(tick, count)}
        for begin, end in itertools.pairwise(sorted({0, *cuts, count})):
            for row, (one, tick) in enumerate(zip(controllers, ticks, strict=True)):
                feedback = one.feedback(tick + begin, self._sensors[lanes[row]])
                if feedback is not None:
                    control[row, begin:end] += feedback
            done = self._batch.rollout(end - begin, control[:, begin:end], ids=ids, record=("sensordata",))
            readings[:, begin:end] = done["sensordata"]
            self._sensors[lanes] = readings[:, end - 1]
        self._ticks[lanes] += count
        return readings
