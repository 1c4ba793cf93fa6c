"""What an ideal phone and watch read, and what lies between them."""

import itertools
import math
from dataclasses import dataclass

import mujoco
import numpy as np

from squat_env.crossing import Solids, body_shapes
from squat_env.model import LANDMARKS
from squat_env.simulate import Simulation
from squat_env.wearables import DEVICES, worn

IN_SIGHT_M = 0.005  # less body than this between the devices counts as line of sight


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
        self._solids = Solids.of(model, body_shapes(model))

    def share(self, data: mujoco.MjData) -> None:
        """Uses other data of the model's layout from now on."""
        self._data = data

    @property
    def data(self) -> mujoco.MjData:
        """What every pose overwrites."""
        return self._data

    def __reduce__(self) -> tuple[type["Surveyor"], tuple[mujoco.MjModel]]:
        return Surveyor, (self._model,)

    def scene(self, qpos: np.ndarray) -> Scene:
        """Looks at the poses `qpos` (T, nq)."""
        return self.scenes(qpos)[0]

    def scenes(self, qpos: np.ndarray, mountings: int = 1) -> list[Scene]:
        """Looks at the poses `qpos` (T, nq); a scene for each of the first so many mountings."""
        data, devices = self._data, [self._model.site(worn(d, k)).id for k in range(mountings) for d in DEVICES]
        found = data.site_xpos, data.geom_xpos, data.geom_xmat
        places, solids, turns = kept = tuple(np.empty((len(qpos), *part.shape)) for part in found)
        for k, pose in enumerate(qpos):
            self.pose(pose)
            for rows, part in zip(kept, found, strict=True):
                rows[k] = part
        places = places[:, [*self._sites[: len(LANDMARKS)], *devices]]
        links = places[:, len(LANDMARKS) :].reshape(-1, mountings, 2, 3)
        thickness = self._solids.crossed_each(solids, turns, links)
        between = places[:, len(LANDMARKS) + 1 :: 2] - places[:, len(LANDMARKS) :: 2]
        distance = np.linalg.norm(between, axis=2)
        landmarks = places[:, : len(LANDMARKS)]
        return [
            Scene(landmarks=landmarks, distance=distance[:, k], thickness=thickness[:, k]) for k in range(mountings)
        ]

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
        return math.sqrt(along.dot(along)), self._solids.crossed(self._data, watch, phone)
