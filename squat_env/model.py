"""Body and placement to MjModel: a free-standing humanoid that wears a phone and a watch.

Frames: x forwards, y to the left, z up; every body's frame stands at its proximal joint and is parallel to the world's
in the neutral standing pose with hanging arms. A joint's value means the same movement on both sides: flexion,
abduction and external rotation are positive, so a mirrored pose has equal values.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

import mujoco
import numpy as np

from squat_env.body import (
    TISSUE_DENSITY,
    Body,
    Segment,
    ankle_height,
    hip_breadth,
    hip_width,
    segments,
    shoulder_centres,
    shoulder_width,
)
from squat_env.equipment import NO_EQUIPMENT, Equipment
from squat_env.placement import SIDES, Mounting, Placement
from squat_env.spots import PHONE_SPOTS, UNPAIRED, WATCH_SPOT, Spot
from squat_env.support import EXTRAS, SKIN, add_contact, add_equipment
from squat_env.surface import lie_on_surface

TIMESTEP_S = 0.0025
LANDMARKS = (
    "nose",
    *(f"{side}_{name}" for name in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle") for side in SIDES),
    *(f"{side}_{name}" for name in ("heel", "toe") for side in SIDES),
)
DEVICES = ("watch", "phone")
PHONE_SIZE_M = (0.0321, 0.0658, 0.0038)  # half sizes of an iPhone 13 mini
WATCH_SIZE_M = (0.0175, 0.0205, 0.0053)  # half sizes of an Apple Watch 7, 41 mm


ARMATURE = 0.005  # kg m^2; keeps the light distal joints well conditioned
DAMPING_PER_STIFFNESS = 0.12  # s

# Stiffness per body mass [N m/rad/kg] of each joint's actuator
STIFFNESS = {
    "hip_flexion": 20.0,
    "hip_abduction": 16.0,
    "hip_rotation": 10.0,
    "knee_flexion": 20.0,
    "ankle_flexion": 24.0,
    "ankle_inversion": 20.0,
    "ankle_rotation": 12.0,
    "toe_flexion": 4.0,
    "lumbar_flexion": 24.0,
    "lumbar_lateral": 24.0,
    "lumbar_rotation": 16.0,
    "shoulder_flexion": 2.4,
    "shoulder_abduction": 2.4,
    "shoulder_rotation": 2.4,
    "elbow_flexion": 1.6,
    "elbow_pronation": 0.8,
}

# Joint name (without side) -> axis on the left side. A paired joint's right axis is the mirror image.
_AXES = {
    "hip_flexion": (0, -1, 0),
    "hip_abduction": (1, 0, 0),
    "hip_rotation": (0, 0, 1),
    "knee_flexion": (0, 1, 0),
    "ankle_flexion": (0, -1, 0),
    "ankle_inversion": (1, 0, 0),
    "ankle_rotation": (0, 0, 1),
    "toe_flexion": (0, -1, 0),
    "lumbar_flexion": (0, 1, 0),
    "lumbar_lateral": (1, 0, 0),
    "lumbar_rotation": (0, 0, 1),
    "shoulder_flexion": (0, -1, 0),
    "shoulder_abduction": (1, 0, 0),
    "shoulder_rotation": (0, 0, 1),
    "elbow_flexion": (0, -1, 0),
    "elbow_pronation": (0, 0, 1),
}

_RGBA_PHONE, _RGBA_WATCH = (0.1, 0.1, 0.12, 1), (0.75, 0.1, 0.1, 1)


@dataclass(frozen=True, kw_only=True)
class FootSize:
    """Where the sole's landmarks are, from the ankle joint [m]."""

    length: float
    heel_x: float
    ball_x: float
    toe_x: float
    sole_z: float

    def along(self, share: np.ndarray) -> np.ndarray:
        """x of points at these shares of the foot's length: 0 heel, 1 toes."""
        return self.heel_x + share * self.length

    @property
    def sole_radius(self) -> float:
        """Of the spheres under the sole."""
        return 0.035 * self.length

    @property
    def half_width(self) -> float:
        """From the middle line to the spheres under either edge of the sole."""
        return 0.17 * self.length

    @property
    def edges(self) -> np.ndarray:
        """(6, 2) x and y of the spheres under a flat sole, heel to toes."""
        x = (self.heel_x + self.sole_radius, self.ball_x, self.toe_x - self.sole_radius)
        return np.array([(along, across) for along in x for across in (-self.half_width, self.half_width)])

    @property
    def toes(self) -> np.ndarray:
        """(3,) toe joint."""
        return np.array([self.ball_x, 0.0, self.sole_z + self.sole_radius])


