"""A planned set in single precision, as an accelerator steps it beside thousands of others."""

from dataclasses import dataclass

import mujoco
import numpy as np

from squat_env.dynamics import BALANCE_STEPS
from squat_env.reference import Reference, controls
from squat_env.simulate import initial_state
from squat_env.stepping import Moment


@dataclass(frozen=True, kw_only=True)
class World:
    """One wearer's set: where it starts and what the actuators are told, all but `model` and `time` float32.

    Attributes:
        model: The wearer.
        time: (N,) of the ticks [s].
        qpos, qvel: (nq,), (nv,) the state before the first tick.
        warmstart: (nv,) MuJoCo's guess of its acceleration.
        sensors: (nsensordata,) readings of that state.
        targets: (N, nu) of the plan [rad].
        planned: (R, 6) place and velocity of the centre of mass at each refresh of the feedback [m, m/s], None for a
            plan without feedback.
        gain: (R, nu, 6) of the feedback at each refresh [rad/m, rad s/m], None for a plan without feedback.
    """

    model: mujoco.MjModel
    time: np.ndarray
    qpos: np.ndarray
    qvel: np.ndarray
    warmstart: np.ndarray
    sensors: np.ndarray
    targets: np.ndarray
    planned: np.ndarray | None
    gain: np.ndarray | None

    @classmethod
    def of(cls, model: mujoco.MjModel, reference: Reference) -> "World":
        """The start and the targets that the native controller gives the same set."""
        data, balance = initial_state(model, reference)[1], reference.balance
        start = {"qpos": _single(data.qpos), "qvel": _single(data.qvel), "warmstart": _single(data.qacc_warmstart)}
        planned, gain = None, None
        if balance is not None:
            planned = _single(np.hstack([balance.com, balance.com_velocity])[::BALANCE_STEPS])
            gain = _single(balance.gain[::BALANCE_STEPS])
        return cls(
            model=model,
            time=reference.time,
            sensors=_single(Moment.of(model, data).sensors),
            targets=_single(controls(model, reference)),
            planned=planned,
            gain=gain,
            **start,
        )


def _single(values: np.ndarray) -> np.ndarray:
    return values.astype(np.float32)
