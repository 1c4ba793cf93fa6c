"""Torques of a planned movement by inverse dynamics, and the feedback that keeps its centre of mass over the feet."""

from dataclasses import dataclass

import mujoco
import numpy as np

from squat_env.compiled import compiled
from squat_env.model import ARMATURE
from squat_env.rotations import turned

WRENCH_COMPLIANCE = np.array([1, 1, 1, 0.003, 0.01, 0.01])  # a support's force is cheap, its moment is not
LEAST_SHARE = 0.01  # of the weight, that a support which carries next to nothing still counts for
LEAST_FORCE_N = 1.0  # of the ground, that is divided by; a plan that asks for less is refused
BALANCE_STEPS = 4  # physics steps between two looks at the centre of mass


@dataclass(frozen=True, kw_only=True)
class Balance:
    """Feedback of the centre of mass, at the physics rate.

    gain[k] @ (com[k] - measured com, com_velocity[k] - measured velocity) is added to the controller's targets.

    Attributes:
        com: (N, 3) planned [m].
        com_velocity: (N, 3) planned [m/s].
        gain: (N, 29, 6) [rad/m, rad s/m].
    """

    com: np.ndarray
    com_velocity: np.ndarray
    gain: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Dynamics:
    """What a movement through K poses needs.

    Attributes:
        torque: (K, 29) of the joints [N m].
        pressure: (K, 2) point on the floor at which the ground's push has no tipping moment [m].
        ground: (K,) vertical push of all supports over the person's weight; 0 in free fall.
        carried: (K, S) share of that push on each support.
        com: (K, 3) centre of mass [m].
        push: (K, 29, 3) joint torques that push the centre of mass with 1 N along x, y, z through the supports; zero
            if it was not asked for.
    """

    torque: np.ndarray
    pressure: np.ndarray
    ground: np.ndarray
    carried: np.ndarray
    com: np.ndarray
    push: np.ndarray


def inverse_dynamics(
    model: mujoco.MjModel,
    data: mujoco.MjData,
    qpos: np.ndarray,
    qvel: np.ndarray,
    qacc: np.ndarray,
    supports: list[str],
    compliance: np.ndarray,
    *,
    with_push: bool = True,
) -> Dynamics:
    """Joint torques of a movement that the ground carries through some supports.

    The supports share by minimum norm, and each takes friction and moments as it takes weight: else one that hardly
    carries would be told to turn as much as the other.

    Args:
        model: The wearer.
        data: Overwritten.
        qpos, qvel, qacc: (K, nq), (K, nv), (K, nv).
        supports: Sites through which the ground pushes, S of them.
        compliance: (K, S) how readily each takes load; 0 takes none.
        with_push: Whether to work out `Dynamics.push`.
    """
    count, nv = qvel.shape
    sites = [model.site(name).id for name in supports]
    force, com, lever = np.zeros((count, nv)), np.empty((count, 3)), np.zeros((count, 3, nv))
    axes, places = np.empty((count, nv, 6)), np.empty((count, model.nsite, 3))
    place, speed, rise, middle = data.qpos, data.qvel, data.qacc, data.subtree_com[1]
    turning, spots = data.cdof, data.site_xpos
    for k in range(count):
        place[:], speed[:], rise[:] = qpos[k], qvel[k], qacc[k]
        mujoco.mj_kinematics(model, data)
        mujoco.mj_comPos(model, data)
        mujoco.mj_comVel(model, data)
        mujoco.mj_rne(model, data, 1, force[k])
        axes[k], places[k], com[k] = turning, spots, middle
        if with_push:
            mujoco.mj_jacSubtreeCom(model, data, lever[k], 1)
    jacobian = jacobians(axes, places[:, sites] - com[:, None], moved_by(model, sites)).reshape(count, -1, nv)
    force[:, 6:] += ARMATURE * qacc[:, 6:]
    support = jacobian[:, :, :6]  # (K, 6 S, 6): transposed, wrenches to root force
    wrench = _shared(support, compliance)
    carried = np.maximum((wrench @ force[:, :6, None])[:, 2::6, 0], 0.0)
    carried = carried / np.maximum(carried.sum(1, keepdims=True), LEAST_FORCE_N)
    wrench = _shared(support, compliance * np.maximum(carried, LEAST_SHARE))
    pushed = (wrench @ force[:, :6, None])[..., 0]
    torque = force[:, 6:] - np.vecmat(pushed, jacobian[:, :, 6:])
    up = force[:, 2:3]
    moment = turned(qpos[:, 3:7], force[:, 3:6])
    tip = np.column_stack([-moment[:, 1], moment[:, 0]]) - qpos[:, 2:3] * force[:, :2]
    pressure = qpos[:, :2] + tip / np.maximum(up, LEAST_FORCE_N)
    push = np.zeros((count, nv - 6, 3))
    if with_push:
        legs = jacobian[:, :, 6:].transpose(0, 2, 1) @ wrench  # (K, 29, 6): root force to joint torques
        push = lever[:, :, 6:].transpose(0, 2, 1) - legs @ lever[:, :, :6].transpose(0, 2, 1)
    ground = up[:, 0] / (float(model.body_mass.sum()) * -model.opt.gravity[2])
    return Dynamics(torque=torque, pressure=pressure, ground=ground, carried=carried, com=com, push=push)


