"""Motion to reference: the joint trajectory of a set of squats, and the torques that it needs.

The trajectory is planned at a few knots along depth (the pelvis is placed so that the centre of mass stays over the
feet), then along time at `PLAN_HZ` (closed-form leg inverse kinematics, arms, sway), then splined to the physics rate.
"""

from dataclasses import dataclass

import mujoco
import numpy as np
from scipy.interpolate import CubicSpline

from squat_env.body import Body, ankle_height, hip_width, segments, shoulder_width
from squat_env.model import ARMATURE, DAMPING_PER_STIFFNESS, SIDES, foot_size, joint_names
from squat_env.motion import ARM_POSTURES, Cycle, Motion

PLAN_HZ = 25.0
KNOTS = np.linspace(-0.05, 1.05, 9)  # depths at which the pelvis is placed
GRAVITY = 9.81
PEAK_ACCELERATION = 0.40 * GRAVITY  # of the pelvis; beyond it the feet leave the ground
MAX_DORSIFLEXION_DEG = 45.0
MAX_ABDUCTION_DEG = 75.0  # out of the sagittal plane; at 90 the shoulder's three hinges lose a direction
WRENCH_COMPLIANCE = np.array([1, 1, 1, 0.003, 0.01, 0.01])  # a foot's force is cheap, its moment is not
STANDING_LEAN_DEG = 3.0
SMOOTH_MINIMUM_M = 0.0005
STAND, DESCENT, BOTTOM, ASCENT = range(4)


class InfeasibleMotion(ValueError):
    """A body cannot perform a motion; `reason` is one word for counting."""

    def __init__(self, reason: str, message: str):
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, kw_only=True)
class Reference:
    """What the controller follows, at the physics rate.

    Attributes:
        time: (N,) [s].
        qpos: (N, 36) root position, root quaternion (wxyz), joint angles [m, rad].
        qvel: (N, 35) MuJoCo's velocity of it.
        torque: (N, 29) feed-forward joint torque [N m].
        depth: (N,) share of the set's knee flexion: 0 standing, 1 bottom.
        phase4: (N,) int8: 0 stand, 1 descent, 2 bottom, 3 ascent.
        repetition: (N,) int64 number of the cycle.
    """

    time: np.ndarray
    qpos: np.ndarray
    qvel: np.ndarray
    torque: np.ndarray
    depth: np.ndarray
    phase4: np.ndarray
    repetition: np.ndarray


def plan(model: mujoco.MjModel, body: Body, motion: Motion) -> Reference:
    """Plans a set of squats.

    Args:
        model: The body's model.
        body: The person.
        motion: What the person does.

    Raises:
        InfeasibleMotion: Too fast for the feet to stay on the ground, out of the legs' or the ankles' reach.
    """
    data = mujoco.MjData(model)
    geometry = _Geometry.of(body, motion)
    time, depth, phase4, repetition = timeline(motion, model.opt.timestep)
    coarse = np.arange(0.0, time[-1] + 1.0 / PLAN_HZ, 1.0 / PLAN_HZ)
    coarse_depth = np.interp(coarse, time, depth)
    forward = _place_pelvis(model, data, geometry, motion)
    pose = _pose(geometry, motion, coarse_depth, forward(coarse_depth), _sway(motion, coarse))
    _refuse_stiff_ankle(pose)
    root, joints = CubicSpline(coarse, pose.root), CubicSpline(coarse, pose.joints)
    torque = _feed_forward(model, data, coarse, root, joints)
    return Reference(
        time=time,
        qpos=_qpos(root(time), joints(time)),
        qvel=_qvel(root(time), root(time, 1), joints(time, 1)),
        torque=CubicSpline(coarse, torque)(time),
        depth=depth,
        phase4=phase4,
        repetition=repetition,
    )


def controls(model: mujoco.MjModel, reference: Reference) -> np.ndarray:
    """Targets (N, 29) that make MuJoCo's position actuators a PD law with feed-forward.

    force = kp (ctrl - q) - kv qd, so ctrl = q_ref + (kv qd_ref + tau) / kp.
    """
    stiffness = model.actuator_gainprm[:, 0]
    return reference.qpos[:, 7:] + DAMPING_PER_STIFFNESS * reference.qvel[:, 6:] + reference.torque / stiffness


