"""Where the joints are at every point of an exercise: closed-form leg inverse kinematics, trunk and arms."""

from dataclasses import dataclass

import numpy as np

from squat_env import limbs
from squat_env.arms import ARM_POSTURES
from squat_env.exercises import Exercise
from squat_env.geometry import Geometry, InfeasibleMotion, Path
from squat_env.kernels import sums_of_waves
from squat_env.motion import Motion
from squat_env.rotations import about, euler_yxz
from squat_env.timeline import minimum_jerk

LEAST_ELBOW_DEG = 2.0  # an elbow does not bend backwards
MAX_ABDUCTION_DEG = 75.0  # out of the sagittal plane; at 90 the shoulder's three hinges lose a direction
SMOOTH_MINIMUM_M = 0.0005
ROLL_SHIFT_M = 0.007  # of the weight, per degree of pelvis roll
HEEL_RISE_BALANCE = 0.8  # where over the foot a person on the balls stands
HEEL_RISE_FROM = 0.5  # of the way, from where heels rise: by then the weight is over the balls
HEEL_RISE_FULL_DEG = 2.5  # rise at which the weight is over the balls
LIFT_M = 0.2  # how high a free foot would be lifted flat; it leaves the ground so before it swings
TRAIL_SLACK = 0.78  # the legs stay behind the pelvis, so the centre of mass moves less than it


@dataclass(frozen=True, kw_only=True)
class Sway:
    """Involuntary movement over time, zero mean."""

    balance: np.ndarray  # (K, 2) shift of the pelvis, m
    trunk: np.ndarray  # (K, 3) roll, pitch, yaw of the trunk, rad
    arms: np.ndarray  # (K, 2, 5), rad


NO_SWAY = Sway(balance=np.zeros((1, 2)), trunk=np.zeros((1, 3)), arms=np.zeros((1, 2, 5)))


def sample_sway(motion: Motion, time: np.ndarray) -> Sway:
    """Sums of sinusoids between 0.1 and 2.5 Hz, slow ones larger: as the wrists of standing people move.

    Args:
        motion: How much.
        time: (K,) at equal steps from 0 on [s].
    """
    if motion.sway_deg == 0:
        return NO_SWAY
    rng = np.random.default_rng(motion.sway_seed)
    frequency = np.exp(rng.uniform(np.log(0.1), np.log(2.5), (15, 6)))
    phase = rng.uniform(0, 2 * np.pi, (15, 6))
    amplitude = frequency**-0.7
    amplitude /= np.sqrt(0.5 * (amplitude**2).sum(1, keepdims=True))
    step = float(time[1] - time[0]) if len(time) > 1 else 0.0
    waves = sums_of_waves(amplitude, 2 * np.pi * step * frequency, phase, len(time))
    waves *= np.deg2rad(motion.sway_deg)  # rms = sway
    return Sway(balance=waves[:, :2] * 0.04, trunk=waves[:, 2:5] * 0.15, arms=waves[:, 5:].reshape(-1, 2, 5))


@dataclass(frozen=True, kw_only=True)
class Pose:
    """Planned poses at K points.

    Attributes:
        root: (K, 6) x, y, z, roll, pitch, yaw [m, rad].
        joints: (K, 29) [rad].
    """

    root: np.ndarray
    joints: np.ndarray


def balance_target(geometry: Geometry, motion: Motion, exercise: Exercise, path: Path) -> np.ndarray:
    """Where over the ground (K, 2) the centre of mass is to be [m]."""
    depth = np.clip(path.depth, 0.0, 1.0)
    raised = (1.0 - (1.0 - depth) ** 2) * min(1.0, motion.heel_rise_deg / HEEL_RISE_FULL_DEG)
    along = motion.balance + depth * motion.balance_change
    along = along + raised * (HEEL_RISE_BALANCE - along)
    forward = geometry.foot.along(along)
    lead, trail = (
        geometry.ankles[leg, :2] + forward[:, None] * geometry.feet[leg, :2, 0]
        for leg in (geometry.lead, 1 - geometry.lead)
    )
    share = 0.5 + (motion.load_share - 0.5) * np.clip(path.shift, 0.0, 1.0)
    if exercise.straight_trail:
        share = _share_of_straight_trail(geometry, motion, depth)
    target = trail + share[:, None] * (lead - trail)
    target[:, 1] += geometry.side * ROLL_SHIFT_M * _roll_deg(motion, exercise, depth)
    return target


