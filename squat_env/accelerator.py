"""Thousands of sets at once through mujoco_warp, on a GPU or, for trying it out, on Warp's CPU device.

The worlds of a call share one layout (bodies, joints, contacts, sensors) and differ in numbers: masses, lengths,
gains, and where the devices sit. Controls and feedback, physics and the record of readings run on the device; the host
sends targets and fetches the record once every `CHUNK_TICKS`. A tick means what it means in `squat_env.stepping`.
"""

import dataclasses
import hashlib
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import mujoco
import numpy as np
import warp as wp

wp.config.log_level = wp.LOG_ERROR  # before the import below, which says what it finds

import mujoco_warp  # noqa: E402

from squat_env import accelerator_kernels as kernels  # noqa: E402
from squat_env.dynamics import BALANCE_STEPS  # noqa: E402
from squat_env.rotations import of_quaternions  # noqa: E402
from squat_env.simulate import Simulation, SimulationFailed  # noqa: E402
from squat_env.worlds import World  # noqa: E402

CHUNK_TICKS = 25 * BALANCE_STEPS  # between two transfers
ROWS_A_CONTACT = 4  # of a friction pyramid
SPARE_CONTACTS = 4  # beyond every support touching once: a sole on the other
FULL = (  # what makes the physics of a world wrong, and not just slow
    mujoco_warp.OverflowType.NEFC | mujoco_warp.OverflowType.BROADPHASE | mujoco_warp.OverflowType.NARROWPHASE
)
_SITE = mujoco.mjtObj.mjOBJ_SITE
_SITE_SENSORS = (
    mujoco.mjtSensor.mjSENS_ACCELEROMETER,
    mujoco.mjtSensor.mjSENS_GYRO,
    mujoco.mjtSensor.mjSENS_FRAMEPOS,
)
# differ with the places of the devices, which `read_sites` knows itself, or are not used by what runs here
_FREE = ("body_geomnum", "body_geomadr", "dof_length", "sensor_objid", "sensor_refid")
_FREE_KINDS = ("geom", "site", "light", "cam", "mat", "key")
_TOUCHING = tuple(f"geom_{name}" for name in ("type", "contype", "conaffinity", "condim", "priority", "bodyid"))
_OPTIONS = tuple(field.name for field in dataclasses.fields(mujoco_warp.Option))


def device_named(name: str | None) -> str:
    """A device of this machine: one that Warp knows by that name, or the GPU if there is one, or else the CPU.

    Raises:
        ValueError: There is none of that name.
    """
    if name is None:
        return str(wp.get_preferred_device())
    known = [str(device) for device in wp.get_devices()]
    if name not in known:
        raise ValueError(f"there is no device {name}, expected one of {', '.join(known)}")
    return name


@cache
def _arrays(of_geoms: bool = False) -> tuple[tuple[str, bool], ...]:
    """Arrays of an MjModel that matter here, and whether mujoco_warp lets each world have its own values there."""
    shapes = {field.name: getattr(field.type, "shape", ()) for field in dataclasses.fields(mujoco_warp.Model)}
    return tuple(
        (name, shape[0] == "*")
        for name, shape in shapes.items()
        if shape
        and hasattr(mujoco.MjModel, name)
        and (name.startswith("geom_") if of_geoms else name.split("_")[0] not in _FREE_KINDS)
    )


def layout(model: mujoco.MjModel) -> str:
    """Hash of all that worlds of one call must have in common."""
    digest, numbers = hashlib.sha256(), {*_FREE, *_numbers(model)}
    for name, _ in _arrays():
        if name not in numbers:
            values = getattr(model, name)
            digest.update(f"{name} {values.shape} {values.dtype.str}".encode() + values.tobytes())
    digest.update(np.where(model.sensor_objtype == _SITE, -1, model.sensor_objid).tobytes())
    for name in _TOUCHING:
        digest.update(getattr(model, name)[_touching(model)].tobytes())
    for name in _OPTIONS:
        digest.update(np.asarray(getattr(model.opt, name, 0)).tobytes())
    return digest.hexdigest()


def _touching(model: mujoco.MjModel) -> np.ndarray:
    """Ids of the geoms that can touch another; devices and what is only drawn come between them."""
    return np.flatnonzero(model.geom_contype | model.geom_conaffinity)


def simulate_worlds(
    worlds: Sequence[World], device: str | None = None, *, stopped: Callable[[], bool] = lambda: False
) -> list[Simulation | SimulationFailed]:
    """Steps some sets to their ends, all at once.

    A set's result depends neither on the others nor on their order.

    Args:
        worlds: Sets whose models have one layout; shorter ones stay as they ended until the longest is over.
        device: As `device_named` takes it.
        stopped: Asked now and then whether the work is to be left off.

    Returns:
        What each set did, in the order given, or why its physics is not to be trusted.

    Raises:
        ValueError: The layouts differ, or there is no such device.
        InterruptedError: The work was left off.
    """
    found = {layout(world.model) for world in worlds}
    if len(found) != 1:
        raise ValueError(f"got worlds of {len(found)} layouts, expected one; group them by `layout`")
    with wp.ScopedDevice(device_named(device)):
        return _Run(worlds).finish(stopped)


