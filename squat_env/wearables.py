"""Watches and phones on a body: boxes without mass, and the ideal sensors in them."""

from collections.abc import Iterable

import mujoco
import numpy as np

from squat_env.body import Segment
from squat_env.placement import Mounting, Placement
from squat_env.spots import PHONE_SPOTS, UNPAIRED, WATCH_SPOT, Spot
from squat_env.support import EXTRAS
from squat_env.surface import lie_on_surface

DEVICES = ("watch", "phone")
PHONE_SIZE_M = (0.0321, 0.0658, 0.0038)  # half sizes of an iPhone 13 mini
WATCH_SIZE_M = (0.0175, 0.0205, 0.0053)  # half sizes of an Apple Watch 7, 41 mm
_PHONE_RGBA, _WATCH_RGBA = (0.1, 0.1, 0.12, 1), (0.75, 0.1, 0.1, 1)


def worn(name: str, mounting: int) -> str:
    """Name of a device, or of one of its sensors, of the watches and phones that are worn at once.

    Args:
        name: Such as "watch", "phone_gyro" or "range".
        mounting: Which of them; the first, number 0, has the plain name.
    """
    return f"{name}_{mounting}" if mounting else name


def add_devices(spec: mujoco.MjSpec, placement: Placement, mounting: int, parts: dict[str, Segment]) -> None:
    """Lays a watch and a phone on a body whose parts have these measures."""
    spot = PHONE_SPOTS[placement.phone.spot]
    _add_device(spec, worn("watch", mounting), placement.watch, WATCH_SPOT, WATCH_SIZE_M, _WATCH_RGBA, parts)
    _add_device(spec, worn("phone", mounting), placement.phone, spot, PHONE_SIZE_M, _PHONE_RGBA, parts)


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


def add_sensors(spec: mujoco.MjSpec, mounting: int) -> None:
    """Puts ideal sensors into the watch and the phone of a mounting."""
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
