"""What an ideal phone and watch read, and what lies between them."""

from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np

from squat_env.model import DEVICES, LANDMARKS
from squat_env.simulate import Simulation

IN_SIGHT_M = 0.005  # less body than this between the devices counts as line of sight
_BODY_SHAPES = (mujoco.mjtGeom.mjGEOM_CAPSULE, mujoco.mjtGeom.mjGEOM_ELLIPSOID)


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


def read_sensors(model: mujoco.MjModel, simulation: Simulation) -> Ideal:
    """Splits the simulation's sensor data into signals."""

    def signal(name: str) -> np.ndarray:
        start = model.sensor(name).adr[0]
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
        pelvis_height: (T,) of the hip centres over the ground [m].
        thickness: (T,) metres of body on the straight line from watch to phone.
    """

    landmarks: np.ndarray
    pelvis_height: np.ndarray
    thickness: np.ndarray

    @property
    def line_of_sight(self) -> np.ndarray:
        """(T,) bool."""
        return self.thickness < IN_SIGHT_M


def observe_scene(model: mujoco.MjModel, qpos: np.ndarray, data: mujoco.MjData | None = None) -> Scene:
    """Poses the model in each row of `qpos` (T, nq) and looks at it; `data`, if given, is overwritten."""
    posed: Any = mujoco.MjData(model) if data is None else data
    sites = [model.site(name).id for name in (*LANDMARKS, *DEVICES)]
    shapes = body_shapes(model)
    count = len(qpos)
    places = np.empty((count, len(sites), 3))
    centres, turns = np.empty((count, len(shapes), 3)), np.empty((count, len(shapes), 9))
    for k, pose in enumerate(qpos):
        posed.qpos[:] = pose
        mujoco.mj_kinematics(model, posed)
        places[k] = posed.site_xpos[sites]
        centres[k], turns[k] = posed.geom_xpos[shapes], posed.geom_xmat[shapes]
    landmarks, watch, phone = places[:, : len(LANDMARKS)], places[:, -2], places[:, -1]
    hips = [LANDMARKS.index("left_hip"), LANDMARKS.index("right_hip")]
    crossed = body_crossed(model, shapes, centres, turns.reshape(count, -1, 3, 3), watch, phone)
    return Scene(landmarks=landmarks, pelvis_height=landmarks[:, hips, 2].mean(1), thickness=crossed)


def body_shapes(model: mujoco.MjModel) -> np.ndarray:
    """Ids (G,) of the geoms that make up the body's volume."""
    return np.flatnonzero(np.isin(model.geom_type, _BODY_SHAPES))


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
    local = np.einsum("tgji,tgj->tgi", turns, start[:, None] - centres)
    along = np.einsum("tgji,tj->tgi", turns, end - start)
    enter, leave = np.ones(local.shape[:2]), np.zeros(local.shape[:2])
    for column, shape in enumerate(shapes):
        chord = _capsule_chord if model.geom_type[shape] == mujoco.mjtGeom.mjGEOM_CAPSULE else _ellipsoid_chord
        enter[:, column], leave[:, column] = chord(local[:, column], along[:, column], model.geom_size[shape])
    return _union_length(enter, leave) * np.linalg.norm(end - start, axis=1)


def _quadratic(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Roots of a x^2 + 2 b x + c, low and high; (1, 0) where there are none."""
    discriminant = b**2 - a * c
    hit = discriminant > 0
    root = np.sqrt(np.where(hit, discriminant, 0.0))
    safe = np.where(a > 1e-12, a, 1.0)
    hit &= a > 1e-12
    return np.where(hit, (-b - root) / safe, 1.0), np.where(hit, (-b + root) / safe, 0.0)


def _ellipsoid_chord(start: np.ndarray, along: np.ndarray, size: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    p, d = start / size, along / size
    return _clip(*_quadratic((d * d).sum(1), (p * d).sum(1), (p * p).sum(1) - 1.0))


def _capsule_chord(start: np.ndarray, along: np.ndarray, size: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A capsule is convex: its chord runs from the first entry to the last exit of its cylinder and two balls."""
    radius, half = size[0], size[1]
    p, d = start[:, :2], along[:, :2]
    enter, leave = _quadratic((d * d).sum(1), (p * d).sum(1), (p * p).sum(1) - radius**2)
    inside = (p * p).sum(1) < radius**2
    parallel = (d * d).sum(1) <= 1e-12
    enter, leave = np.where(parallel & inside, 0.0, enter), np.where(parallel & inside, 1.0, leave)
    slope = np.where(np.abs(along[:, 2]) > 1e-12, along[:, 2], 1e-12)
    caps = np.sort(np.stack([(-half - start[:, 2]) / slope, (half - start[:, 2]) / slope]), axis=0)
    pieces = [(np.maximum(enter, caps[0]), np.minimum(leave, caps[1]))]
    for z in (-half, half):
        q = start - [0.0, 0.0, z]
        pieces.append(_quadratic((along * along).sum(1), (q * along).sum(1), (q * q).sum(1) - radius**2))
    lows = np.stack([np.where(low < high, low, np.inf) for low, high in pieces])
    highs = np.stack([np.where(low < high, high, -np.inf) for low, high in pieces])
    return _clip(lows.min(0), highs.max(0))


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
