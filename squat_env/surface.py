"""Where a device lies on the body: on the surface of the part that carries it and in none of the parts around."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import mujoco
import numpy as np

from squat_env.body import Segment
from squat_env.compiled import compiled
from squat_env.placement import Mounting, outward, rotation
from squat_env.spots import UNPAIRED

CLEARANCE_M = 0.004  # cloth or strap between skin and device
_CUBE = np.array(list(product((-1.0, 0.0, 1.0), repeat=3)))
PRESSED_M = 0.01  # how deep an edge of a device may press into cloth and flesh
MOST_LIFTED_M = 0.06  # cloth spans no deeper hollow; what would need more is not on the surface


@dataclass(frozen=True, kw_only=True, eq=False)
class Ellipsoid:
    """Centre (3,), half axes (3,) [m], and rotation (3, 3) from its own axes to the frame that it is given in."""

    centre: np.ndarray
    half_axes: np.ndarray
    rotation: np.ndarray

    def depth(self, points: np.ndarray, direction: np.ndarray) -> np.ndarray:
        """How far (P,) [m] points (P, 3) have to go to leave it in this direction (3,); 0 outside."""
        return _out_of_ellipsoid(points, direction, self.centre, self.half_axes, self.rotation)


@dataclass(frozen=True, kw_only=True, eq=False)
class Capsule:
    """Everything within a radius [m] of the line from start (3,) to end (3,)."""

    start: np.ndarray
    end: np.ndarray
    radius: float

    def depth(self, points: np.ndarray, direction: np.ndarray) -> np.ndarray:
        """How far (P,) [m] points (P, 3) have to go to leave it in this direction (3,); 0 outside."""
        return _out_of_capsule(points, direction, self.start, self.end, self.radius)


Shape = Ellipsoid | Capsule


@compiled
def _out_of_ellipsoid(
    points: np.ndarray, direction: np.ndarray, centre: np.ndarray, half_axes: np.ndarray, rotation: np.ndarray
) -> np.ndarray:
    depth, p, d = np.zeros(len(points)), np.empty(3), np.empty(3)
    for axis in range(3):
        d[axis] = (rotation[:, axis] * direction).sum() / half_axes[axis]
    for k in range(len(points)):
        for axis in range(3):
            p[axis] = (rotation[:, axis] * (points[k] - centre)).sum() / half_axes[axis]
        if (p * p).sum() < 1.0:
            depth[k] = _leaves_ball(p, d, 1.0)
    return depth


@compiled
def _out_of_capsule(
    points: np.ndarray, direction: np.ndarray, start: np.ndarray, end: np.ndarray, radius: float
) -> np.ndarray:
    """The way out of a convex body is the longest of those out of its parts: two balls, and the cylinder's side."""
    depth, length = np.zeros(len(points)), math.sqrt(((end - start) ** 2).sum())
    axis = (end - start) / length
    rise = (axis * direction).sum()
    for k in range(len(points)):
        p = points[k] - start
        level = (axis * p).sum()
        if ((p - min(max(level, 0.0), length) * axis) ** 2).sum() >= radius**2:
            continue
        way = max(_leaves_ball(p, direction, radius), _leaves_ball(points[k] - end, direction, radius))
        side = _leaves_ball(p - level * axis, direction - rise * axis, radius)
        if 0.0 <= level + side * rise <= length:
            way = max(way, side)
        depth[k] = way
    return depth


@compiled
def _leaves_ball(p: np.ndarray, d: np.ndarray, radius: float) -> float:
    """Far root of |p + t d| = radius; 0 where there is none."""
    a, b, c = (d * d).sum(), (p * d).sum(), (p * p).sum() - radius**2
    if a < 1e-12 or b * b <= a * c:
        return 0.0
    return max(0.0, (math.sqrt(b * b - a * c) - b) / a)


def box_points(half_sizes: Sequence[float]) -> np.ndarray:
    """Corners, middles of edges and faces, and the centre (27, 3) of a box about its centre [m]."""
    return _CUBE * half_sizes


