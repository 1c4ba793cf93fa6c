"""Body and placement to MjModel: a free-standing humanoid that wears a phone and a watch.

Frames: x forwards, y to the left, z up; every body's frame stands at its proximal joint and is parallel to the world's
in the neutral standing pose with hanging arms. A joint's value means the same movement on both sides: flexion,
abduction and external rotation are positive, so a mirrored pose has equal values.
"""

from collections.abc import Sequence
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
from squat_env.placement import SIDES, Placement
from squat_env.support import EXTRAS, SKIN, add_contact, add_equipment
from squat_env.wearables import add_devices, add_sensors

TIMESTEP_S = 0.0025
LANDMARKS = (
    "nose",
    *(f"{side}_{name}" for name in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle") for side in SIDES),
    *(f"{side}_{name}" for name in ("heel", "toe") for side in SIDES),
)


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
    "elbow_pronation": (0, 0, -1),
}

# Part, what it hangs from, its joints; then, of limbs, its sites. The pelvis is the root.
_TRUNK = (
    ("middle_trunk", "pelvis", ("lumbar_flexion", "lumbar_lateral", "lumbar_rotation")),
    ("upper_trunk", "middle_trunk", ()),
    ("head", "upper_trunk", ()),
)
_LIMBS = (
    ("upper_arm", "upper_trunk", ("shoulder_flexion", "shoulder_abduction", "shoulder_rotation"), ("shoulder",)),
    ("forearm", "upper_arm", ("elbow_flexion", "elbow_pronation"), ("elbow",)),
    ("hand", "forearm", (), ("wrist",)),
    ("thigh", "pelvis", ("hip_flexion", "hip_abduction", "hip_rotation"), ("hip",)),
    ("shank", "thigh", ("knee_flexion",), ("knee",)),
    ("foot", "shank", ("ankle_flexion", "ankle_inversion", "ankle_rotation"), ("ankle", "sole", "heel")),
    ("toes", "foot", ("toe_flexion",), ("toe",)),
)
_UNPAIRED_PARENTS = ("pelvis", "upper_trunk")
_SOLES, _EDGES = {"foot": ("heel", "ball"), "toes": ("toe",)}, ("inner", "outer")
_TOES = 0.12  # of the foot's mass


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
    spec, parts = _person().copy(), segments(body)
    _measure(spec, body, parts)
    for mounting, place in enumerate((placement, *also)):
        add_devices(spec, place, mounting, parts)
    add_equipment(spec, body, parts, equipment)
    add_sensors(spec, 0)
    if balance:
        _add_balance_sensors(spec)
    for mounting in range(1, len(also) + 1):
        add_sensors(spec, mounting)
    model = spec.compile()
    _set_gains(model, body)
    return model


@cache
def _person() -> mujoco.MjSpec:
    """The parts of every person in a room, named and without measures; copying it is quicker than building it."""
    spec = mujoco.MjSpec()
    spec.modelname = "wearer"
    _set_options(spec)
    _add_surroundings(spec)
    spec.worldbody.add_body(name="pelvis", explicitinertial=True).add_freejoint(name="root")
    _add_shape(spec, "pelvis", mujoco.mjtGeom.mjGEOM_ELLIPSOID)
    for name, parent, hinges in _TRUNK:
        _add_part(spec, name, parent, hinges, "left")
        _add_shape(spec, name, mujoco.mjtGeom.mjGEOM_ELLIPSOID)
    spec.body("head").add_site(name="nose")
    for side in SIDES:
        for name, parent, hinges, sites in _LIMBS:
            part = _add_part(
                spec, f"{side}_{name}", parent if parent in _UNPAIRED_PARENTS else f"{side}_{parent}", hinges, side
            )
            if name != "toes":
                _add_shape(spec, f"{side}_{name}", mujoco.mjtGeom.mjGEOM_CAPSULE)
            for place in _SOLES.get(name, ()):
                for edge in _EDGES:
                    add_contact(part, f"{side}_{place}_{edge}_sole", [0.0, 0.0, 0.0], 1.0, group=EXTRAS)
            for site in sites:
                part.add_site(name=f"{side}_{site}")
    for name in joint_names():
        spec.add_actuator(
            name=name,
            target=name,
            trntype=mujoco.mjtTrn.mjTRN_JOINT,
            gaintype=mujoco.mjtGain.mjGAIN_FIXED,
            biastype=mujoco.mjtBias.mjBIAS_AFFINE,
        )
    return spec


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


def _add_part(spec: mujoco.MjSpec, name: str, parent: str, hinges: tuple[str, ...], side: str) -> mujoco.MjsBody:
    part = spec.body(parent).add_body(name=name, explicitinertial=True)
    for hinge in hinges:
        paired = not hinge.startswith("lumbar")
        part.add_joint(
            name=f"{side}_{hinge}" if paired else hinge,
            type=mujoco.mjtJoint.mjJNT_HINGE,
            axis=np.array(_AXES[hinge], dtype=float) * ((-1, 1, -1) if side == "right" else 1),
            armature=ARMATURE,
        )
    return part


def _add_shape(spec: mujoco.MjSpec, name: str, kind: mujoco.mjtGeom) -> None:
    spec.body(name).add_geom(name=name, type=kind, rgba=SKIN, contype=0, conaffinity=0, mass=0)


