"""Motion to reference: the joint trajectory of a set of an exercise, and the torques that it needs.

The trajectory is planned at a few knots along the way (the pelvis is placed so that the centre of mass stays over the
feet), then along time at `PLAN_HZ`, then splined to the physics rate.
"""

from dataclasses import dataclass

import mujoco
import numpy as np

from squat_env.body import Body
from squat_env.compiled import compiled
from squat_env.coordinates import qpos_of, qvel_of
from squat_env.dynamics import Balance, inverse_dynamics
from squat_env.equipment import NO_EQUIPMENT, Equipment
from squat_env.exercises import Exercise, exercise_named
from squat_env.geometry import Geometry, Path
from squat_env.limits import (
    refuse_crossed_feet,
    refuse_haste,
    refuse_imbalance,
    refuse_leap,
    refuse_light_foot,
    refuse_stiff_ankle,
    refuse_stiff_hip,
    refuse_wide_stance,
)
from squat_env.model import DAMPING_PER_STIFFNESS, TIMESTEP_S, joint_names
from squat_env.motion import Motion
from squat_env.placement import SIDES
from squat_env.posture import NO_SWAY, balance_target, heel_rise, placed, pose, sample_sway, shape
from squat_env.splines import Spline
from squat_env.timeline import timeline

FINER = 16  # physics steps from one planned pose to the next
PLAN_HZ = 1.0 / (FINER * TIMESTEP_S)
TORQUE_EVERY = 2  # planned poses from one torque to the next; without feedback, closer ones change nothing
KNOTS = 9  # of a stage, where the pelvis is placed
BEYOND = 0.05  # how far beyond both ends of the only stage
PLACED_M = 0.0005  # how far the centre of mass may be off
PLACEMENTS = 8  # tries to place the pelvis
FOLLOWS = 0.85  # how far the centre of mass moves with the pelvis while the feet stay
SEATED = 0.3  # share of settling at which the seat carries
HEEL_RISE_FEEDBACK = (60.0, 14.0)  # 1/s^2, 1/s; nobody stands on the balls of the feet without
ON_TOES_DEG = 3.0  # rise of a heel from which the toes take all that the foot carries
UNLOADED = 1e-4  # compliance of a support that carries nothing


@dataclass(frozen=True, kw_only=True)
class Reference:
    """What the controller follows, at the physics rate.

    Attributes:
        exercise: What is done.
        lead: 0 the left leg leads, 1 the right one.
        time: (N,) [s].
        qpos: (N, 36) root position, root quaternion (wxyz), joint angles [m, rad].
        qvel: (N, 35) MuJoCo's velocity of it.
        torque: (N, 29) feed-forward joint torque [N m].
        depth: (N,) share of the way to the turning point: 0 start position, 1 there.
        phase4: (N,) int8: 0 stand, 1 descent, 2 bottom, 3 ascent.
        repetition: (N,) int64 number of the cycle.
        planted: (N, 2) bool, the left and the right foot stand.
        balance: Feedback that the exercise needs, None where the plan alone holds.
    """

    exercise: Exercise
    lead: int
    time: np.ndarray
    qpos: np.ndarray
    qvel: np.ndarray
    torque: np.ndarray
    depth: np.ndarray
    phase4: np.ndarray
    repetition: np.ndarray
    planted: np.ndarray
    balance: Balance | None = None

    @property
    def prime(self) -> tuple[int, ...]:
        """Columns of qpos of the joints that say how far a repetition went."""
        sides = SIDES if self.exercise.prime_sides == "both" else (SIDES[self.lead],)
        return tuple(7 + joint_names().index(f"{side}_{self.exercise.prime}") for side in sides)


@dataclass(frozen=True, kw_only=True)
class Route:
    """The way of a pelvis through an exercise, at whatever tempo: over it the centre of mass stays over the feet.

    Attributes:
        geometry: The person's.
        stages: (K, 2) place of the pelvis [m] along each stage that moves it; none lying on the floor.
        drop: How far it comes down [m].
    """

    geometry: Geometry
    stages: tuple[Spline, ...]
    drop: float

    def __call__(self, way: np.ndarray) -> np.ndarray:
        """Place (K, 2) of the pelvis [m] at points (K,) of the way."""
        if not self.stages:
            return np.zeros((len(way), 2))
        result = self.stages[0](np.minimum(way, self.stages[0].end))
        for number, piece in enumerate(self.stages[1:], 1):
            result = np.where((way > number)[:, None], piece(way), result)
        return result


