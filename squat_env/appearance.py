"""How the wearer looks: colours, light and clothes. Nothing here reaches the physics.

Clothes are geoms of the drawn scene alone; the model that is simulated has none of them.
"""

import copy
from collections.abc import Iterable
from dataclasses import dataclass

import mujoco
import numpy as np

from squat_env.crossing import body_shapes
from squat_env.placement import SIDES
from squat_env.wearables import DEVICES

Colour = tuple[float, float, float, float]
SKIN, HAIR, SHIRT, SHORTS = (0.86, 0.66, 0.54, 1), (0.20, 0.14, 0.11, 1), (0.22, 0.47, 0.64, 1), (0.17, 0.20, 0.28, 1)
SHOES, CASE, SCREEN = (0.93, 0.93, 0.91, 1), (1.00, 0.74, 0.10, 1), (0.12, 0.12, 0.14, 1)
IRON = (0.22, 0.23, 0.25, 1)
FLOOR, SKY = (0.95, 0.96, 0.97, 1), (1.0, 1.0, 1.0, 1)
FIELD_DEG = 30.0  # vertical field of view
EXTENT_M = 1.7  # MuJoCo's unit of what is near and far
SHADOWS_M = 4.2  # from the middle, how far shadows reach
SHADOW_PIXELS = 2048
LONGEST_DUMBBELL_M = 0.2  # half of it; what is longer is a bar
LARGEST_PICTURE = 4096  # pixels

_COLOURS = {"floor": FLOOR, "pelvis": SHORTS, "middle_trunk": SHIRT, "upper_trunk": SHIRT, "watch": CASE, "phone": CASE}
_CAPSULE, _CYLINDER = mujoco.mjtGeom.mjGEOM_CAPSULE, mujoco.mjtGeom.mjGEOM_CYLINDER
_ELLIPSOID, _BOX = mujoco.mjtGeom.mjGEOM_ELLIPSOID, mujoco.mjtGeom.mjGEOM_BOX
_ACROSS = (np.sqrt(0.5), np.sqrt(0.5), 0.0, 0.0)  # turns z to the side


@dataclass(frozen=True, kw_only=True)
class Patch:
    """Something worn, fixed to a geom's body.

    Attributes:
        geom: Id of the geom that it covers.
        kind: Shape, an `mjtGeom`.
        size: As a geom of this shape has it [m].
        place: (3,) in the body's frame [m].
        quat: Its rotation in the body's frame.
        colour: Red, green, blue, opacity.
    """

    geom: int
    kind: mujoco.mjtGeom
    size: Iterable[float]
    place: Iterable[float]
    quat: Iterable[float] = (1.0, 0.0, 0.0, 0.0)
    colour: Colour


def dress(model: mujoco.MjModel) -> mujoco.MjModel:
    """A copy of the model in colour and well lit, of which large pictures can be drawn; its physics is the same."""
    dressed = copy.copy(model)
    dressed.geom_rgba[body_shapes(model)] = SKIN
    for name, colour in _COLOURS.items():
        dressed.geom_rgba[model.geom(name).id] = colour
    soles = [geom for geom in range(model.ngeom) if model.geom(geom).name.endswith("_sole")]
    dressed.geom_rgba[soles, 3] = 0.0  # the shoes cover them
    _light(dressed)
    dressed.vis.global_.offwidth = dressed.vis.global_.offheight = LARGEST_PICTURE
    return dressed


def _light(model: mujoco.MjModel) -> None:
    """A lamp straight above, and a soft light from the camera; slanted, the lamp would speckle the distant floor."""
    model.light_type[:] = mujoco.mjtLightType.mjLIGHT_DIRECTIONAL
    model.light_castshadow[:] = True
    model.light_pos[:], model.light_dir[:] = (0.0, 0.0, 4.0), (0.0, 0.0, -1.0)
    model.light_ambient[:], model.light_diffuse[:], model.light_specular[:] = 0.0, 0.42, 0.12
    light = model.vis.headlight
    light.ambient[:], light.diffuse[:], light.specular[:] = 0.48, 0.28, 0.0
    model.vis.rgba.haze[:] = SKY
    model.stat.extent, model.vis.map.shadowclip = EXTENT_M, SHADOWS_M / EXTENT_M
    model.vis.quality.shadowsize = SHADOW_PIXELS
    model.vis.global_.fovy = FIELD_DEG


def clothes(model: mujoco.MjModel) -> list[Patch]:
    """Hair, clothes, shoes, the watch's strap, the devices' screens, discs on weights, and the legs of a seat."""
    patches = _head(model) + _shirt(model)
    for side in SIDES:
        patches.append(_sleeve(model, f"{side}_upper_arm", SHIRT, wider=1.10))
        patches.append(_sleeve(model, f"{side}_thigh", SHORTS, wider=1.03))
        patches += [*_shoe(model, side), *_weights(model, side)]
    return [*patches, _strap(model), *(_screen(model, device) for device in DEVICES), *_legs(model)]


def _head(model: mujoco.MjModel) -> list[Patch]:
    """Hair, nose and neck."""
    geom = model.geom("head")
    deep, wide, high = geom.size
    parts = (
        (_ELLIPSOID, (0.94 * deep, 1.05 * wide, 0.92 * high), (-0.16 * deep, 0.0, 0.18 * high), HAIR),
        (_ELLIPSOID, (0.16 * deep, 0.14 * wide, 0.16 * high), (0.97 * deep, 0.0, -0.05 * high), SKIN),
        (_CAPSULE, (0.55 * wide, 0.55 * high, 0.0), (-0.15 * deep, 0.0, -high), SKIN),
    )
    return [
        Patch(geom=geom.id, kind=kind, size=size, place=geom.pos + place, colour=colour)
        for kind, size, place, colour in parts
    ]