def lift(points: np.ndarray, direction: np.ndarray, shapes: Sequence[Shape]) -> float:
    """How far [m] points must move along a direction to lie on a body instead of in it.

    Args:
        points: (P, 3) of one device [m].
        direction: (3,) unit vector out of the body.
        shapes: What the body is made of.

    Returns:
        The smallest distance after which no point is deeper than `PRESSED_M` in any shape; 0 where that is more than
        `MOST_LIFTED_M`: such a place is not on the surface.
    """
    moved = 0.0
    while moved <= MOST_LIFTED_M:
        depth = max(float(shape.depth(points + moved * direction, direction).max()) for shape in shapes)
        if depth <= PRESSED_M + 1e-9:
            return moved
        moved += depth - PRESSED_M
    return 0.0


_ARM = ("upper_arm", "forearm", "hand")
_TRUNK = ("upper_trunk", *UNPAIRED, "left_thigh", "right_thigh")


def same_limb(one: str, other: str) -> bool:
    """Whether two parts of the body are in the same arm, or both in none."""
    return _arm_of(one) == _arm_of(other)


def _arm_of(name: str) -> str:
    side, _, part = name.partition("_")
    return side if part in _ARM else ""


def lie_on_surface(
    spec: mujoco.MjSpec,
    carrier: str,
    segment: Segment,
    mounting: Mounting,
    half_sizes: Sequence[float],
) -> tuple[np.ndarray, np.ndarray]:
    """Position (3,) [m] and rotation (3, 3) in the carrier's frame of a device that lies on the body.

    Args:
        spec: Holds the body.
        carrier: Name of the part that carries the device.
        segment: Its measures.
        mounting: How the device is put there.
        half_sizes: Of the device [m].
    """
    out, turn = outward(mounting), rotation(mounting)
    position = _surface_point(spec, carrier, segment, mounting.along, out) + (CLEARANCE_M + half_sizes[2]) * out
    points = position + box_points(half_sizes) @ turn.T
    near = [f"{_arm_of(carrier)}_{part}" for part in _ARM] if _arm_of(carrier) else _TRUNK
    origin = _neutral(spec, carrier)
    shapes = [_shape(spec, part, origin) for part in near]
    return position + lift(points, out, shapes) * out, turn


def _surface_point(spec: mujoco.MjSpec, carrier: str, segment: Segment, along: float, out: np.ndarray) -> np.ndarray:
    """The point (3,) on the carrier's own geom at this height whose normal, seen from above, is `out`."""
    if carrier not in UNPAIRED:
        return out * segment.radius + [0, 0, -segment.length * along]
    z, geom = segment.length * (1.0 - along), spec.geom(carrier)
    half = np.asarray(geom.size)
    ring = np.sqrt(max(0.0, 1.0 - ((z - geom.pos[2]) / half[2]) ** 2))
    return np.append(out[:2] * half[:2] ** 2 * ring / np.linalg.norm(out[:2] * half[:2]), z)


def _shape(spec: mujoco.MjSpec, name: str, origin: np.ndarray) -> Shape:
    """A part's geom in the neutral pose, seen from an origin (3,)."""
    geom, shift = spec.geom(name), _neutral(spec, name) - origin
    if geom.type == mujoco.mjtGeom.mjGEOM_CAPSULE:
        return Capsule(start=shift + geom.fromto[:3], end=shift + geom.fromto[3:], radius=float(geom.size[0]))
    turn = np.empty(9)
    mujoco.mju_quat2Mat(turn, geom.quat)
    return Ellipsoid(centre=shift + geom.pos, half_axes=np.array(geom.size), rotation=turn.reshape(3, 3))


def _neutral(spec: mujoco.MjSpec, name: str) -> np.ndarray:
    """World position (3,) of a body in the neutral pose [m]; no body is turned against its parent there."""
    part, place = spec.body(name), np.zeros(3)
    while part.name != "world":
        place, part = place + part.pos, part.parent
    return place