def foot_size(body: Body) -> FootSize:
    """The foot's sole: a quarter of its length is behind the ankle."""
    length = segments(body)["foot"].length
    return FootSize(
        length=length,
        heel_x=-0.25 * length,
        ball_x=0.47 * length,
        toe_x=0.75 * length,
        sole_z=-ankle_height(body),
    )


@cache
def joint_names() -> tuple[str, ...]:
    """The actuated joints, in the order of `ctrl` and of `qpos[7:]`."""
    spine = [f"lumbar_{name}" for name in ("flexion", "lateral", "rotation")]
    arm = [f"shoulder_{name}" for name in ("flexion", "abduction", "rotation")]
    arm += ["elbow_flexion", "elbow_pronation"]
    leg = [f"hip_{name}" for name in ("flexion", "abduction", "rotation")] + ["knee_flexion"]
    leg += [f"ankle_{name}" for name in ("flexion", "inversion", "rotation")] + ["toe_flexion"]
    paired = [f"{side}_{name}" for limb in (arm, leg) for side in SIDES for name in limb]
    return (*spine, *paired)


def worn(name: str, mounting: int) -> str:
    """Name of a device, or of one of its sensors, of the watches and phones that are worn at once.

    Args:
        name: Such as "watch", "phone_gyro" or "range".
        mounting: Which of them; the first, number 0, has the plain name.
    """
    return f"{name}_{mounting}" if mounting else name


def build_model(
    body: Body,
    placement: Placement,
    equipment: Equipment = NO_EQUIPMENT,
    *,
    balance: bool = False,
    also: Sequence[Placement] = (),
) -> mujoco.MjModel:
    """Builds and compiles the wearer.

    Sensors: `watch_accel`, `watch_gyro`, `phone_accel`, `phone_gyro` (3 each, device frame) and `range` (3, the phone's
    position in the watch's frame; its norm is the distance). Those of further devices are named by `worn`.

    Args:
        body: The person.
        placement: Where the devices sit.
        equipment: What the person holds, sits or lies on.
        balance: Add the sensors `com` and `com_velocity` (3 each, world) that feedback of the centre of mass reads.
        also: Where further watches and phones sit that are worn at the same time. A device has no mass: it changes
            nothing of the physics.
    """
    spec = mujoco.MjSpec()
    spec.modelname = "wearer"
    _set_options(spec)
    _add_surroundings(spec)
    parts = segments(body)
    pelvis = _add_trunk(spec, body, parts)
    for side in SIDES:
        _add_arm(spec, side, body, parts)
        _add_leg(pelvis, side, body, parts)
    for mounting, place in enumerate((placement, *also)):
        _add_device(spec, worn("watch", mounting), place.watch, WATCH_SPOT, WATCH_SIZE_M, _RGBA_WATCH, parts)
        spot = PHONE_SPOTS[place.phone.spot]
        _add_device(spec, worn("phone", mounting), place.phone, spot, PHONE_SIZE_M, _RGBA_PHONE, parts)
    add_equipment(spec, body, parts, equipment)
    _add_actuators(spec, body)
    _add_sensors(spec, 0)
    if balance:
        _add_balance_sensors(spec)
    for mounting in range(1, len(also) + 1):
        _add_sensors(spec, mounting)
    return spec.compile()


def _set_options(spec: mujoco.MjSpec) -> None:
    option = spec.option
    option.timestep = TIMESTEP_S
    option.integrator = mujoco.mjtIntegrator.mjINT_DISCRETE
    option.cone = mujoco.mjtCone.mjCONE_PYRAMIDAL
    option.solver = mujoco.mjtSolver.mjSOL_NEWTON
    option.jacobian = mujoco.mjtJacobian.mjJAC_DENSE