class _Run:
    """Device memory of one call, and the graph of a tick."""

    def __init__(self, worlds: Sequence[World]):
        self._worlds = worlds
        self._model = _model(worlds)
        self._data = _data(worlds, contacts=self._model.nxn_geom_pair_filtered.shape[0])
        self._sites = _sites(worlds)
        model, count = worlds[0].model, len(worlds)
        self._tick = wp.zeros(1, dtype=int)
        self._targets = wp.zeros((CHUNK_TICKS, count, model.nu), dtype=float)
        self._poses = wp.zeros((CHUNK_TICKS, count, model.nq), dtype=float)
        self._readings = wp.zeros((CHUNK_TICKS, count, model.nsensordata), dtype=float)
        self._held = wp.zeros((count, model.nu), dtype=float)
        self._balance: tuple[wp.array, wp.array, wp.array] | None = None
        if any(world.gain is not None for world in worlds):
            refreshes = CHUNK_TICKS // BALANCE_STEPS
            columns = np.hstack([model.sensor(name).adr[0] + np.arange(3) for name in ("com", "com_velocity")])
            self._balance = (
                wp.zeros((refreshes, count, 6), dtype=float),
                wp.zeros((refreshes, count, model.nu, 6), dtype=float),
                wp.array(columns, dtype=int),
            )
        with wp.ScopedCapture() as capture:
            self._step()
        self._graph: Any = capture.graph

    def _step(self) -> None:
        """One tick: note the state, tell the actuators, step, note the readings of that state."""
        data, count, tick = self._data, len(self._worlds), self._tick
        wp.launch(kernels.note, data.qpos.shape, [tick, data.qpos], [self._poses])
        if self._balance is not None:
            inputs = [tick, *self._balance, data.sensordata]
            wp.launch(kernels.refresh, self._held.shape, inputs, [self._held])
        wp.launch(kernels.tell, data.ctrl.shape, [tick, self._targets, self._held], [data.ctrl])
        mujoco_warp.step(self._model, data)
        wp.launch(kernels.note, data.sensordata.shape, [tick, data.sensordata], [self._readings])
        state = [data.xpos, data.xmat, data.subtree_com, data.cvel, data.cacc]
        wp.launch(
            kernels.read_sites,
            (count, self._sites.kind.shape[0]),
            [tick, self._sites, self._model.body_rootid, *state],
            [self._readings],
        )
        wp.launch(kernels.advance, 1, [], [tick])

    def finish(self, stopped: Callable[[], bool]) -> list[Simulation | SimulationFailed]:
        """Steps all worlds to their ends."""
        model, lengths = self._worlds[0].model, [len(world.time) for world in self._worlds]
        poses = [np.empty((length, model.nq)) for length in lengths]
        readings = [np.empty((length, model.nsensordata)) for length in lengths]
        full = np.zeros(len(lengths), bool)
        for begin in range(0, max(lengths), CHUNK_TICKS):
            if stopped():
                raise InterruptedError(f"left off at tick {begin} of {max(lengths)}")
            self._send(begin)
            for _ in range(CHUNK_TICKS):
                wp.capture_launch(self._graph)
            pose, reading = self._poses.numpy(), self._readings.numpy()
            running = np.array([begin < length for length in lengths])
            full |= running & ((self._data.overflow.numpy() & int(FULL)) != 0)
            for world in np.flatnonzero(running):
                rows, left = slice(begin, begin + CHUNK_TICKS), lengths[world] - begin
                poses[world][rows], readings[world][rows] = pose[:left, world], reading[:left, world]
        return [
            _outcome(world.time, qpos, sensors, bool(overfull))
            for world, qpos, sensors, overfull in zip(self._worlds, poses, readings, full, strict=True)
        ]

    def _send(self, begin: int) -> None:
        """Targets and feedback of the ticks from `begin` on; what is over keeps the last ones."""
        self._tick.zero_()
        self._targets.assign(_rows([world.targets for world in self._worlds], begin, CHUNK_TICKS))
        if self._balance is None:
            return
        planned, gain, _ = self._balance
        first, count = begin // BALANCE_STEPS, CHUNK_TICKS // BALANCE_STEPS
        for memory, name in ((planned, "planned"), (gain, "gain")):
            none = np.zeros((1, *memory.shape[2:]), np.float32)
            series = [none if (values := getattr(world, name)) is None else values for world in self._worlds]
            memory.assign(_rows(series, first, count))