def moved_by(model: mujoco.MjModel, sites: list[int]) -> np.ndarray:
    """Which degrees of freedom move a site (S, nv)."""
    moved, parents = np.zeros((len(sites), model.nv), bool), model.dof_parentid.tolist()
    for row, site in zip(moved, sites, strict=True):
        body = model.site_bodyid[site]
        while not model.body_dofnum[body]:  # it is fixed to its parent
            body = model.body_parentid[body]
        dof = int(model.body_dofadr[body] + model.body_dofnum[body]) - 1
        while dof >= 0:
            row[dof], dof = True, parents[dof]
    return moved


@compiled
def jacobians(axes: np.ndarray, places: np.ndarray, moved: np.ndarray) -> np.ndarray:
    """What `mj_jacSite` gives of some sites in K poses.

    Args:
        axes: (K, nv, 6) MuJoCo's `cdof`: how a degree of freedom turns and moves the centre of mass.
        places: (K, S, 3) of the sites, from there [m].
        moved: (S, nv) which degrees of freedom move a site.

    Returns:
        (K, S, 2, 3, nv) of the site's place, and of its orientation.
    """
    found = np.zeros((*places.shape[:2], 2, 3, axes.shape[1]))
    for k in range(len(places)):
        for site in range(places.shape[1]):
            x, y, z = places[k, site]
            for dof in range(axes.shape[1]):
                if moved[site, dof]:
                    a, b, c, u, v, w = axes[k, dof]
                    place, turn = found[k, site, 0], found[k, site, 1]
                    turn[0, dof], turn[1, dof], turn[2, dof] = a, b, c
                    place[0, dof] = u + (b * z - c * y)
                    place[1, dof] = v + (c * x - a * z)
                    place[2, dof] = w + (a * y - b * x)
    return found


@compiled
def _shared(support: np.ndarray, compliance: np.ndarray) -> np.ndarray:
    """What each support takes of a force on the root, (K, 6 S, 6), from supports (K, 6 S, 6) that take (K, S)."""
    shares, together = np.zeros(support.shape), np.empty((6, 6))
    for k in range(len(support)):
        together[:] = 0.0
        for row in range(support.shape[1]):
            weight = compliance[k, row // 6] * WRENCH_COMPLIANCE[row % 6]
            for i in range(6):
                for j in range(6):
                    together[i, j] += weight * support[k, row, i] * support[k, row, j]
        _invert(together)
        for row in range(support.shape[1]):
            weight = compliance[k, row // 6] * WRENCH_COMPLIANCE[row % 6]
            for i in range(6):
                for j in range(6):
                    shares[k, row, j] += weight * support[k, row, i] * together[i, j]
    return shares


@compiled
def _invert(matrix: np.ndarray) -> None:
    """Inverts a positive definite matrix in place, which needs no pivots."""
    for k in range(len(matrix)):
        pivot = 1.0 / matrix[k, k]
        matrix[k, k] = 1.0
        for j in range(len(matrix)):
            matrix[k, j] *= pivot
        for i in range(len(matrix)):
            if i != k:
                factor = matrix[i, k]
                matrix[i, k] = 0.0
                for j in range(len(matrix)):
                    matrix[i, j] -= factor * matrix[k, j]
