"""One set of squats through native MuJoCo: reference in, states and ideal sensor readings out."""

from dataclasses import dataclass

import mujoco
import numpy as np
from mujoco import rollout

from squat_env.model import SIDES, TIMESTEP_S
from squat_env.reference import Reference, controls

FALLEN_HEIGHT = 0.5  # pelvis height over its planned height below which the person has fallen


class SimulationFailed(RuntimeError):
    """The physics did not do what was planned; `reason` is one word for counting."""

    def __init__(self, reason: str, message: str):
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, kw_only=True)
class Simulation:
    """A simulated set at the physics rate; `sensors[k]` and `qpos[k]` belong to `time[k]`.

    Attributes:
        time: (N,) [s].
        qpos: (N, nq).
        sensors: (N, nsensordata) readings of the ideal sensors.
    """

    time: np.ndarray
    qpos: np.ndarray
    sensors: np.ndarray


def initial_state(model: mujoco.MjModel, reference: Reference) -> tuple[np.ndarray, mujoco.MjData]:
    """State at the start of a reference, sunk into the floor so far that it carries the weight.

    Returns:
        Full physics state (nstate,), and the data that holds it.
    """
    data = mujoco.MjData(model)
    data.ctrl[:] = controls(model, _first(reference))[0]
    low, high = 0.0, 0.02
    for _ in range(12):
        sink = 0.5 * (low + high)
        data.qpos[:], data.qvel[:] = reference.qpos[0], 0.0
        data.qpos[2] -= sink
        mujoco.mj_forward(model, data)
        low, high = (sink, high) if data.qacc[2] < 0 else (low, sink)
    data.qvel[:] = reference.qvel[0]
    data.qacc_warmstart[:] = data.qacc
    kind = mujoco.mjtState.mjSTATE_FULLPHYSICS
    state = np.empty(mujoco.mj_stateSize(model, kind))
    mujoco.mj_getState(model, data, state, kind)
    return state, data


def _first(reference: Reference) -> Reference:
    return Reference(**{name: value[:1] for name, value in vars(reference).items()})


def simulate(model: mujoco.MjModel, reference: Reference) -> Simulation:
    """Runs a reference through the physics.

    Raises:
        SimulationFailed: MuJoCo warned about the state (it would have reset it and gone on).
    """
    start, data = initial_state(model, reference)
    state, sensors = rollout.rollout(
        model,
        data,
        start[None],
        controls(model, reference)[None],
        initial_warmstart=data.qacc_warmstart[None],
    )
    state, sensors = np.asarray(state), np.asarray(sensors)
    refuse_warnings(data)
    first = start[None, 1 : 1 + model.nq]
    return Simulation(
        time=reference.time,
        qpos=np.concatenate([first, state[0, :-1, 1 : 1 + model.nq]]),
        sensors=sensors[0],
    )


def refuse_warnings(data: mujoco.MjData) -> None:
    """Raises SimulationFailed where MuJoCo has warned: after such a warning the state is not to be trusted."""
    for number, warning in enumerate(data.warning):
        if warning.number:
            kind = mujoco.mjtWarning(number).name.removeprefix("mjWARN_")
            raise SimulationFailed("warning", f"MuJoCo warned {warning.number} times of {kind} at {data.time:.3f} s")


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How well a simulated set kept to its plan; largest values over the set.

    Attributes:
        fallen: The pelvis came lower than half its planned height.
        depth_error_deg: Difference of the largest knee flexion, planned and done.
        heel_m: Rise of a heel.
        slip_m: Horizontal movement of a sole.
    """

    fallen: bool
    depth_error_deg: float
    heel_m: float
    slip_m: float

    @property
    def success(self) -> bool:
        """Upright, within 6 degrees of the asked depth, heel below 1 cm, slip below 2 cm."""
        return self.failure is None

    @property
    def failure(self) -> str | None:
        """One word for the first thing that went wrong, None where nothing did."""
        if self.fallen:
            return "fall"
        if self.depth_error_deg > 6.0:
            return "depth"
        if self.heel_m > 0.01:
            return "heel"
        return "slip" if self.slip_m > 0.02 else None


def judge(model: mujoco.MjModel, reference: Reference, simulation: Simulation) -> Outcome:
    """Compares a simulated set with its plan."""
    knees = [model.joint(f"{side}_knee_flexion").qposadr[0] for side in SIDES]
    depth = np.abs(simulation.qpos[:, knees].max(0) - reference.qpos[:, knees].max(0)).max()
    every = max(1, round(0.02 / TIMESTEP_S))
    places = site_positions(
        model, simulation.qpos[::every], [f"{side}_{name}" for side in SIDES for name in ("sole", "heel")]
    )
    soles, heels = places[:, 0::2], places[:, 1::2]
    return Outcome(
        fallen=bool((simulation.qpos[:, 2] < FALLEN_HEIGHT * reference.qpos[:, 2]).any()),
        depth_error_deg=float(np.rad2deg(depth)),
        heel_m=float((heels[..., 2] - heels[0, :, 2]).max()),
        slip_m=float(np.linalg.norm(soles[..., :2] - soles[0, :, :2], axis=-1).max()),
    )


def site_positions(model: mujoco.MjModel, qpos: np.ndarray, names: list[str]) -> np.ndarray:
    """World positions (T, len(names), 3) of sites in poses (T, nq) [m]."""
    data = mujoco.MjData(model)
    sites = [model.site(name).id for name in names]
    result = np.empty((len(qpos), len(names), 3))
    for row, pose in zip(result, qpos, strict=True):
        data.qpos[:] = pose
        mujoco.mj_kinematics(model, data)
        row[:] = data.site_xpos[sites]
    return result
