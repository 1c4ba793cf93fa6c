"""What an ideal phone and watch read, and what lies between them."""

import itertools
import math
from dataclasses import dataclass
from functools import cached_property

import mujoco
import numpy as np

from squat_env.model import DEVICES, LANDMARKS, worn
from squat_env.simulate import Simulation

IN_SIGHT_M = 0.005  # less body than this between the devices counts as line of sight
_STEP_OVER_M = 1e-10  # a ray goes on this far behind the surface that it has hit
_CAPSULE, _ELLIPSOID = mujoco.mjtGeom.mjGEOM_CAPSULE.value, mujoco.mjtGeom.mjGEOM_ELLIPSOID.value


@dataclass(frozen=True, kw_only=True)
class Ideal:
    """Ideal signals at the physics rate, each (N, 3) in the device's frame unless said otherwise.

    Attributes:
        time: (N,) [s].
        watch_accel, phone_accel: Proper acceleration [m/s^2].
        watch_gyro, phone_gyro: Angular velocity [rad/s].
        distance: (N,) between the devices [m].
    """

    time: np.ndarray
    watch_accel: np.ndarray
    watch_gyro: np.ndarray
    phone_accel: np.ndarray
    phone_gyro: np.ndarray
    distance: np.ndarray


def read_sensors(model: mujoco.MjModel, simulation: Simulation, mounting: int = 0) -> Ideal:
    """Splits the simulation's sensor data into the signals of one of the mountings worn at once."""

    def signal(name: str) -> np.ndarray:
        start = model.sensor(worn(name, mounting)).adr[0]
        return simulation.sensors[:, start : start + 3]

    return Ideal(
        time=simulation.time,
        **{f"{device}_{kind}": signal(f"{device}_{kind}") for device in DEVICES for kind in ("accel", "gyro")},
        distance=np.linalg.norm(signal("range"), axis=1),
    )


@dataclass(frozen=True, kw_only=True)
class Scene:
    """Where everything is, at a low rate.

    Attributes:
        landmarks: (T, 17, 3) world positions [m] in the order of `LANDMARKS`.
        distance: (T,) from watch to phone [m].
        thickness: (T,) metres of body on the straight line between them.
    """

    landmarks: np.ndarray
    distance: np.ndarray
    thickness: np.ndarray

    @property
    def line_of_sight(self) -> np.ndarray:
        """(T,) bool."""
        return self.thickness < IN_SIGHT_M


def observe_scene(model: mujoco.MjModel, qpos: np.ndarray, data: mujoco.MjData | None = None) -> Scene:
    """Poses the model in each row of `qpos` (T, nq) and looks at it; `data`, if given, is overwritten."""
    return Surveyor(model, data).scene(qpos)


def observe_scenes(model: mujoco.MjModel, qpos: np.ndarray, data: mujoco.MjData | None = None) -> list[Scene]:
    """The scenes of all mountings that the model wears, as `observe_scene` gives that of the first."""
    return Surveyor(model, data).scenes(qpos, len(mountings_of(model)))


def mountings_of(model: mujoco.MjModel) -> range:
    """Numbers of the mountings that a model wears."""
    numbers = itertools.count(1)
    return range(next(k for k in numbers if mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_SITE, worn("watch", k)) < 0))


