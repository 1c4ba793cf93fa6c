"""What carries a person besides the feet, and what the hands carry: seat, back, bar and dumbbells in the model."""

import mujoco

from squat_env.body import Body, Segment, hip_width, segments, shoulder_width
from squat_env.equipment import Equipment
from squat_env.placement import SIDES

SEAT_BACK_M = 0.08  # how far behind the hip centres an upright pelvis rests on a seat
# Stiffness [1/s^2] and damping [1/s] of contact with the floor (1) and the seat (2), negative as MuJoCo takes them.
# Standing feet creep by the acceleration of their joints' own turning over the damping, so the floor has much of it.
SOLREF = {1: [-3500, -650], 2: [-5000, -330]}
EXTRAS = 1  # geom group of what is drawn but is no part of the body's volume: soles, devices, loads
SKIN = (0.85, 0.68, 0.58, 1)


def seat_radius(body: Body) -> float:
    """Height of the hip centres over the seat that a person sits on [m]."""
    return 1.1 * segments(body)["thigh"].radius


def back_depth(body: Body) -> float:
    """Height of the hip centres over the floor that a person lies on [m]."""
    return 0.052 * body.height_m


def add_equipment(spec: mujoco.MjSpec, body: Body, parts: dict[str, Segment], equipment: Equipment) -> None:
    """Adds a seat, what of the body rests on it or on the floor, and what the hands hold."""
    if equipment.seat_height_m:
        _add_seat(spec, body, equipment.seat_height_m)
    if equipment.mat:
        _add_back(spec, body, parts)
    for side in SIDES if equipment.load_kg else ():
        _add_load(spec, side, parts["hand"], equipment)


def _add_seat(spec: mujoco.MjSpec, body: Body, height: float) -> None:
    """A bench behind the ankles, and the buttocks that it carries."""
    thick = 0.02
    spec.worldbody.add_geom(
        name="seat",
        type=mujoco.mjtGeom.mjGEOM_BOX,
        pos=[-0.55, 0, height - thick],
        size=[0.45, 0.3, thick],
        rgba=[0.55, 0.42, 0.3, 1],
        contype=2,
        conaffinity=2,
        friction=[1.0, 0.005, 0.0001],
    )
    radius = seat_radius(body)
    for side, sign in (("left", 1), ("right", -1)):
        for name, back in (("seat_bone", 0.0), ("buttock", -SEAT_BACK_M)):
            add_contact(spec.body("pelvis"), f"{side}_{name}", [back, sign * 0.5 * hip_width(body), 0], radius, kind=2)
    spec.body("pelvis").add_site(name="seat_support", pos=[0, 0, -radius])


def _add_back(spec: mujoco.MjSpec, body: Body, parts: dict[str, Segment]) -> None:
    """What touches the floor when lying on the back."""
    depth, radius = back_depth(body), 0.03
    shoulder = 0.5 * shoulder_width(body)
    for side, sign in (("left", 1), ("right", -1)):
        for name, up in (("buttock", -0.06), ("sacrum", 0.06)):
            add_contact(spec.body("pelvis"), f"{side}_{name}", [radius - depth, sign * 0.07, up], radius)
        place = [radius - depth, sign * 0.6 * shoulder, 0.7 * parts["upper_trunk"].length]
        add_contact(spec.body("upper_trunk"), f"{side}_scapula", place, radius)
    add_contact(spec.body("head"), "occiput", [radius - depth, 0, 0.6 * parts["head"].length], radius)
    spec.body("pelvis").add_site(name="pelvis_support", pos=[-depth, 0, 0])
    spec.body("upper_trunk").add_site(name="back_support", pos=[-depth, 0, 0.7 * parts["upper_trunk"].length])


def _add_load(spec: mujoco.MjSpec, side: str, hand: Segment, equipment: Equipment) -> None:
    """Half of the load in each hand: a dumbbell, or one half of a bar reaching outwards."""
    long, sign = equipment.load == "bar", 1 if side == "left" else -1
    ends = (sign * -0.2, sign * 0.45) if long else (-0.09, 0.09)
    mass = 0.5 * equipment.load_kg
    load = spec.body(f"{side}_hand").add_body(name=f"{side}_load", pos=[0, 0, -0.6 * hand.length])
    load.mass = mass
    around = 0.25 * mass * 0.05**2
    load.inertia = [around + mass * 0.08**2, around, around + mass * 0.08**2]
    load.explicitinertial = True
    load.add_geom(
        name=f"{side}_load",
        type=mujoco.mjtGeom.mjGEOM_CYLINDER,
        fromto=[0, ends[0], 0, 0, ends[1], 0],
        size=[0.014, 0, 0],
        rgba=[0.3, 0.3, 0.33, 1],
        group=EXTRAS,
        contype=0,
        conaffinity=0,
        mass=0,
    )


def add_contact(
    part: mujoco.MjsBody, name: str, place: list[float], radius: float, *, kind: int = 1, group: int = 3
) -> None:
    """A sphere of the body that rests on the floor (kind 1) or on the seat (kind 2); group 3 is not drawn."""
    part.add_geom(
        name=name,
        type=mujoco.mjtGeom.mjGEOM_SPHERE,
        pos=place,
        size=[radius, 0, 0],
        rgba=SKIN,
        group=group,
        contype=kind,
        conaffinity=kind,
        condim=3,
        friction=[1.0, 0.005, 0.0001],
        solimp=[0.5, 0.95, 0.01, 0.5, 2],
        solref=SOLREF[kind],
        mass=0,
    )