def _add_surroundings(spec: mujoco.MjSpec) -> None:
    spec.add_texture(
        name="sky",
        type=mujoco.mjtTexture.mjTEXTURE_SKYBOX,
        builtin=mujoco.mjtBuiltin.mjBUILTIN_FLAT,
        rgb1=[1.0, 1.0, 1.0],
        width=2,  # one colour: costs nothing to compile
        height=12,
    )
    spec.worldbody.add_light(name="lamp", pos=[1.5, -1.5, 4], dir=[-0.3, 0.3, -1], castshadow=False)
    spec.worldbody.add_geom(
        name="floor",
        type=mujoco.mjtGeom.mjGEOM_PLANE,
        size=[0, 0, 0.1],
        rgba=[0.82, 0.84, 0.86, 1],
        contype=1,
        conaffinity=1,
        condim=3,
    )


def _add_trunk(spec: mujoco.MjSpec, body: Body, parts: dict[str, Segment]) -> mujoco.MjsBody:
    """Pelvis (at the middle of the hip centres), lumbar joint at the omphalion, thorax, head."""
    lower, middle, upper, head = (parts[n] for n in ("pelvis", "middle_trunk", "upper_trunk", "head"))
    pelvis = spec.worldbody.add_body(name="pelvis")
    pelvis.add_freejoint(name="root")
    _set_inertia(pelvis, lower, [0, 0, lower.length - lower.com])
    wide = 0.5 * hip_breadth(body)
    _ellipsoid(pelvis, "pelvis", lower, [0, 0, 0.35 * lower.length], wide, 0.85 * lower.length)
    thorax = pelvis.add_body(name="middle_trunk", pos=[0, 0, lower.length])
    for name in ("flexion", "lateral", "rotation"):
        _hinge(thorax, f"lumbar_{name}", "left")
    _set_inertia(thorax, middle, [0, 0, middle.length - middle.com])
    _ellipsoid(thorax, "middle_trunk", middle, [0, 0, 0.5 * middle.length], wide, 0.7 * middle.length)
    chest = thorax.add_body(name="upper_trunk", pos=[0, 0, middle.length])
    _set_inertia(chest, upper, [0, 0, upper.length - upper.com])
    _ellipsoid(
        chest,
        "upper_trunk",
        upper,
        [0, 0, 0.35 * upper.length],
        0.36 * shoulder_width(body),
        0.95 * upper.length,
    )
    skull = chest.add_body(name="head", pos=[0, 0, upper.length])
    # the segment's proximal end is the vertex
    _set_inertia(skull, head, [0, 0, head.length - head.com])
    _ellipsoid(skull, "head", head, [0, 0, 0.6 * head.length], 0.26 * head.length, 0.42 * head.length)
    skull.add_site(name="nose", pos=[0.36 * head.length, 0, 0.5 * head.length])
    return pelvis


def _add_arm(spec: mujoco.MjSpec, side: str, body: Body, parts: dict[str, Segment]) -> None:
    upper, lower, end = parts["upper_arm"], parts["forearm"], parts["hand"]
    sign = 1 if side == "left" else -1
    arm = spec.body("upper_trunk").add_body(
        name=f"{side}_upper_arm", pos=[0, sign * 0.5 * shoulder_centres(body), parts["upper_trunk"].length]
    )
    for name in ("flexion", "abduction", "rotation"):
        _hinge(arm, f"shoulder_{name}", side)
    _limb(arm, f"{side}_upper_arm", upper)
    arm.add_site(name=f"{side}_shoulder")
    forearm = arm.add_body(name=f"{side}_forearm", pos=[0, 0, -upper.length])
    _hinge(forearm, "elbow_flexion", side)
    _hinge(forearm, "elbow_pronation", side)
    _limb(forearm, f"{side}_forearm", lower)
    forearm.add_site(name=f"{side}_elbow")
    hand = forearm.add_body(name=f"{side}_hand", pos=[0, 0, -lower.length])
    _limb(hand, f"{side}_hand", end)
    hand.add_site(name=f"{side}_wrist")