class Surveyor:
    """Looks at one wearer, in any number of calls."""

    def __init__(self, model: mujoco.MjModel, data: mujoco.MjData | None = None):
        """`data`, if given, has the model's layout and is overwritten by every pose; several surveyors may share it."""
        self._model, self._data = model, mujoco.MjData(model) if data is None else data
        site = mujoco.mjtObj.mjOBJ_SITE
        self._sites = [mujoco.mj_name2id(model, site, name) for name in (*LANDMARKS, *DEVICES)]
        self._shapes = body_shapes(model)
        self._body = frozenset(self._shapes.tolist())
        self._groups = np.zeros(mujoco.mjNGROUP, np.uint8)
        self._groups[model.geom_group[self._shapes]] = 1
        self._geom, self._normal = np.zeros(1, np.int32), np.zeros(3)

    def share(self, data: mujoco.MjData) -> None:
        """Uses other data of the model's layout from now on."""
        self._data = data

    @property
    def data(self) -> mujoco.MjData:
        """What every pose overwrites."""
        return self._data

    @cached_property
    def _solids(self) -> "Solids":
        return Solids.of(self._model, self._shapes)

    def __reduce__(self) -> tuple[type["Surveyor"], tuple[mujoco.MjModel]]:
        return Surveyor, (self._model,)

    def scene(self, qpos: np.ndarray) -> Scene:
        """Looks at the poses `qpos` (T, nq)."""
        return self.scenes(qpos)[0]

    def scenes(self, qpos: np.ndarray, mountings: int = 1) -> list[Scene]:
        """Looks at the poses `qpos` (T, nq); a scene for each of the first so many mountings."""
        count, devices = len(qpos), [self._model.site(worn(d, k)).id for k in range(mountings) for d in DEVICES]
        sites = [*self._sites[: len(LANDMARKS)], *devices]
        places = np.empty((count, len(sites), 3))
        centres, turns = np.empty((count, len(self._shapes), 3)), np.empty((count, len(self._shapes), 9))
        for k, pose in enumerate(qpos):
            self.pose(pose)
            places[k] = self._data.site_xpos[sites]
            centres[k], turns[k] = self._data.geom_xpos[self._shapes], self._data.geom_xmat[self._shapes]
        landmarks, turns = places[:, : len(LANDMARKS)], turns.reshape(count, -1, 3, 3)
        scenes = []
        for k in range(mountings):
            watch, phone = places[:, len(LANDMARKS) + 2 * k], places[:, len(LANDMARKS) + 2 * k + 1]
            scenes.append(
                Scene(
                    landmarks=landmarks,
                    distance=np.linalg.norm(phone - watch, axis=1),
                    thickness=solids_crossed(self._solids, centres, turns, watch, phone),
                )
            )
        return scenes

    def pose(self, qpos: np.ndarray) -> mujoco.MjData:
        """Brings the wearer into a pose (nq,), and gives the data that the next call overwrites."""
        self._data.qpos[:] = qpos
        mujoco.mj_kinematics(self._model, self._data)
        return self._data

    def sight(self, qpos: np.ndarray) -> tuple[float, float]:
        """Distance of the devices and metres of body between them in a pose (nq,), as one reading needs them."""
        places = self.pose(qpos).site_xpos
        watch, phone = places[self._sites[-2]], places[self._sites[-1]]
        along = phone - watch
        return math.sqrt(along.dot(along)), self.crossed(watch, phone)

    def crossed(self, start: np.ndarray, end: np.ndarray) -> float:
        """`body_crossed` of one line in the present pose, by native rays from surface to surface.

        Args:
            start, end: (3,) ends of the line [m].
        """
        along = end - start
        length = math.sqrt(along.dot(along))
        along /= length
        model, data, groups, found, normal = self._model, self._data, self._groups, self._geom, self._normal
        chords, entered, at, point = [], {}, 0.0, start
        # on behind the end, until no surface is left: only so does a line show that it is inside a geom all the way
        while (step := mujoco.mj_ray(model, data, point, along, groups, False, -1, found, normal)) >= 0:
            geom, at = found.item(), at + step
            if geom in self._body:
                if normal.dot(along) < 0:
                    entered[geom] = at
                else:
                    chords.append((entered.pop(geom, 0.0), at))
            at += _STEP_OVER_M
            point = start + at * along
        return _covered(chords, length)


def _covered(chords: list[tuple[float, float]], length: float) -> float:
    """How much of [0, length] some intervals cover."""
    total, reached = 0.0, 0.0
    for enter, leave in sorted(chords):
        total += max(0.0, min(leave, length) - max(enter, reached))
        reached = max(reached, leave)
    return total


def body_shapes(model: mujoco.MjModel) -> np.ndarray:
    """Ids (G,) of the geoms that make up the body's volume."""
    kinds = model.geom_type
    return np.flatnonzero((kinds == _CAPSULE) | (kinds == _ELLIPSOID))


@dataclass(frozen=True, kw_only=True)
class Solids:
    """The body's geoms as quadrics, three a geom: a capsule is a cut cylinder and two balls, an ellipsoid is a ball.

    A point of a geom's frame is inside a quadric where |(point - shift) / scale|^2 < square.

    Attributes:
        shift, scale: (3, G, 3) [m]; a cylinder's scale is infinite along its axis.
        square: (3, G).
        half: (G,) half the length of the cylinder [m].
    """

    shift: np.ndarray
    scale: np.ndarray
    square: np.ndarray
    half: np.ndarray

    @classmethod
    def of(cls, model: mujoco.MjModel, shapes: np.ndarray) -> "Solids":
        """The quadrics of the geoms `shapes` (G,), capsules and ellipsoids."""
        size = model.geom_size[shapes]
        capsule = model.geom_type[shapes] == mujoco.mjtGeom.mjGEOM_CAPSULE
        shift, scale = np.zeros((3, len(shapes), 3)), np.ones((3, len(shapes), 3))
        shift[1:, capsule, 2] = -size[capsule, 1], size[capsule, 1]
        scale[0, :, 2] = np.inf
        scale[0, ~capsule], scale[1:, ~capsule] = np.inf, size[~capsule]
        square = np.where(capsule, size[:, 0] ** 2, [np.where(capsule, 0.0, -1.0), *np.ones((2, len(shapes)))])
        return cls(shift=shift, scale=scale, square=square, half=np.where(capsule, size[:, 1], 0.0))