def _rows(series: Sequence[np.ndarray], begin: int, count: int) -> np.ndarray:
    """(count, W, ...) of W series from row `begin` on, their last rows repeated behind their ends."""
    rows = np.arange(begin, begin + count)
    return np.stack([values[np.minimum(rows, len(values) - 1)] for values in series], axis=1)


def _outcome(time: np.ndarray, qpos: np.ndarray, sensors: np.ndarray, full: bool) -> Simulation | SimulationFailed:
    if full:
        return SimulationFailed("warning", "mujoco_warp found more contacts than it has memory for")
    finite = np.isfinite(qpos).all(1) & np.isfinite(sensors).all(1)
    if not finite.all():
        return SimulationFailed("warning", f"the state is not finite at {time[finite.argmin()]:.3f} s")
    return Simulation(time=time, qpos=qpos, sensors=sensors)


def _model(worlds: Sequence[World]) -> mujoco_warp.Model:
    """The models as one, in which every number that differs has a row for each world."""
    own = _own(worlds)
    result = mujoco_warp.put_model(worlds[0].model, batch_sizes=dict.fromkeys(own, len(worlds)))
    for name, values in own.items():
        array = getattr(result, name)
        array.assign(values.astype(np.float32).reshape(*array.shape, *getattr(array.dtype, "_shape_", ())))
    result.opt.deterministic = True
    result.opt.warn_overflow = 0  # it is looked at after each chunk
    if wp.get_device().is_cuda:
        result.opt.graph_conditional = wp.is_conditional_graph_supported()
    return result


def _own(worlds: Sequence[World]) -> dict[str, np.ndarray]:
    """The arrays (W, ...) in which the models differ; geoms that touch nothing are those of the first world."""
    model, touching = worlds[0].model, [_touching(world.model) for world in worlds]
    stacked = {name: np.stack([getattr(world.model, name) for world in worlds]) for name in _numbers(model)}
    for name in _numbers(model, of_geoms=True):
        stacked[name] = np.stack([getattr(model, name)] * len(worlds))
        values = [getattr(world.model, name)[geoms] for world, geoms in zip(worlds, touching, strict=True)]
        stacked[name][:, touching[0]] = values
    return {name: values for name, values in stacked.items() if (values != values[0]).any()}


def _numbers(model: mujoco.MjModel, of_geoms: bool = False) -> list[str]:
    """Names of the arrays in which worlds may differ."""
    named = ((name, getattr(model, name)) for name, batched in _arrays(of_geoms) if batched)
    return [name for name, values in named if values.dtype.kind == "f" and values.size]


def _data(worlds: Sequence[World], *, contacts: int) -> mujoco_warp.Data:
    """The starts of all sets, with memory for so many contacts each, fewer of them pressed at once."""
    model = worlds[0].model
    supports = int(np.count_nonzero(model.geom_contype[model.geom_bodyid > 0]))
    data: Any = mujoco_warp.make_data(
        model, nworld=len(worlds), nconmax=contacts, njmax=ROWS_A_CONTACT * (supports + SPARE_CONTACTS)
    )
    for array, name in (
        (data.qpos, "qpos"),
        (data.qvel, "qvel"),
        (data.qacc_warmstart, "warmstart"),
        (data.sensordata, "sensors"),
    ):
        array.assign(np.stack([getattr(world, name) for world in worlds]))
    places, fixed = data.geom_xpos.numpy(), _fixed(model)
    places[:, fixed] = [world.model.geom_pos[_fixed(world.model)] for world in worlds]
    data.geom_xpos.assign(places)
    return data


def _fixed(model: mujoco.MjModel) -> np.ndarray:
    """Ids of the geoms that stand still and can be touched; mujoco_warp poses only what moves."""
    touching = _touching(model)
    return touching[model.geom_bodyid[touching] == 0]


def _sites(worlds: Sequence[World]) -> Any:
    """Where the sensors of all worlds sit."""
    model = worlds[0].model
    which = np.flatnonzero(np.isin(model.sensor_type, _SITE_SENSORS) & (model.sensor_objtype == _SITE))
    sites: Any = kernels.Sites()
    sites.kind = wp.array(model.sensor_type[which], dtype=int)
    sites.address = wp.array(model.sensor_adr[which], dtype=int)
    for prefix, ids in (("", "sensor_objid"), ("from_", "sensor_refid")):
        chosen = [(world.model, np.maximum(getattr(world.model, ids)[which], 0)) for world in worlds]
        quats = np.concatenate([model.site_quat[site] for model, site in chosen])
        bodies = np.stack([model.site_bodyid[site] for model, site in chosen])
        setattr(sites, f"{prefix}body", wp.array(bodies, dtype=int))
        places = np.stack([model.site_pos[site] for model, site in chosen])
        setattr(sites, f"{prefix}place", wp.array(places, dtype=wp.vec3))
        turns = of_quaternions(quats).reshape(*places.shape, 3)
        setattr(sites, f"{prefix}turn", wp.array(turns, dtype=wp.mat33))
    return sites