def _add_leg(pelvis: mujoco.MjsBody, side: str, body: Body, parts: dict[str, Segment]) -> None:
    sign = 1 if side == "left" else -1
    thigh = pelvis.add_body(name=f"{side}_thigh", pos=[0, sign * 0.5 * hip_width(body), 0])
    for name in ("flexion", "abduction", "rotation"):
        _hinge(thigh, f"hip_{name}", side)
    _limb(thigh, f"{side}_thigh", parts["thigh"])
    thigh.add_site(name=f"{side}_hip")
    shank = thigh.add_body(name=f"{side}_shank", pos=[0, 0, -parts["thigh"].length])
    _hinge(shank, "knee_flexion", side)
    _limb(shank, f"{side}_shank", parts["shank"])
    shank.add_site(name=f"{side}_knee")
    _add_foot(shank, side, body, parts)


def _add_foot(shank: mujoco.MjsBody, side: str, body: Body, parts: dict[str, Segment]) -> None:
    """Foot and toes; twelve spheres under both soles carry the person."""
    segment, size = parts["foot"], foot_size(body)
    foot = shank.add_body(name=f"{side}_foot", pos=[0, 0, -parts["shank"].length])
    for name in ("flexion", "inversion", "rotation"):
        _hinge(foot, f"ankle_{name}", side)
    toe_share = 0.12
    sagittal, transverse, longitudinal = (1 - toe_share) * segment.inertia
    foot.mass = (1 - toe_share) * segment.mass
    foot.ipos = [size.heel_x + segment.com, 0, 0.5 * size.sole_z]
    foot.inertia = [longitudinal, transverse, sagittal]
    foot.explicitinertial = True
    half_width, radius = size.half_width, size.sole_radius
    foot.add_geom(
        name=f"{side}_foot",
        type=mujoco.mjtGeom.mjGEOM_CAPSULE,
        fromto=[
            size.heel_x + 0.15 * size.length,
            0,
            0.5 * size.sole_z,
            size.ball_x - 0.1 * size.length,
            0,
            0.5 * size.sole_z,
        ],
        size=[0.45 * abs(size.sole_z), 0, 0],
        rgba=SKIN,
        contype=0,
        conaffinity=0,
        mass=0,
    )
    for place, x in (("heel", size.heel_x + radius), ("ball", size.ball_x)):
        _soles(foot, f"{side}_{place}", x, half_width, size.sole_z, radius)
    toes = foot.add_body(name=f"{side}_toes", pos=size.toes)
    _hinge(toes, "toe_flexion", side)
    toes.mass, toes.ipos = toe_share * segment.mass, [0.5 * (size.toe_x - size.ball_x), 0, 0]
    toes.inertia = [5e-5, 5e-5, 1e-4]
    toes.explicitinertial = True
    _soles(toes, f"{side}_toe", size.toe_x - size.ball_x - radius, half_width, -radius, radius)
    foot.add_site(name=f"{side}_ankle")
    foot.add_site(name=f"{side}_sole", pos=[0, 0, size.sole_z])
    foot.add_site(name=f"{side}_heel", pos=[size.heel_x, 0, size.sole_z])
    toes.add_site(name=f"{side}_toe", pos=[size.toe_x - size.ball_x, 0, -radius])


def _soles(part: mujoco.MjsBody, name: str, x: float, half_width: float, floor_z: float, radius: float) -> None:
    for edge, y in (("inner", -half_width), ("outer", half_width)):
        add_contact(part, f"{name}_{edge}_sole", [x, y, floor_z + radius], radius, group=EXTRAS)


def _hinge(part: mujoco.MjsBody, name: str, side: str) -> None:
    axis = np.array(_AXES[name], dtype=float)
    paired = not name.startswith("lumbar")
    if paired and side == "right":
        axis *= (-1, 1, -1)
    part.add_joint(
        name=f"{side}_{name}" if paired else name,
        type=mujoco.mjtJoint.mjJNT_HINGE,
        axis=axis,
        armature=ARMATURE,
    )


def _limb(part: mujoco.MjsBody, name: str, segment: Segment) -> None:
    """A capsule that hangs from the joint."""
    _set_inertia(part, segment, [0, 0, -segment.com])
    part.add_geom(
        name=name,
        type=mujoco.mjtGeom.mjGEOM_CAPSULE,
        fromto=[0, 0, -segment.radius, 0, 0, -segment.length + 0.5 * segment.radius],
        size=[segment.radius, 0, 0],
        rgba=SKIN,
        contype=0,
        conaffinity=0,
        mass=0,
    )