def _share_of_straight_trail(geometry: Geometry, motion: Motion, depth: np.ndarray) -> np.ndarray:
    """Share (K,) of the weight on the leading leg at which the other one is as straight as it was."""
    start, end = np.deg2rad(motion.standing_knee_deg), np.deg2rad(motion.knee_flexion_deg)
    bend = start + depth * (end - start)
    shortened = 2 * geometry.thigh * geometry.shank * (np.cos(start) - np.cos(bend))  # of the squared leg length
    apart = abs(geometry.ankles[0, 1] - geometry.ankles[1, 1])
    aside = shortened / (4 * (0.5 * apart - geometry.hips[0, 1]))
    return 0.5 + np.clip(TRAIL_SLACK * aside / apart, 0.0, 0.47)


@dataclass(frozen=True, kw_only=True)
class Shape:
    """All of K poses that does not depend on where the pelvis is.

    Attributes:
        turn: (K, 3) roll, pitch and yaw of the pelvis [rad].
        pelvis: (K, 3, 3) its orientation.
        back: (K,) how far it is behind its place, rolling on a seat [m].
        upper: (K, 13) angles of spine and arms [rad].
        feet, ankles, toes: As `_feet` gives them.
        bend: (K,) flexion of the knees [rad].
    """

    turn: np.ndarray
    pelvis: np.ndarray
    back: np.ndarray
    upper: np.ndarray
    feet: np.ndarray
    ankles: np.ndarray
    toes: np.ndarray
    bend: np.ndarray


def pose(geometry: Geometry, motion: Motion, exercise: Exercise, path: Path, place: np.ndarray, sway: Sway) -> Pose:
    """Poses at K points of a path with the pelvis at `place` (K, 2) [m].

    Raises:
        InfeasibleMotion: A leg is too short.
    """
    return placed(geometry, motion, exercise, path, shape(geometry, motion, exercise, path, sway), place + sway.balance)


def shape(geometry: Geometry, motion: Motion, exercise: Exercise, path: Path, sway: Sway) -> Shape:
    """What of the poses at K points of a path does not depend on where the pelvis is."""
    lean, tilt, bend = _trunk(motion, path)
    roll = -geometry.side * np.deg2rad(_roll_deg(motion, exercise, path.depth))
    count = len(path.depth)
    back = geometry.seat_radius * _rolled_back(motion, path, tilt)
    if exercise.height == "floor":
        lean, tilt = np.full(count, -0.5 * np.pi), np.full(count, -0.5 * np.pi)
    zero = np.zeros(count)
    turn = np.array([roll, tilt, zero]).T
    pelvis = euler_yxz(turn[:, [1, 0, 2]], (1, 1, 1))
    feet, ankles, toes = _feet(geometry, motion, path)
    if exercise.lifts:
        ankles[:, geometry.lead, 2] += LIFT_M * np.clip(path.depth, 0.0, 1.0)
    aside = -geometry.side * np.deg2rad(motion.side_bend_deg) * path.depth - roll
    spine = np.array([lean - tilt + sway.trunk[:, 1], aside + sway.trunk[:, 0], zero + sway.trunk[:, 2]]).T
    thorax = pelvis @ euler_yxz(spine, (1, 1, 1))
    return Shape(
        turn=turn,
        pelvis=pelvis,
        back=back,
        upper=np.hstack([spine, *_arms(motion, geometry, _arms_way(motion, path), lean, thorax, sway.arms)]),
        feet=feet,
        ankles=ankles,
        toes=toes,
        bend=bend,
    )


def placed(
    geometry: Geometry, motion: Motion, exercise: Exercise, path: Path, shaped: Shape, place: np.ndarray
) -> Pose:
    """Poses of a shape with the pelvis at `place` (K, 2) [m].

    Raises:
        InfeasibleMotion: A leg is too short.
    """
    root = np.zeros((len(path.depth), 6))
    if exercise.height != "floor":
        root[:, :2] = place
        root[:, 0] -= shaped.back
    root[:, 3:] = shaped.turn
    root[:, 2] = _pelvis_height(geometry, motion, exercise, path, shaped.pelvis, root[:, :2], shaped.ankles)
    if exercise.height == "floor":
        legs = np.array([_hovering(motion, path.depth, shaped.bend) for _ in range(2)])
    else:
        valgus = motion.knee_valgus_m * np.clip(path.depth, 0.0, 1.0) ** 2
        ahead = geometry.feet[None, :, :, 0]
        legs = leg_angles(geometry, root[:, :3], shaped.pelvis, shaped.feet, shaped.ankles, shaped.toes, ahead, valgus)
        if exercise.lifts:
            free, share = legs[geometry.lead], minimum_jerk(path.depth)[:, None]
            legs[geometry.lead] = free + share * (_raised(motion) - free)
    return Pose(root=root, joints=np.hstack([shaped.upper, *legs]))