def timeline(motion: Motion, timestep: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Time [s], depth (0-1), four-part phase and cycle number at the physics rate, each (N,)."""
    count = round(motion.duration_s / timestep) + 1
    time = np.arange(count) * timestep
    depth, phase4 = np.zeros(count), np.zeros(count, np.int8)
    repetition = np.zeros(count, np.int64)
    start = 0.0
    for number, cycle in enumerate(motion.cycles):
        inside = (time >= start - 1e-9) & (time <= start + cycle.duration_s + 1e-9)
        depth[inside], phase4[inside] = _cycle(cycle, time[inside] - start)
        repetition[inside] = number
        start += cycle.duration_s
    return time, depth, phase4, repetition


def _cycle(cycle: Cycle, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Minimum-jerk descent and ascent."""
    down = minimum_jerk((t - cycle.before_s) / cycle.descent_s)
    bottom = cycle.before_s + cycle.descent_s
    up = minimum_jerk((t - bottom - cycle.bottom_s) / cycle.ascent_s)
    edges = np.cumsum([cycle.before_s, cycle.descent_s, cycle.bottom_s, cycle.ascent_s])
    phase4 = np.array([STAND, DESCENT, BOTTOM, ASCENT, STAND], np.int8)[np.searchsorted(edges, t, "right")]
    return cycle.depth * (down - up), phase4


def minimum_jerk(x: np.ndarray) -> np.ndarray:
    """Smooth step from 0 to 1 (Flash & Hogan 1985), constant outside [0, 1]."""
    x = np.clip(x, 0.0, 1.0)
    return x**3 * (10.0 - 15.0 * x + 6.0 * x**2)


@dataclass(frozen=True, kw_only=True)
class _Geometry:
    """Lengths [m] that the leg inverse kinematics needs; the ankles stand still."""

    thigh: float
    shank: float
    hips: np.ndarray  # (2, 3) in the pelvis frame
    ankles: np.ndarray  # (2, 3) world
    feet: np.ndarray  # (2, 3, 3) orientation of the feet
    balance_x: float  # where the centre of mass stays

    @classmethod
    def of(cls, body: Body, motion: Motion) -> "_Geometry":
        parts, size = segments(body), foot_size(body)
        sign = np.array([1.0, -1.0])
        yaw = sign * np.deg2rad(motion.toe_out_deg)
        feet = np.array([_rotation("z", angle) for angle in yaw])
        middle = 0.5 * motion.stance * shoulder_width(body)
        return cls(
            thigh=parts["thigh"].length,
            shank=parts["shank"].length,
            hips=np.column_stack([[0, 0], sign * 0.5 * hip_width(body), [0, 0]]),
            ankles=np.column_stack([[0, 0], sign * middle, [ankle_height(body)] * 2]),
            feet=feet,
            balance_x=float(size.along(motion.balance) * np.cos(yaw[0])),
        )


@dataclass(frozen=True, kw_only=True)
class _Pose:
    """Planned poses: root (K, 6) as x, y, z, roll, pitch, yaw; joints (K, 29)."""

    root: np.ndarray
    joints: np.ndarray


@dataclass(frozen=True, kw_only=True)
class _Sway:
    """Involuntary movement over time, zero mean."""

    balance: np.ndarray  # (K, 2) shift of the pelvis, m
    trunk: np.ndarray  # (K, 3) roll, pitch, yaw of the trunk, rad
    arms: np.ndarray  # (K, 2, 5), rad


_NO_SWAY = _Sway(balance=np.zeros((1, 2)), trunk=np.zeros((1, 3)), arms=np.zeros((1, 2, 5)))


def _sway(motion: Motion, time: np.ndarray) -> _Sway:
    """Sums of sinusoids between 0.1 and 2.5 Hz with amplitudes falling with frequency."""
    rng = np.random.default_rng(motion.sway_seed)
    frequency = np.exp(rng.uniform(np.log(0.1), np.log(2.5), (15, 6)))
    phase = rng.uniform(0, 2 * np.pi, (15, 6))
    amplitude = frequency**-0.5
    amplitude /= np.sqrt(0.5 * (amplitude**2).sum(1, keepdims=True))
    waves = (amplitude[..., None] * np.sin(2 * np.pi * frequency[..., None] * time + phase[..., None])).sum(1)
    waves = waves.T * np.deg2rad(motion.sway_deg)  # (K, 15), rms = sway
    return _Sway(
        balance=waves[:, :2] * 0.06,
        trunk=waves[:, 2:5] * 0.2,
        arms=waves[:, 5:].reshape(-1, 2, 5),
    )


def _place_pelvis(model: mujoco.MjModel, data: mujoco.MjData, geometry: _Geometry, motion: Motion):
    """Pelvis x over depth (a spline) for which the centre of mass stands over the feet at every knot."""
    forward = np.full(len(KNOTS), geometry.balance_x - 0.05)
    for _ in range(5):
        pose = _pose(geometry, motion, KNOTS, forward, _NO_SWAY)
        com = [_centre_of_mass_x(model, data, qpos) for qpos in _qpos(pose.root, pose.joints)]
        forward = forward + (geometry.balance_x - np.array(com)) / 0.85
    _refuse_haste(motion, float(np.ptp(pose.root[:, 2])))
    return CubicSpline(KNOTS, forward)


def _centre_of_mass_x(model: mujoco.MjModel, data: mujoco.MjData, qpos: np.ndarray) -> float:
    data.qpos[:] = qpos
    mujoco.mj_kinematics(model, data)
    mujoco.mj_comPos(model, data)
    return float(data.subtree_com[1, 0])


def _pose(geometry: _Geometry, motion: Motion, depth: np.ndarray, forward: np.ndarray, sway: _Sway) -> _Pose:
    """Poses at K depths with the pelvis at `forward` [m]."""
    bend = motion.standing_knee_deg + depth * (motion.knee_flexion_deg - motion.standing_knee_deg)
    lean = np.deg2rad(STANDING_LEAN_DEG + depth * (motion.lean_deg - STANDING_LEAN_DEG))
    tilt = lean * (1.0 - motion.lumbar_share)
    count = len(depth)
    root = np.zeros((count, 6))
    root[:, 0] = forward + sway.balance[:, 0]
    root[:, 1] = sway.balance[:, 1]
    root[:, 4] = tilt
    pelvis = _rotation("y", tilt)
    root[:, 2] = _pelvis_height(geometry, pelvis, root[:, :2], np.deg2rad(np.abs(bend)))
    legs = [_leg(geometry, side, root[:, :3], pelvis) for side in range(2)]
    spine = np.column_stack([lean - tilt + sway.trunk[:, 1], *(sway.trunk[:, [0, 2]] + np.zeros((count, 2))).T])
    thorax = pelvis @ _euler(spine, "yxz", (1, 1, 1))
    arms = [_arm(motion, side, depth, lean, thorax, sway.arms[:, side]) for side in range(2)]
    return _Pose(root=root, joints=np.column_stack([spine, *arms, *legs]))


def _pelvis_height(geometry: _Geometry, pelvis: np.ndarray, place: np.ndarray, bend: np.ndarray) -> np.ndarray:
    """Height (K,) at which the straighter knee is bent by `bend`; a smooth minimum over both legs."""
    reach = geometry.thigh**2 + geometry.shank**2 + 2 * geometry.thigh * geometry.shank * np.cos(bend)
    heights = []
    for hip, ankle in zip(geometry.hips, geometry.ankles, strict=True):
        offset = pelvis @ hip
        across = place + offset[:, :2] - ankle[:2]
        up = np.sqrt(np.maximum(reach - (across**2).sum(1), 1e-4))
        heights.append(ankle[2] + up - offset[:, 2])
    low, high = np.sort(heights, axis=0)
    return low - SMOOTH_MINIMUM_M * np.log1p(np.exp((low - high) / SMOOTH_MINIMUM_M))


def _leg(geometry: _Geometry, side: int, position: np.ndarray, pelvis: np.ndarray) -> np.ndarray:
    """Closed-form inverse kinematics: (K, 8) angles of one leg; the knee points where the foot points."""
    foot = geometry.feet[side]
    hip = position + pelvis @ geometry.hips[side]
    line = hip - geometry.ankles[side]
    distance = np.linalg.norm(line, axis=1)
    longest = geometry.thigh + geometry.shank
    if (distance > longest).any():
        raise InfeasibleMotion(
            "reach",
            f"a leg of {longest:.3f} m cannot span {distance.max():.3f} m; bend the standing knee or narrow the stance",
        )
    up = line / distance[:, None]
    ahead = foot[:, 0] - up * (up @ foot[:, 0])[:, None]
    ahead /= np.linalg.norm(ahead, axis=1, keepdims=True)
    along = (distance**2 + geometry.thigh**2 - geometry.shank**2) / (2 * distance)
    out = np.sqrt(np.maximum(geometry.thigh**2 - along**2, 0.0))
    knee = hip - along[:, None] * up + out[:, None] * ahead
    hinge = np.cross(up, ahead)
    thigh = _frame(hinge, (hip - knee) / geometry.thigh)
    shank = _frame(hinge, (knee - geometry.ankles[side]) / geometry.shank)
    sign = 1 if side == 0 else -1
    hip_angles = _angles(pelvis.transpose(0, 2, 1) @ thigh, (-1, sign, sign))
    bend = _angles(thigh.transpose(0, 2, 1) @ shank, (1, 1, 1))[:, :1]
    ankle_angles = _angles(shank.transpose(0, 2, 1) @ foot, (-1, sign, sign))
    return np.column_stack([hip_angles, bend, ankle_angles, np.zeros(len(position))])


def _arm(
    motion: Motion,
    side: int,
    depth: np.ndarray,
    lean: np.ndarray,
    thorax: np.ndarray,
    sway: np.ndarray,
) -> np.ndarray:
    """Angles (K, 5) of one arm; `Motion.arm_follow` says how far the arms tip with the trunk."""
    posture, sign = ARM_POSTURES[motion.arms], 1 if side == 0 else -1
    mix = np.clip(depth, 0.0, 1.0)[:, None]
    angles = (1 - mix) * np.array(posture.standing) + mix * np.array(posture.bottom)
    angles = angles + np.array(motion.arm_offset_deg) + sign * np.array(motion.arm_asymmetry_deg)
    angles[:, 1] = np.clip(angles[:, 1], -30.0, MAX_ABDUCTION_DEG)
    angles[:, 3] = np.clip(angles[:, 3], 2.0, 145.0)  # an elbow does not bend backwards
    angles = np.deg2rad(angles) + sway
    signs = (-1, sign, sign)
    held = _rotation("y", lean * motion.arm_follow) @ _euler(angles[:, :3], "yxz", signs)
    shoulder = _angles(thorax.transpose(0, 2, 1) @ held, signs)
    return np.column_stack([np.unwrap(shoulder, axis=0), angles[:, 3:]])


def _refuse_haste(motion: Motion, drop: float) -> None:
    for cycle in motion.cycles:
        fastest = min(cycle.descent_s, cycle.ascent_s)
        peak = 5.77 * drop * cycle.depth / fastest**2  # of a minimum-jerk movement
        if peak > PEAK_ACCELERATION:
            raise InfeasibleMotion(
                "tempo",
                f"moving {drop:.2f} m in {fastest:.2f} s takes {peak:.1f} m/s^2, expected at most"
                f" {PEAK_ACCELERATION:.1f}; take {np.sqrt(5.77 * drop / PEAK_ACCELERATION):.2f} s or squat less deep",
            )


def _refuse_stiff_ankle(pose: _Pose) -> None:
    columns = [joint_names().index(f"{side}_ankle_flexion") for side in SIDES]
    dorsiflexion = np.rad2deg(pose.joints[:, columns].max())
    if dorsiflexion > MAX_DORSIFLEXION_DEG:
        raise InfeasibleMotion(
            "ankle",
            f"the ankle would bend by {dorsiflexion:.0f} degrees, expected at most {MAX_DORSIFLEXION_DEG:.0f};"
            " lean further forward or squat less deep",
        )


def _feed_forward(
    model: mujoco.MjModel, data: mujoco.MjData, time: np.ndarray, root: CubicSpline, joints: CubicSpline
) -> np.ndarray:
    """Joint torques (K, 29) by inverse dynamics; both feet share the ground wrench by minimum norm."""
    qpos = _qpos(root(time), joints(time))
    qvel = _qvel(root(time), root(time, 1), joints(time, 1))
    qacc = CubicSpline(time, qvel)(time, 1)
    count, nv = qvel.shape
    force, jacobian = np.zeros((count, nv)), np.zeros((count, 12, nv))
    soles = [model.site(f"{side}_sole").id for side in SIDES]
    for k in range(count):
        data.qpos[:], data.qvel[:], data.qacc[:] = qpos[k], qvel[k], qacc[k]
        mujoco.mj_kinematics(model, data)
        mujoco.mj_comPos(model, data)
        mujoco.mj_comVel(model, data)
        mujoco.mj_rne(model, data, 1, force[k])
        for row, site in zip((0, 6), soles, strict=True):
            mujoco.mj_jacSite(model, data, jacobian[k, row : row + 3], jacobian[k, row + 3 : row + 6], site)
    force[:, 6:] += ARMATURE * qacc[:, 6:]
    support = jacobian[:, :, :6].transpose(0, 2, 1)  # (K, 6, 12): foot wrenches to root force
    weight = np.tile(WRENCH_COMPLIANCE, 2)
    weighted = support * weight
    share = np.linalg.solve(weighted @ support.transpose(0, 2, 1), force[:, :6, None])
    wrench = (weighted.transpose(0, 2, 1) @ share)[..., 0]
    return force[:, 6:] - np.einsum("kw,kwj->kj", wrench, jacobian[:, :, 6:])


def _qpos(root: np.ndarray, joints: np.ndarray) -> np.ndarray:
    """Root as quaternion: yaw, then pitch, then roll."""
    half = 0.5 * root[:, 3:]
    (cr, cp, cy), (sr, sp, sy) = np.cos(half).T, np.sin(half).T
    quat = np.column_stack(
        [
            cr * cp * cy + sr * sp * sy,
            sr * cp * cy - cr * sp * sy,
            cr * sp * cy + sr * cp * sy,
            cr * cp * sy - sr * sp * cy,
        ]
    )
    return np.column_stack([root[:, :3], quat, joints])


def _qvel(root: np.ndarray, rate: np.ndarray, joint_rate: np.ndarray) -> np.ndarray:
    """World linear velocity, angular velocity in the root's frame, joint rates."""
    (roll, pitch, _), (d_roll, d_pitch, d_yaw) = root[:, 3:].T, rate[:, 3:].T
    angular = np.column_stack(
        [
            d_roll - d_yaw * np.sin(pitch),
            d_pitch * np.cos(roll) + d_yaw * np.cos(pitch) * np.sin(roll),
            -d_pitch * np.sin(roll) + d_yaw * np.cos(pitch) * np.cos(roll),
        ]
    )
    return np.column_stack([rate[:, :3], angular, joint_rate])


def _rotation(axis: str, angle: np.ndarray | float) -> np.ndarray:
    """Rotation matrices (..., 3, 3) about a coordinate axis."""
    angle = np.asarray(angle, dtype=float)
    c, s = np.cos(angle), np.sin(angle)
    i, j = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
    matrix = np.zeros((*angle.shape, 3, 3))
    matrix[...] = np.eye(3)
    matrix[..., i, i] = matrix[..., j, j] = c
    matrix[..., i, j], matrix[..., j, i] = -s, s
    return matrix


def _euler(angles: np.ndarray, axes: str, signs: tuple[int, int, int]) -> np.ndarray:
    """Rotation (K, 3, 3) of three hinges in a row, their axes along +- the coordinate axes."""
    first, second, third = (
        _rotation(axis, sign * angles[:, k]) for k, (axis, sign) in enumerate(zip(axes, signs, strict=True))
    )
    return first @ second @ third


def _angles(matrix: np.ndarray, signs: tuple[int, int, int]) -> np.ndarray:
    """Inverse of `_euler(..., "yxz", signs)`: (K, 3)."""
    y = np.arctan2(matrix[:, 0, 2], matrix[:, 2, 2])
    x = np.arcsin(np.clip(-matrix[:, 1, 2], -1.0, 1.0))
    z = np.arctan2(matrix[:, 1, 0], matrix[:, 1, 1])
    return np.column_stack([y, x, z]) * signs


def _frame(left: np.ndarray, up: np.ndarray) -> np.ndarray:
    """Orientation (K, 3, 3) whose y is `left` and whose z is `up`, both (K, 3) unit and orthogonal."""
    return np.stack([np.cross(left, up), left, up], axis=-1)
