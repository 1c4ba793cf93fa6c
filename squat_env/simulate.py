"""One set of squats through native MuJoCo: reference in, states and ideal sensor readings out."""

from dataclasses import dataclass

import mujoco
import numpy as np

from squat_env.feet import foot_sites
from squat_env.model import TIMESTEP_S
from squat_env.reference import Reference, controls
from squat_env.stepping import Controller, Moment, Stepper

FALLEN_HEIGHT = 0.5  # pelvis height over its planned height below which the person has fallen
MOST_SUNK_M = 0.02  # into the floor that carries a standing person
USUALLY_SUNK_M, USUAL_STIFFNESS = 0.001, 1200.0  # m; upwards acceleration per metre sunk there, 1/s^2
SUNK_M, SINKINGS = 5e-6, 12  # how exactly, and tries for it


class SimulationFailed(RuntimeError):
    """The physics did not do what was planned; `reason` is one word for counting."""

    def __init__(self, reason: str, message: str):
        super().__init__(message)
        self.reason = reason

    def __reduce__(self) -> tuple[type["SimulationFailed"], tuple[str, str]]:
        return SimulationFailed, (self.reason, str(self))


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


def initial_state(
    model: mujoco.MjModel, reference: Reference, data: mujoco.MjData | None = None
) -> tuple[np.ndarray, mujoco.MjData]:
    """State at the start of a reference, sunk into the floor so far that it carries the weight.

    Args:
        model: The wearer.
        reference: Its plan.
        data: Overwritten and returned, if given.

    Returns:
        Full physics state (nstate,), and the data that holds it.
    """
    own = reset_data(model, data)
    own.ctrl[:] = controls(model, reference, 1)[0]
    _sink(model, own, reference.qpos[0])
    own.qvel[:] = reference.qvel[0]
    own.qacc_warmstart[:] = own.qacc
    kind = mujoco.mjtState.mjSTATE_FULLPHYSICS
    state = np.empty(mujoco.mj_stateSize(model, kind))
    mujoco.mj_getState(model, own, state, kind)
    return state, own


def reset_data(model: mujoco.MjModel, data: mujoco.MjData | None = None) -> mujoco.MjData:
    """The data as new ones are, if they have the model's layout; or new ones, which take as long as ten steps."""
    if data is None or not np.array_equal(data.model._sizes, model._sizes):
        return mujoco.MjData(model)
    mujoco.mj_resetData(model, data)
    return data


def _sink(model: mujoco.MjModel, data: mujoco.MjData, qpos: np.ndarray) -> None:
    """Lowers a pose at rest until the ground carries it: bisection, by secants where they stay within."""
    low, high, sink, stiffness = 0.0, MOST_SUNK_M, USUALLY_SUNK_M, USUAL_STIFFNESS
    before, rose = 0.0, 0.0
    for attempt in range(SINKINGS):
        data.qpos[:], data.qvel[:] = qpos, 0.0
        data.qpos[2] -= sink
        mujoco.mj_forward(model, data)
        rises = float(data.qacc[2])
        low, high = (sink, high) if rises < 0 else (low, sink)
        if attempt and rises != rose:
            stiffness = (rises - rose) / (sink - before)
        before, rose = sink, rises
        sink -= rises / stiffness
        if not low < sink < high:
            sink = 0.5 * (low + high)
        if abs(sink - before) < SUNK_M:
            return


def simulate(model: mujoco.MjModel, reference: Reference, data: mujoco.MjData | None = None) -> Simulation:
    """Runs a reference through the physics; `data`, if given, is overwritten.

    Raises:
        SimulationFailed: MuJoCo warned about the state (it would have reset it and gone on).
    """
    _, own = initial_state(model, reference, data)
    start = Moment.of(model, own)
    stepper = Stepper(model, Controller(model, reference), start, own)
    sensors = stepper.advance(len(reference.time))
    refuse_warnings(stepper.data)
    return Simulation(
        time=reference.time,
        qpos=np.concatenate([start.qpos(model)[None], stepper.states[:-1, 1 : 1 + model.nq]]),
        sensors=sensors,
    )


def refuse_warnings(data: mujoco.MjData) -> None:
    """Raises SimulationFailed where MuJoCo has warned: after such a warning the state is not to be trusted."""
    for number in np.flatnonzero(data.warning.number).tolist():
        kind = mujoco.mjtWarning(number).name.removeprefix("mjWARN_")
        times = data.warning.number[number]
        raise SimulationFailed("warning", f"MuJoCo warned {times} times of {kind} at {data.time:.3f} s")


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How well a simulated set kept to its plan; largest values over the set.

    Attributes:
        fallen: The pelvis came lower than half its planned height.
        depth_error_deg: Difference of the extreme angles of the exercise's prime joint, planned and done.
        heel_m: Rise of a heel of a standing foot over its plan, or what it lacks.
        slip_m: Horizontal movement of a standing sole within a repetition, beyond its plan.
    """

    fallen: bool
    depth_error_deg: float
    heel_m: float
    slip_m: float

    @property
    def success(self) -> bool:
        """Upright, within 6 degrees of the asked depth, heel within 1 cm of its plan, slip below 2 cm."""
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
    done, planned = (qpos[:, reference.prime] for qpos in (simulation.qpos, reference.qpos))
    depth = max(np.abs(done.max(0) - planned.max(0)).max(), np.abs(done.min(0) - planned.min(0)).max())
    every = max(1, round(0.02 / TIMESTEP_S))
    both = np.concatenate([simulation.qpos[::every], reference.qpos[::every]])
    there, wanted = np.split(foot_sites(model, both, ("sole", "heel")), 2)
    heel, slip = _feet_off(there - wanted, reference.planted[::every], reference.repetition[::every])
    return Outcome(
        fallen=bool((simulation.qpos[:, 2] < FALLEN_HEIGHT * reference.qpos[:, 2]).any()),
        depth_error_deg=float(np.rad2deg(depth)),
        heel_m=heel,
        slip_m=slip,
    )


def _feet_off(moved: np.ndarray, planted: np.ndarray, repetition: np.ndarray) -> tuple[float, float]:
    """How far heels are off their plan and soles slip [m], of feet that stand, each repetition from where it began."""
    heel, slip = 0.0, 0.0
    for number in range(int(repetition[-1]) + 1):
        rows = repetition == number
        for foot in range(2):
            stands = planted[rows, foot]
            if not stands.any():
                continue
            sole, rise = moved[rows, foot, 0, :2][stands], moved[rows, foot, 1, 2][stands]
            heel = max(heel, float(np.abs(rise - rise[0]).max()))
            slip = max(slip, float(np.linalg.norm(sole - sole[0], axis=1).max()))
    return heel, slip