def _measure(spec: mujoco.MjSpec, body: Body, parts: dict[str, Segment]) -> None:
    """Gives the parts of a person their measures."""
    _measure_trunk(spec, body, parts)
    for side, sign in zip(SIDES, (1, -1), strict=True):
        shoulder = [0, sign * 0.5 * shoulder_centres(body), parts["upper_trunk"].length]
        _measure_limb(spec, side, ("upper_arm", "forearm", "hand"), shoulder, parts)
        _measure_limb(spec, side, ("thigh", "shank"), [0, sign * 0.5 * hip_width(body), 0], parts)
        _measure_foot(spec, side, parts, foot_size(body))


def _measure_trunk(spec: mujoco.MjSpec, body: Body, parts: dict[str, Segment]) -> None:
    """Pelvis (at the middle of the hip centres), lumbar joint at the omphalion, thorax, head."""
    wide, shoulders, head = 0.5 * hip_breadth(body), 0.36 * shoulder_width(body), parts["head"]
    below = 0.0
    for name, middle, half_width, half_height in (
        ("pelvis", 0.35, wide, 0.85),
        ("middle_trunk", 0.5, wide, 0.7),
        ("upper_trunk", 0.35, shoulders, 0.95),
        ("head", 0.6, 0.26 * head.length, 0.42),  # the segment's proximal end is the vertex
    ):
        segment = parts[name]
        _set_part(spec, name, [0, 0, below], segment, [0, 0, segment.length - segment.com])
        volume, half_height = segment.mass / TISSUE_DENSITY, half_height * segment.length
        shape = spec.geom(name)
        shape.pos = [0, 0, middle * segment.length]
        shape.size = [volume / (4 / 3 * np.pi * half_width * half_height), half_width, half_height]
        below = segment.length
    spec.site("nose").pos = [0.36 * head.length, 0, 0.5 * head.length]


def _measure_limb(
    spec: mujoco.MjSpec, side: str, names: tuple[str, ...], root: list[float], parts: dict[str, Segment]
) -> None:
    """Capsules that hang from their joints, the first one's at `root` (3,) in its parent's frame."""
    place = root
    for name in names:
        segment = parts[name]
        _set_part(spec, f"{side}_{name}", place, segment, [0, 0, -segment.com])
        shape = spec.geom(f"{side}_{name}")
        shape.fromto = [0, 0, -segment.radius, 0, 0, -segment.length + 0.5 * segment.radius]
        shape.size = [segment.radius, 0, 0]
        place = [0, 0, -segment.length]


def _measure_foot(spec: mujoco.MjSpec, side: str, parts: dict[str, Segment], size: FootSize) -> None:
    """Foot and toes; twelve spheres under both soles carry the person."""
    segment, low, radius = parts["foot"], size.sole_z, size.sole_radius
    foot, toes, share = spec.body(f"{side}_foot"), spec.body(f"{side}_toes"), 1 - _TOES
    foot.pos, foot.mass = [0, 0, -parts["shank"].length], share * segment.mass
    foot.ipos, foot.inertia = [size.heel_x + segment.com, 0, 0.5 * low], (share * segment.inertia)[::-1]
    toes.pos, toes.mass = size.toes, _TOES * segment.mass
    toes.ipos, toes.inertia = [0.5 * (size.toe_x - size.ball_x), 0, 0], [5e-5, 5e-5, 1e-4]
    shape = spec.geom(f"{side}_foot")
    back, front = size.heel_x + 0.15 * size.length, size.ball_x - 0.1 * size.length
    shape.fromto, shape.size = [back, 0, 0.5 * low, front, 0, 0.5 * low], [0.45 * abs(low), 0, 0]
    for place, x, z in (
        ("heel", size.heel_x + radius, low + radius),
        ("ball", size.ball_x, low + radius),
        ("toe", size.toe_x - size.ball_x - radius, 0.0),
    ):
        for edge, y in zip(_EDGES, (-size.half_width, size.half_width), strict=True):
            sole = spec.geom(f"{side}_{place}_{edge}_sole")
            sole.pos, sole.size = [x, y, z], [radius, 0, 0]
    spec.site(f"{side}_sole").pos, spec.site(f"{side}_heel").pos = [0, 0, low], [size.heel_x, 0, low]
    spec.site(f"{side}_toe").pos = [size.toe_x - size.ball_x, 0, -radius]


def _set_part(spec: mujoco.MjSpec, name: str, place: list[float], segment: Segment, com: list[float]) -> None:
    part = spec.body(name)
    part.pos, part.mass, part.ipos, part.inertia = place, segment.mass, com, segment.inertia


def _set_gains(model: mujoco.MjModel, body: Body) -> None:
    """Position actuators: force = kp (ctrl - q) - kv qd, inside MuJoCo."""
    stiffness = body.mass_kg * _stiffness()
    model.actuator_gainprm[:, 0], model.actuator_biasprm[:, 1] = stiffness, -stiffness
    model.actuator_biasprm[:, 2] = -DAMPING_PER_STIFFNESS * stiffness


@cache
def _stiffness() -> np.ndarray:
    """Of each joint's actuator per body mass (29,) [N m/rad/kg]."""
    return np.array([STIFFNESS[name.removeprefix("left_").removeprefix("right_")] for name in joint_names()])


def _add_balance_sensors(spec: mujoco.MjSpec) -> None:
    for name, kind in (
        ("com", mujoco.mjtSensor.mjSENS_SUBTREECOM),
        ("com_velocity", mujoco.mjtSensor.mjSENS_SUBTREELINVEL),
    ):
        spec.add_sensor(name=name, type=kind, objtype=mujoco.mjtObj.mjOBJ_BODY, objname="pelvis")
