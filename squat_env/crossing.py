"""How much of the body is on a straight line: of a link between devices, or of a look at them."""

import math
from dataclasses import dataclass

import mujoco
import numpy as np

from squat_env.compiled import compiled

_CAPSULE, _ELLIPSOID = mujoco.mjtGeom.mjGEOM_CAPSULE.value, mujoco.mjtGeom.mjGEOM_ELLIPSOID.value
_PARALLEL = 1e-12  # squared length, in a geom's own measure, below which a line does not get along an axis


def body_shapes(model: mujoco.MjModel) -> np.ndarray:
    """Ids (G,) of the geoms that make up the body's volume."""
    kinds = model.geom_type
    return np.flatnonzero((kinds == _CAPSULE) | (kinds == _ELLIPSOID))


@dataclass(frozen=True, kw_only=True, eq=False)
class Solids:
    """Some geoms of a body.

    Attributes:
        shapes: (G,) their ids.
        capsule: (G,) bool, which are capsules; the others are ellipsoids.
        size: (G, 3) radius and half the length of a capsule's cylinder, or an ellipsoid's half axes [m].
    """

    shapes: np.ndarray
    capsule: np.ndarray
    size: np.ndarray

    @classmethod
    def of(cls, model: mujoco.MjModel, shapes: np.ndarray) -> "Solids":
        """The geoms `shapes` (G,), capsules and ellipsoids."""
        return cls(shapes=shapes, capsule=model.geom_type[shapes] == _CAPSULE, size=model.geom_size[shapes])

    def crossed(self, data: mujoco.MjData, start: np.ndarray, end: np.ndarray) -> float:
        """Length [m] of the union of the chords that they cut out of the line from `start` (3,) to `end` (3,).

        Args:
            data: Their pose, with its kinematics up to date.
            start, end: In the world [m].
        """
        return _crossed(self.shapes, self.capsule, self.size, data.geom_xpos, data.geom_xmat, start, end)

    def crossed_each(self, places: np.ndarray, turns: np.ndarray, links: np.ndarray) -> np.ndarray:
        """`crossed` (T, L) of several lines in each of T poses.

        Args:
            places, turns: (T, G', 3), (T, G', 9) `geom_xpos` and `geom_xmat` of all geoms [m].
            links: (T, L, 2, 3) starts and ends of the lines in the world [m].
        """
        return _crossed_each(self.shapes, self.capsule, self.size, places, turns, links)


@compiled
def _crossed_each(
    shapes: np.ndarray, capsule: np.ndarray, size: np.ndarray, places: np.ndarray, turns: np.ndarray, links: np.ndarray
) -> np.ndarray:
    lengths = np.empty(links.shape[:2])
    for k in range(len(links)):
        for number in range(links.shape[1]):
            start, end = links[k, number]
            lengths[k, number] = _crossed(shapes, capsule, size, places[k], turns[k], start, end)
    return lengths


@compiled
def _crossed(
    shapes: np.ndarray,
    capsule: np.ndarray,
    size: np.ndarray,
    places: np.ndarray,
    turns: np.ndarray,
    start: np.ndarray,
    end: np.ndarray,
) -> float:
    along = end - start
    enter, leave, count = np.empty(len(shapes)), np.empty(len(shapes)), 0
    p, d = np.empty(3), np.empty(3)
    for k in range(len(shapes)):
        place, turn = places[shapes[k]], turns[shapes[k]]
        for axis in range(3):
            p[axis] = d[axis] = 0.0
            for j in range(3):
                p[axis] += turn[3 * j + axis] * (start[j] - place[j])
                d[axis] += turn[3 * j + axis] * along[j]
        begin, stop = _capsule(p, d, size[k, 0], size[k, 1]) if capsule[k] else _ellipsoid(p, d, size[k])
        begin, stop = max(begin, 0.0), min(stop, 1.0)
        if begin < stop:
            enter[count], leave[count] = begin, stop
            count += 1
    order, total, reached = np.argsort(enter[:count]), 0.0, 0.0
    for k in order:
        total += max(0.0, leave[k] - max(enter[k], reached))
        reached = max(reached, leave[k])
    return float(total) * math.sqrt(along[0] ** 2 + along[1] ** 2 + along[2] ** 2)


@compiled
def _ellipsoid(p: np.ndarray, d: np.ndarray, size: np.ndarray) -> tuple[float, float]:
    """Where p + t d enters and leaves an ellipsoid; (1, 0) where it misses it."""
    a, b, c = 0.0, 0.0, -1.0
    for axis in range(3):
        a += (d[axis] / size[axis]) ** 2
        b += p[axis] * d[axis] / size[axis] ** 2
        c += (p[axis] / size[axis]) ** 2
    return _roots(a, b, c)


@compiled
def _capsule(p: np.ndarray, d: np.ndarray, radius: float, half: float) -> tuple[float, float]:
    """The same of a capsule along z. It is convex: the chord is from the first entry into a part to the last exit."""
    enter, leave = np.inf, -np.inf
    for end in (-half, half):
        up = p[2] - end
        first, last = _roots(
            d[0] ** 2 + d[1] ** 2 + d[2] ** 2,
            p[0] * d[0] + p[1] * d[1] + up * d[2],
            p[0] ** 2 + p[1] ** 2 + up**2 - radius**2,
        )
        if first < last:
            enter, leave = min(enter, first), max(leave, last)
    across, outside = d[0] ** 2 + d[1] ** 2, p[0] ** 2 + p[1] ** 2 - radius**2
    first, last = _roots(across, p[0] * d[0] + p[1] * d[1], outside)
    if across <= _PARALLEL and outside < 0.0:
        first, last = -np.inf, np.inf
    if abs(d[2]) > _PARALLEL:
        bottom, top = (-half - p[2]) / d[2], (half - p[2]) / d[2]
        first, last = max(first, min(bottom, top)), min(last, max(bottom, top))
    elif abs(p[2]) > half:
        last = first
    if first < last:
        enter, leave = min(enter, first), max(leave, last)
    return enter, leave


@compiled
def _roots(a: float, b: float, c: float) -> tuple[float, float]:
    """Roots of a t^2 + 2 b t + c, low and high; (1, 0) where there are none."""
    square = b * b - a * c
    if a <= _PARALLEL or square <= 0.0:
        return 1.0, 0.0
    root = math.sqrt(square)
    return (-b - root) / a, (-b + root) / a