def body_crossed(
    model: mujoco.MjModel,
    shapes: np.ndarray,
    centres: np.ndarray,
    turns: np.ndarray,
    start: np.ndarray,
    end: np.ndarray,
) -> np.ndarray:
    """Length of the union of the chords that a line segment cuts out of the body.

    Args:
        model: The wearer.
        shapes: (G,) geom ids, capsules and ellipsoids.
        centres: (T, G, 3) their world positions [m].
        turns: (T, G, 3, 3) their orientations.
        start, end: (T, 3) ends of the line [m].

    Returns:
        (T,) [m].
    """
    return solids_crossed(Solids.of(model, shapes), centres, turns, start, end)


def solids_crossed(
    solids: Solids, centres: np.ndarray, turns: np.ndarray, start: np.ndarray, end: np.ndarray
) -> np.ndarray:
    """`body_crossed` for one body in many calls."""
    local = np.einsum("tgji,tgj->tgi", turns, start[:, None] - centres)
    along = np.einsum("tgji,tj->tgi", turns, end - start)
    return _union_length(*_chords(solids, local, along)) * np.linalg.norm(end - start, axis=1)


def _chords(solids: Solids, start: np.ndarray, along: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where lines enter and leave each geom, (T, G), in shares of the line; (1, 0) where they miss it.

    A geom is convex: its chord runs from the first entry into its quadrics to the last exit.

    Args:
        solids: The geoms.
        start, along: (T, G, 3) the line in each geom's frame [m].
    """
    p = (start[:, None] - solids.shift) / solids.scale
    d = along[:, None] / solids.scale
    a, b, c = (d * d).sum(-1), (p * d).sum(-1), (p * p).sum(-1) - solids.square
    enter, leave = _quadratic(a, b, c)
    within = (a[:, 0] <= 1e-12) & (c[:, 0] < 0)  # parallel to the cylinder and inside it
    slope = np.where(np.abs(along[..., 2]) > 1e-12, along[..., 2], 1e-12)
    bottom, top = (-solids.half - start[..., 2]) / slope, (solids.half - start[..., 2]) / slope
    enter[:, 0] = np.maximum(np.where(within, 0.0, enter[:, 0]), np.minimum(bottom, top))
    leave[:, 0] = np.minimum(np.where(within, 1.0, leave[:, 0]), np.maximum(bottom, top))
    hit = enter < leave
    return _clip(np.where(hit, enter, np.inf).min(1), np.where(hit, leave, -np.inf).max(1))


def _quadratic(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Roots of a x^2 + 2 b x + c, low and high; (1, 0) where there are none."""
    discriminant = b**2 - a * c
    hit = discriminant > 0
    root = np.sqrt(np.where(hit, discriminant, 0.0))
    safe = np.where(a > 1e-12, a, 1.0)
    hit &= a > 1e-12
    return np.where(hit, (-b - root) / safe, 1.0), np.where(hit, (-b + root) / safe, 0.0)


def _clip(enter: np.ndarray, leave: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The part of a chord between both ends of the segment; (1, 0) where there is none."""
    enter, leave = np.clip(enter, 0.0, 1.0), np.clip(leave, 0.0, 1.0)
    hit = enter < leave
    return np.where(hit, enter, 1.0), np.where(hit, leave, 0.0)


def _union_length(enter: np.ndarray, leave: np.ndarray) -> np.ndarray:
    """Total length (T,) covered by intervals (T, G); an empty interval has leave <= enter."""
    order = np.argsort(enter, axis=1)
    enter = np.take_along_axis(enter, order, 1)
    leave = np.take_along_axis(leave, order, 1)
    reached = np.maximum.accumulate(np.maximum(leave, 0.0), axis=1)
    before = np.concatenate([np.zeros((len(enter), 1)), reached[:, :-1]], axis=1)
    return np.maximum(0.0, leave - np.maximum(enter, before)).sum(1)