def _rolled_back(motion: Motion, path: Path, tilt: np.ndarray) -> np.ndarray:
    """How far (K,) [rad] the pelvis has rolled backwards on the seat."""
    return np.where(path.settle > 0, np.deg2rad(motion.lean_deg * (1.0 - motion.lumbar_share)) - tilt, 0.0)


def _roll_deg(motion: Motion, exercise: Exercise, depth: np.ndarray) -> np.ndarray:
    """Drop (K,) of the pelvis on the leading side [deg]; a seat levels whoever sits down on it."""
    return motion.pelvis_roll_deg * (np.sin(np.pi * depth) if exercise.height == "seat" else depth)


def _trunk(motion: Motion, path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lean of the trunk, tilt of the pelvis, flexion of the knees, each (K,) [rad]."""
    depth = path.depth
    lean = motion.standing_lean_deg + depth * (motion.lean_deg - motion.standing_lean_deg)
    lean = lean + path.settle * (motion.seated_lean_deg - lean)
    tilt = lean * (1.0 - motion.lumbar_share)
    if motion.butt_wink_deg:
        late = np.clip((depth - 0.66) / 0.34, 0.0, 1.0)
        tilt = tilt - motion.butt_wink_deg * late**2 * (3.0 - 2.0 * late)
    if motion.trunk_swing_deg:
        lean = lean - motion.trunk_swing_deg * np.sin(np.pi * np.clip(depth, 0.0, 1.0))
    bend = motion.standing_knee_deg + depth * (motion.knee_flexion_deg - motion.standing_knee_deg)
    return np.deg2rad(lean), np.deg2rad(tilt), np.deg2rad(np.abs(bend))


def heel_rise(geometry: Geometry, motion: Motion, path: Path) -> np.ndarray:
    """How far (K, 2) the feet turn about their toe joints [deg]."""
    rise = np.zeros((len(path.depth), 2))
    if motion.heel_rise_deg:
        late = (path.depth - HEEL_RISE_FROM) / (1.0 - HEEL_RISE_FROM)
        rise[:] = (motion.heel_rise_deg * minimum_jerk(late))[:, None]
    start, end = motion.rear_heel_deg
    rise[:, 1 - geometry.lead] += start + (end - start) * path.depth
    return rise


def _feet(geometry: Geometry, motion: Motion, path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Orientation (K, 2, 3, 3), ankles (K, 2, 3) and toe extension (K, 2) of feet that turn about their toe joints."""
    rise = np.deg2rad(heel_rise(geometry, motion, path))
    if not rise.any():
        flat = np.tile(geometry.feet, (len(rise), 1, 1, 1)), np.tile(geometry.ankles, (len(rise), 1, 1))
        return *flat, rise
    feet = geometry.feet @ about("y", rise)
    ankles = geometry.ankles + geometry.feet @ geometry.foot.toes - feet @ geometry.foot.toes
    return feet, ankles, rise


def _pelvis_height(
    geometry: Geometry,
    motion: Motion,
    exercise: Exercise,
    path: Path,
    pelvis: np.ndarray,
    place: np.ndarray,
    ankles: np.ndarray,
) -> np.ndarray:
    """Height (K,) of the hip centres: the straighter (or the leading) knee is bent as asked, or down on the seat."""
    if exercise.height == "floor":
        return np.full(len(place), geometry.rest_height)
    seated = exercise.height == "seat"
    bottom = motion.standing_knee_deg if seated else motion.knee_flexion_deg
    bend = np.deg2rad(np.abs(motion.standing_knee_deg + path.depth * (bottom - motion.standing_knee_deg)))
    heights = limbs.hip_heights((geometry.thigh, geometry.shank), bend, geometry.hips, pelvis, place, ankles)
    if exercise.height == "lead_knee":
        return heights[geometry.lead]
    low, high = np.sort(heights, axis=0)
    height = low - SMOOTH_MINIMUM_M * np.log1p(np.exp((low - high) / SMOOTH_MINIMUM_M))
    return height + path.depth * (geometry.rest_height - height) if seated else height


def leg_angles(
    geometry: Geometry,
    position: np.ndarray,
    pelvis: np.ndarray,
    feet: np.ndarray,
    ankles: np.ndarray,
    toes: np.ndarray,
    ahead: np.ndarray,
    valgus_m: np.ndarray,
) -> np.ndarray:
    """Closed-form inverse kinematics: (2, K, 8) angles of the legs.

    Args:
        geometry: The person's.
        position: (K, 3) of the pelvis [m].
        pelvis: (K, 3, 3) its orientation.
        feet, ankles, toes: (K, 2, 3, 3), (K, 2, 3), (K, 2), see `_feet`.
        ahead: (K or 1, 2, 3) where the knees point.
        valgus_m: (K,) how far they come inwards.

    Raises:
        InfeasibleMotion: A leg is too short.
    """
    angles, farthest = limbs.leg_angles(
        (geometry.thigh, geometry.shank),
        geometry.hips,
        *(np.ascontiguousarray(part) for part in (position, pelvis, feet, ankles, toes, ahead, valgus_m)),
    )
    longest = geometry.thigh + geometry.shank
    if farthest > longest:
        raise InfeasibleMotion(
            "reach",
            f"a leg of {longest:.3f} m cannot span {farthest:.3f} m; bend the standing knee or narrow the stance",
        )
    return angles


def _hovering(motion: Motion, depth: np.ndarray, bend: np.ndarray) -> np.ndarray:
    """(K, 8) angles of a leg that never stands."""
    angles = np.zeros((len(depth), 8))
    angles[:, :2] = depth[:, None] * np.deg2rad(motion.lift_deg[:2])
    angles[:, 3] = bend
    return angles


def _raised(motion: Motion) -> np.ndarray:
    """(8,) angles of a leg held up."""
    hip, aside, knee = np.deg2rad(motion.lift_deg)
    return np.array([hip, aside, 0.0, knee, 0.0, 0.0, 0.0, 0.0])


def _arm_offsets(motion: Motion, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """What is added to the angles (2, 5) of the arms [deg], less where a joint has no room left for all of its way."""
    offset, apart = np.array(motion.arm_offset_deg), np.array(motion.arm_asymmetry_deg)
    offsets = np.array([offset + apart, offset - apart])
    ends = np.array([start, start + motion.arm_range * (end - start)]) + offsets[:, None]
    offsets[:, 1] -= np.maximum(ends[:, :, 1].max(1) - MAX_ABDUCTION_DEG, 0.0)
    offsets[:, 3] += np.maximum(LEAST_ELBOW_DEG - ends[:, :, 3].min(1), 0.0)
    return offsets


def _arms_way(motion: Motion, path: Path) -> np.ndarray:
    """How far (K,) the arms are on their way; what waits for the seat begins when the pelvis rests there."""
    return path.depth + motion.arm_wait * (path.settle - path.depth) if motion.arm_wait else path.depth


def _arms(
    motion: Motion, geometry: Geometry, depth: np.ndarray, lean: np.ndarray, thorax: np.ndarray, sway: np.ndarray
) -> np.ndarray:
    """Angles (2, K, 5) of the arms; `Motion.arm_follow` says how far they tip with the trunk."""
    posture = ARM_POSTURES[motion.arms]
    start, end = np.array(posture.standing), np.array(posture.bottom)
    mix = (np.clip(depth, 0.0, 1.0) * motion.arm_range)[:, None]
    change = end - start + np.array(motion.arm_drift_deg)
    angles = start + mix * change + _arm_offsets(motion, start, start + change)[:, None]
    if motion.uneven_arms_deg:
        way = np.abs(end - start).max()
        behind = mix / max(motion.arm_range, 0.1) * (end - start) * motion.uneven_arms_deg / max(way, 1.0)
        angles[1 - geometry.lead] -= behind
    np.clip(angles[..., 1], -30.0, MAX_ABDUCTION_DEG, out=angles[..., 1])
    np.clip(angles[..., 3], LEAST_ELBOW_DEG, 145.0, out=angles[..., 3])
    hanging = np.deg2rad(angles) + sway.swapaxes(0, 1)
    return limbs.arm_angles(hanging, lean * motion.arm_follow, thorax)