def find_route(
    model: mujoco.MjModel, data: mujoco.MjData, body: Body, motion: Motion, equipment: Equipment = NO_EQUIPMENT
) -> Route:
    """Places the pelvis along the way through a motion; its tempo does not matter.

    Args:
        model, body, motion, equipment: As `plan` takes them.
        data: Overwritten.

    Raises:
        InfeasibleMotion: Out of the legs' reach, or with feet in each other's way or too far apart.
        ValueError: There is no such exercise.
    """
    exercise = exercise_named(motion.exercise)
    geometry = Geometry.of(body, motion, exercise, equipment)
    refuse_wide_stance(geometry, motion, exercise)
    refuse_crossed_feet(geometry)
    stages: list[Spline] = []
    end, drop = None, 0.0
    for number, (name, _) in enumerate(exercise.stages if exercise.height != "floor" else ()):
        if name == "settle":
            break
        margin = BEYOND if len(exercise.stages) == 1 else 0.0
        knots, step = np.linspace(number - margin, number + 1.0 + margin, KNOTS, retstep=True)
        place, heights = _balanced(model, data, geometry, motion, exercise, knots, end)
        stages.append(Spline(place, step, knots[0]))
        end = place[-1]
        if name == "depth":
            drop = float(np.ptp(heights))
    return Route(geometry=geometry, stages=tuple(stages), drop=drop)