def _shirt(model: mujoco.MjModel) -> list[Patch]:
    """The waist, the hem and the shoulders, which bridge the trunk's ellipsoids and carry the arms."""
    pelvis, waist, chest = (model.geom(name) for name in ("pelvis", "middle_trunk", "upper_trunk"))
    shoulder = model.body("left_upper_arm").pos
    arm = model.geom("left_upper_arm").size[0]
    joint = model.body("upper_trunk").pos
    return [
        Patch(
            geom=waist.id,
            kind=_ELLIPSOID,
            size=0.95 * np.minimum(waist.size, chest.size) * (1.0, 1.0, 0.8),
            place=joint,
            colour=SHIRT,
        ),
        Patch(
            geom=waist.id,
            kind=_ELLIPSOID,
            size=0.98 * np.minimum(waist.size, pelvis.size) * (1.0, 1.0, 0.8),
            place=(0.0, 0.0, 0.0),
            colour=SHIRT,
        ),
        Patch(
            geom=chest.id,
            kind=_CAPSULE,
            size=(1.05 * arm, shoulder[1] - 0.3 * arm, 0.0),
            place=(0.0, 0.0, shoulder[2] - 0.2 * arm),
            quat=_ACROSS,
            colour=SHIRT,
        ),
    ]


def _sleeve(model: mujoco.MjModel, name: str, colour: Colour, *, wider: float) -> Patch:
    """Cloth around the upper half of a hanging limb's capsule."""
    geom = model.geom(name)
    radius, half = geom.size[:2]
    place = geom.pos + np.array([0.0, 0.0, 0.5 * half])
    return Patch(geom=geom.id, kind=_CAPSULE, size=(wider * radius, 0.5 * half, 0.0), place=place, colour=colour)


def _shoe(model: mujoco.MjModel, side: str) -> list[Patch]:
    """The back of a shoe goes with the foot, its tip with the toes; their lengths are the soles'."""
    heel, ball, toe = (model.geom(f"{side}_{place}_inner_sole") for place in ("heel", "ball", "toe"))
    foot, radius, width = model.geom(f"{side}_foot").id, ball.size[0], 1.1 * abs(ball.pos[1])
    back, tip = 0.5 * (ball.pos[0] - heel.pos[0]), 0.5 * toe.pos[0]
    tall = -ball.pos[2]
    return [
        Patch(
            geom=foot,
            kind=_ELLIPSOID,
            size=(1.25 * back, width, 0.5 * tall + radius),
            place=(heel.pos[0] + back, 0.0, -0.5 * tall),
            colour=SHOES,
        ),
        Patch(
            geom=toe.id,
            kind=_ELLIPSOID,
            size=(1.9 * tip, width, 2.2 * radius),
            place=(0.6 * tip, 0.0, 1.2 * radius),
            colour=SHOES,
        ),
    ]


def _weights(model: mujoco.MjModel, side: str) -> list[Patch]:
    """Discs on what a hand holds: on both ends of a dumbbell, on the outer end of half a bar."""
    load = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_GEOM, f"{side}_load")
    if load < 0:
        return []
    half, middle = model.geom_size[load, 1], model.geom_pos[load, 1]
    bar = half > LONGEST_DUMBBELL_M
    ends = [middle + np.copysign(half - 0.05, middle)] if bar else [-0.8 * half, 0.8 * half]
    size = (0.14, 0.02, 0.0) if bar else (0.05, 0.025, 0.0)
    return [
        Patch(geom=load, kind=_CYLINDER, size=size, place=(0.0, end, 0.0), quat=_ACROSS, colour=IRON) for end in ends
    ]


def _legs(model: mujoco.MjModel) -> list[Patch]:
    """Boards under both ends of the seat."""
    seat = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_GEOM, "seat")
    if seat < 0:
        return []
    (x, y, top), (long, wide, thick), colour = model.geom_pos[seat], model.geom_size[seat], model.geom_rgba[seat]
    size = (thick, 0.9 * wide, 0.5 * (top - thick))
    return [
        Patch(geom=seat, kind=_BOX, size=size, place=(x + end * (long - 0.06), y, size[2]), colour=tuple(colour))
        for end in (-1, 1)
    ]


def _strap(model: mujoco.MjModel) -> Patch:
    """A band around the forearm that the watch sits on."""
    watch = model.geom("watch")
    body = model.geom_bodyid[watch.id]
    arm = next(geom for geom in body_shapes(model) if model.geom_bodyid[geom] == body)
    centre = np.array([*model.geom_pos[arm, :2], watch.pos[2]])
    radius = 0.97 * float(np.linalg.norm(watch.pos - centre))
    return Patch(geom=int(arm), kind=_CYLINDER, size=(radius, 0.0105, 0.0), place=centre, colour=CASE)


def _screen(model: mujoco.MjModel, device: str) -> Patch:
    """A device's bright face, a millimetre above its case."""
    geom = model.geom(device)
    turn = np.empty(9)
    mujoco.mju_quat2Mat(turn, geom.quat)
    size = geom.size * (0.86, 0.90, 0.0) + (0.0, 0.0, 0.0005)
    place = geom.pos + (geom.size[2] + 0.0005) * turn[2::3]
    return Patch(geom=geom.id, kind=_BOX, size=size, place=place, quat=geom.quat, colour=SCREEN)