def _ellipsoid(
    part: mujoco.MjsBody,
    name: str,
    segment: Segment,
    centre: list[float],
    half_width: float,
    half_height: float,
) -> None:
    """An ellipsoid of the segment's volume."""
    volume = segment.mass / TISSUE_DENSITY
    half_depth = volume / (4 / 3 * np.pi * half_width * half_height)
    part.add_geom(
        name=name,
        type=mujoco.mjtGeom.mjGEOM_ELLIPSOID,
        pos=centre,
        size=[half_depth, half_width, half_height],
        rgba=SKIN,
        contype=0,
        conaffinity=0,
        mass=0,
    )


def _set_inertia(part: mujoco.MjsBody, segment: Segment, com: list[float]) -> None:
    part.mass = segment.mass
    part.ipos = com
    part.inertia = segment.inertia
    part.explicitinertial = True


def _add_device(
    spec: mujoco.MjSpec,
    device: str,
    mounting: Mounting,
    spot: Spot,
    size: Iterable[float],
    rgba: tuple[float, ...],
    parts: dict[str, Segment],
) -> None:
    """A site and a thin box on the segment's surface, screen along the device's z."""
    name = spot.segment if spot.segment in UNPAIRED else f"{mounting.side}_{spot.segment}"
    half_sizes = tuple(size)
    position, turn = lie_on_surface(spec, name, parts[spot.segment], mounting, half_sizes)
    quat = np.zeros(4)
    mujoco.mju_mat2Quat(quat, turn.ravel())
    part = spec.body(name)
    part.add_site(name=device, pos=position, quat=quat)
    part.add_geom(
        name=device,
        type=mujoco.mjtGeom.mjGEOM_BOX,
        pos=position,
        quat=quat,
        size=list(half_sizes),
        rgba=rgba,
        group=EXTRAS,
        contype=0,
        conaffinity=0,
        mass=0,
    )


def _add_actuators(spec: mujoco.MjSpec, body: Body) -> None:
    """Position actuators: force = kp (ctrl - q) - kv qd, inside MuJoCo."""
    for name in joint_names():
        kind = name.removeprefix("left_").removeprefix("right_")
        stiffness = STIFFNESS[kind] * body.mass_kg
        actuator = spec.add_actuator(name=name, target=name, trntype=mujoco.mjtTrn.mjTRN_JOINT)
        actuator.gaintype = mujoco.mjtGain.mjGAIN_FIXED
        actuator.biastype = mujoco.mjtBias.mjBIAS_AFFINE
        actuator.gainprm[0] = stiffness
        actuator.biasprm[1] = -stiffness
        actuator.biasprm[2] = -DAMPING_PER_STIFFNESS * stiffness


def _add_sensors(spec: mujoco.MjSpec, mounting: int) -> None:
    site = mujoco.mjtObj.mjOBJ_SITE
    for device in DEVICES:
        for name, kind in (
            ("accel", mujoco.mjtSensor.mjSENS_ACCELEROMETER),
            ("gyro", mujoco.mjtSensor.mjSENS_GYRO),
        ):
            sensor = worn(f"{device}_{name}", mounting)
            spec.add_sensor(name=sensor, type=kind, objtype=site, objname=worn(device, mounting))
    spec.add_sensor(
        name=worn("range", mounting),
        type=mujoco.mjtSensor.mjSENS_FRAMEPOS,
        objtype=site,
        objname=worn("phone", mounting),
        reftype=site,
        refname=worn("watch", mounting),
    )


def _add_balance_sensors(spec: mujoco.MjSpec) -> None:
    for name, kind in (
        ("com", mujoco.mjtSensor.mjSENS_SUBTREECOM),
        ("com_velocity", mujoco.mjtSensor.mjSENS_SUBTREELINVEL),
    ):
        spec.add_sensor(name=name, type=kind, objtype=mujoco.mjtObj.mjOBJ_BODY, objname="pelvis")