def plan(
    model: mujoco.MjModel,
    body: Body,
    motion: Motion,
    equipment: Equipment = NO_EQUIPMENT,
    data: mujoco.MjData | None = None,
    route: Route | None = None,
) -> Reference:
    """Plans a set.

    Args:
        model: The body's model with this equipment.
        body: The person.
        motion: What the person does.
        equipment: What it is done with.
        data: Overwritten, if given.
        route: Of this motion at any tempo, if it is known.

    Raises:
        InfeasibleMotion: Too fast for the feet to stay on the ground, out of the legs' or the ankles' reach, out of
            balance, or with feet in each other's way.
        ValueError: There is no such exercise.
    """
    exercise = exercise_named(motion.exercise)
    data = data or mujoco.MjData(model)
    route = route or find_route(model, data, body, motion, equipment)
    geometry = route.geometry
    refuse_haste(motion, exercise, route.drop)
    course = timeline(motion, tuple(share for _, share in exercise.stages), model.opt.timestep)
    count = len(course.time)
    coarse = np.arange(TORQUE_EVERY * (count // (TORQUE_EVERY * FINER) + 1) + 1) / PLAN_HZ
    way = np.interp(coarse, course.time, course.path)
    path = Path.of(exercise, way)
    posed = pose(geometry, motion, exercise, path, route(way), sample_sway(motion, coarse))
    refuse_stiff_ankle(posed)
    refuse_stiff_hip(posed)
    planned = Spline(np.column_stack([posed.root, posed.joints]), 1.0 / PLAN_HZ)
    torque, balance = _dynamics(model, data, motion, exercise, geometry, path, planned, count)
    place, rate = planned.fine(FINER, count)
    fine = Path.of(exercise, course.path)
    return Reference(
        exercise=exercise,
        lead=geometry.lead,
        time=course.time,
        qpos=qpos_of(place),
        qvel=qvel_of(place, rate),
        torque=torque,
        depth=fine.depth,
        phase4=course.phase4,
        repetition=course.repetition,
        planted=_planted(exercise, geometry, fine),
        balance=balance,
    )


def controls(model: mujoco.MjModel, reference: Reference, stop: int | None = None) -> np.ndarray:
    """Targets (N, 29) that make MuJoCo's position actuators a PD law with feed-forward; `stop` ends them early.

    force = kp (ctrl - q) - kv qd, so ctrl = q_ref + (kv qd_ref + tau) / kp.
    """
    planned = reference.torque[:stop], reference.qpos[:stop, 7:], reference.qvel[:stop, 6:]
    return _targets(*planned, model.actuator_gainprm[:, 0].copy())


@compiled
def _targets(torque: np.ndarray, place: np.ndarray, rate: np.ndarray, stiffness: np.ndarray) -> np.ndarray:
    """`controls` of joints (N, 29) and their stiffness (29,)."""
    targets = np.empty(torque.shape)
    for k in range(len(torque)):
        for joint in range(len(stiffness)):
            force = torque[k, joint] / stiffness[joint] + DAMPING_PER_STIFFNESS * rate[k, joint]
            targets[k, joint] = force + place[k, joint]
    return targets


def _balanced(
    model: mujoco.MjModel,
    data: mujoco.MjData,
    geometry: Geometry,
    motion: Motion,
    exercise: Exercise,
    knots: np.ndarray,
    guess: np.ndarray | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Place (K, 2) and height (K,) of the pelvis at points of the way with the centre of mass where it belongs."""
    path = Path.of(exercise, knots)
    target = balance_target(geometry, motion, exercise, path)
    shaped = shape(geometry, motion, exercise, path, NO_SWAY)
    place = target - [0.05, 0.0] if guess is None else np.tile(guess, (len(knots), 1))
    follows, before = np.full(place.shape, FOLLOWS), np.full(place.shape, np.inf)
    height = np.zeros(len(knots))
    for attempt in range(PLACEMENTS):
        posed = placed(geometry, motion, exercise, path, shaped, place)
        height = posed.root[:, 2]
        com = np.array([_centre_of_mass(model, data, qpos) for qpos in qpos_of(np.hstack([posed.root, posed.joints]))])
        off = target - com[:, :2]
        # secant: what the last correction left over tells how far the centre of mass follows the pelvis
        left = np.divide(off, before, out=np.zeros(off.shape), where=np.abs(before) > PLACED_M)
        follows = follows * np.clip(1.0 - left, 0.5, 1.5)
        place, before = place + off / follows, off
        if np.abs(off).max() < PLACED_M or (attempt and np.abs(off * left).max() < PLACED_M):
            break
    return place, height


def _centre_of_mass(model: mujoco.MjModel, data: mujoco.MjData, qpos: np.ndarray) -> np.ndarray:
    data.qpos[:] = qpos
    mujoco.mj_kinematics(model, data)
    mujoco.mj_comPos(model, data)
    return data.subtree_com[1].copy()


def _dynamics(
    model: mujoco.MjModel,
    data: mujoco.MjData,
    motion: Motion,
    exercise: Exercise,
    geometry: Geometry,
    path: Path,
    planned: Spline,
    count: int,
) -> tuple[np.ndarray, Balance | None]:
    """Feed-forward torque (N, 29) of `count` physics steps, and the feedback if the exercise needs it."""
    feedback = HEEL_RISE_FEEDBACK if motion.heel_rise_deg else exercise.feedback
    every = 1 if feedback is not None else TORQUE_EVERY
    path = Path(**{name: way[::every] for name, way in vars(path).items()})
    supports, compliance = _supports(exercise, geometry, motion, path)
    qvel = qvel_of(planned.values, planned.slopes)
    moving = qpos_of(planned.values)[::every], qvel[::every], Spline(qvel, 1.0 / PLAN_HZ).slopes[::every]
    found = inverse_dynamics(model, data, *moving, supports, compliance, with_push=feedback is not None)
    refuse_leap(found.ground)
    torque, _ = Spline(found.torque, every / PLAN_HZ).fine(every * FINER, count)
    refuse_imbalance(exercise, geometry, motion, path, moving[0], found.pressure)
    if exercise.straight_trail:
        refuse_light_foot(found.carried)
    if feedback is None:
        return torque, None
    stiffness, damping = feedback
    push = found.push * float(model.body_mass.sum()) / model.actuator_gainprm[:, 0][:, None]
    push[..., 2] = 0.0  # the legs carry the height themselves
    push *= (1.0 - np.clip(path.settle / SEATED, 0.0, 1.0))[:, None, None]
    gain = np.concatenate([stiffness * push, damping * push], axis=-1)
    com, com_velocity = Spline(found.com, 1.0 / PLAN_HZ).fine(FINER, count)
    nearest = np.rint(np.arange(count) / FINER).astype(int)
    return torque, Balance(com=com, com_velocity=com_velocity, gain=gain[nearest])


def _supports(exercise: Exercise, geometry: Geometry, motion: Motion, path: Path) -> tuple[list[str], np.ndarray]:
    """Sites that carry the person, and how readily (K, S) each takes load."""
    feet = [f"{side}_sole" for side in SIDES]
    count = len(path.depth)
    if exercise.height == "floor":
        return ["pelvis_support", "back_support"], np.ones((count, 2))
    compliance = np.ones((count, 2))
    if exercise.lifts:
        compliance[:, geometry.lead] = np.maximum((1.0 - path.shift) ** 2, UNLOADED)
    rise = heel_rise(geometry, motion, path)
    if rise.any():
        on_toes = np.clip(rise / ON_TOES_DEG, UNLOADED, 1.0 - UNLOADED)
        toes = [f"{side}_toe" for side in SIDES]
        return [*feet, *toes], np.column_stack([compliance * (1.0 - on_toes), compliance * on_toes])
    if exercise.height != "seat":
        return feet, compliance
    sitting = np.maximum(np.clip(path.settle / SEATED, 0.0, 1.0), UNLOADED)
    return [*feet, "seat_support"], np.column_stack([compliance, sitting])


def _planted(exercise: Exercise, geometry: Geometry, path: Path) -> np.ndarray:
    """Which feet stand (N, 2)."""
    if exercise.height == "floor":
        return np.zeros((len(path.depth), 2), bool)
    planted = np.ones((len(path.depth), 2), bool)
    if exercise.lifts:
        planted[:, geometry.lead] = path.depth < 1e-9
    return planted
