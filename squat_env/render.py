"""Pictures of the wearer: the body, both devices, and the line between them in the colour of its line of sight."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import mujoco
import numpy as np

from squat_env.appearance import EXTENT_M, SHADOW_PIXELS, SHADOWS_M, Colour, Patch, clothes, dress
from squat_env.crossing import Solids, body_shapes
from squat_env.sensors import IN_SIGHT_M
from squat_env.wearables import DEVICES

IN_SIGHT, BLOCKED = (0.10, 0.68, 0.25, 1.0), (0.88, 0.10, 0.10, 1.0)
SEEN_THROUGH = 0.35  # opacity of what the line of sight crosses
LINE_M, BEAD_M = 0.010, 0.022  # radii of the line and of its ends
AZIMUTH_DEG = {"side": 90.0, "three-quarter": 138.0, "front": 180.0}  # of the camera, for a watch on the right
ELEVATION_DEG = -9.0
OVERLAP = 1.25  # width that a body may take in a row over its column's
FLOOR_SHARE = 0.10  # of a picture's height, below the body
MARGIN_M = 0.10  # around the ends of the outermost geoms
_IDENTITY = np.eye(3).ravel()


@dataclass(frozen=True, kw_only=True)
class LineOfSight:
    """The straight line from watch to phone in one pose.

    Attributes:
        watch, phone: (3,) its ends in the world [m].
        thickness: Metres of body on it.
        crossed: Ids of the geoms that block it, none where the devices see each other.
    """

    watch: np.ndarray
    phone: np.ndarray
    thickness: float
    crossed: tuple[int, ...]

    @property
    def colour(self) -> Colour:
        """Green in sight, red blocked."""
        return BLOCKED if self.crossed else IN_SIGHT


def line_of_sight(model: mujoco.MjModel, data: mujoco.MjData) -> LineOfSight:
    """The line in the pose of `data`, whose kinematics is up to date."""
    shapes = body_shapes(model)
    watch, phone = (data.site(device).xpos.copy() for device in DEVICES)

    def crossed(part: np.ndarray) -> float:
        return Solids.of(model, part).crossed(data, watch, phone)

    thickness = crossed(shapes)
    blocked = thickness >= IN_SIGHT_M
    hit = tuple(int(shape) for k, shape in enumerate(shapes) if blocked and crossed(shapes[k : k + 1]) > 0.0)
    return LineOfSight(watch=watch, phone=phone, thickness=thickness, crossed=hit)


class WearerRenderer:
    """Draws poses of one wearer; a context manager, which frees its OpenGL context.

    Args:
        model: The wearer, as it was built.
        width, height: Of the pictures [pixels].
        shadows_m: How far from the middle things cast shadows; the further, the slower.

    Call `display.require_gl` first: where OpenGL does not work, MuJoCo's own errors say little.
    """

    def __init__(self, model: mujoco.MjModel, *, width: int, height: int, shadows_m: float = SHADOWS_M):
        self.model = dress(model)
        self.model.vis.map.shadowclip = shadows_m / EXTENT_M
        self.model.vis.quality.shadowsize = round(SHADOW_PIXELS * shadows_m / SHADOWS_M)
        self._data = mujoco.MjData(self.model)
        self._wardrobe = clothes(model)
        self._opacity = self.model.geom_rgba[:, 3].copy()
        self._renderer = mujoco.Renderer(self.model, height, width)

    def __enter__(self) -> "WearerRenderer":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Frees the OpenGL context."""
        self._renderer.close()

    def draw(self, qpos: np.ndarray, camera: mujoco.MjvCamera) -> np.ndarray:
        """The picture (height, width, 3), uint8, of a pose (nq,)."""
        return self.draw_beside(qpos[None], camera, np.zeros(3))

    def draw_beside(self, poses: np.ndarray, camera: mujoco.MjvCamera, step: np.ndarray) -> np.ndarray:
        """One picture (height, width, 3), uint8, of poses (K, nq) beside each other, each `step` (3,) [m] on."""
        scene, option = self._renderer.scene, mujoco.MjvOption()
        for k, qpos in enumerate(poses):
            line = pose(self.model, self._data, qpos, self._opacity)
            if k == 0:
                self._renderer.update_scene(self._data, camera)
                first = 0
            else:
                first = scene.ngeom
                mujoco.mjv_addGeoms(self.model, self._data, option, mujoco.MjvPerturb(), _EVERYTHING, scene)
            add_worn(scene, self._data, self._wardrobe, line)
            add_line(scene, line)
            self._move(first, (k - 0.5 * (len(poses) - 1)) * step)
        return self._renderer.render()

    def _move(self, first: int, offset: np.ndarray) -> None:
        """Moves the scene's geoms from `first` on; the floor stays and is drawn once."""
        scene, floor = self._renderer.scene, self.model.geom("floor").id
        for geom in scene.geoms[first : scene.ngeom]:
            if geom.objid == floor and geom.objtype == mujoco.mjtObj.mjOBJ_GEOM:
                geom.rgba[3] = 0.0 if first else 1.0
            else:
                geom.pos[:] += offset


_EVERYTHING = mujoco.mjtCatBit.mjCAT_ALL.value


def pose(model: mujoco.MjModel, data: mujoco.MjData, qpos: np.ndarray, opacity: np.ndarray) -> LineOfSight:
    """Poses the wearer and makes transparent what blocks the line of sight.

    Args:
        model: A dressed one; its colours are changed.
        data: Overwritten.
        qpos: (nq,).
        opacity: (ngeom,) of the geoms that block nothing.
    """
    data.qpos[:] = qpos
    mujoco.mj_kinematics(model, data)
    mujoco.mj_camlight(model, data)
    line = line_of_sight(model, data)
    model.geom_rgba[:, 3] = opacity
    model.geom_rgba[list(line.crossed), 3] = SEEN_THROUGH
    return line


def add_worn(scene: mujoco.MjvScene, data: mujoco.MjData, wardrobe: Sequence[Patch], line: LineOfSight) -> None:
    """Adds clothes to a scene, in the pose of `data`; those over what blocks the line are left out."""
    for patch in wardrobe:
        if patch.geom in line.crossed:
            continue
        body = data.model.geom_bodyid[patch.geom]
        place, turn, total = np.empty(3), np.empty(9), np.empty(4)
        mujoco.mju_mulQuat(total, data.xquat[body], np.asarray(patch.quat, dtype=float))
        mujoco.mju_rotVecQuat(place, np.asarray(patch.place, dtype=float), data.xquat[body])
        mujoco.mju_quat2Mat(turn, total)
        _add(scene, patch.kind, np.asarray(patch.size), data.xpos[body] + place, turn, patch.colour)


def add_line(scene: mujoco.MjvScene, line: LineOfSight) -> None:
    """Adds the line between the devices to a scene, with a bead at each end."""
    for end in (line.watch, line.phone):
        _add(scene, mujoco.mjtGeom.mjGEOM_SPHERE, np.full(3, BEAD_M), end, _IDENTITY, line.colour).emission = 0.6
    geom = _add(scene, mujoco.mjtGeom.mjGEOM_CAPSULE, np.full(3, LINE_M), line.watch, _IDENTITY, line.colour)
    geom.emission = 0.6
    mujoco.mjv_connector(geom, mujoco.mjtGeom.mjGEOM_CAPSULE, LINE_M, line.watch, line.phone)


def _add(
    scene: mujoco.MjvScene, kind: mujoco.mjtGeom, size: np.ndarray, place: np.ndarray, turn: np.ndarray, colour: Colour
) -> mujoco.MjvGeom:
    geom = scene.geoms[scene.ngeom]
    mujoco.mjv_initGeom(geom, kind, size, place, turn, np.array(colour, dtype=np.float32))
    scene.ngeom += 1
    return geom


def draw_film(
    model: mujoco.MjModel,
    poses: np.ndarray,
    *,
    view: str = "three-quarter",
    width: int = 640,
    height: int = 480,
    headroom: float = 0.15,
) -> Iterator[np.ndarray]:
    """Draws poses one by one with a camera that stands still.

    Args:
        model: The wearer.
        poses: (T, nq).
        view: Key of `AZIMUTH_DEG`; the camera stands on the side of the watch.
        width, height: Of the pictures [pixels].
        headroom: Share of the height that stays free above the body, for a title.

    Yields:
        T pictures (height, width, 3), uint8.
    """
    with WearerRenderer(model, width=width, height=height) as renderer:
        camera = stand(renderer.model, poses, view=view, aspect=width / height, headroom=headroom)
        for qpos in poses:
            yield renderer.draw(qpos, camera)


def draw_row(
    model: mujoco.MjModel, poses: np.ndarray, *, view: str = "three-quarter", width: int = 1440, height: int = 360
) -> np.ndarray:
    """One picture (height, width, 3), uint8, of K poses (K, nq), the k-th in the middle of the k-th of K columns.

    Args: as of `draw_film`. Lines that are parallel in the world are so in the picture.
    """
    with WearerRenderer(model, width=width, height=height, shadows_m=2.0 * SHADOWS_M) as renderer:
        camera = stand(renderer.model, poses, view=view, aspect=OVERLAP * width / height / len(poses))
        tall = 2.0 * camera.distance * np.tan(0.5 * np.deg2rad(renderer.model.vis.global_.fovy))
        camera.orthographic = True
        renderer.model.vis.global_.fovy = tall
        across = np.deg2rad(camera.azimuth - 90.0)
        step = width / len(poses) * tall / height * np.array([np.cos(across), np.sin(across), 0.0])
        return renderer.draw_beside(poses, camera, step)


def stand(
    model: mujoco.MjModel, poses: np.ndarray, *, view: str, aspect: float, headroom: float = 0.05
) -> mujoco.MjvCamera:
    """A camera that sees the whole body in every pose.

    Args:
        model: A dressed one.
        poses: (T, nq).
        view: Key of `AZIMUTH_DEG`.
        aspect: Width over height of the pictures.
        headroom: Share of their height that stays free above the body.

    Raises:
        ValueError: The view is unknown.
    """
    if view not in AZIMUTH_DEG:
        raise ValueError(f"view is {view!r}, expected one of {sorted(AZIMUTH_DEG)}")
    on_right = model.body(model.geom_bodyid[model.geom("watch").id]).name.startswith("right")
    camera = mujoco.MjvCamera()
    camera.azimuth, camera.elevation = AZIMUTH_DEG[view] * (1.0 if on_right else -1.0), ELEVATION_DEG
    angle = np.deg2rad(camera.azimuth)
    places = _places(model, poses)
    low, high = places.min(0) - MARGIN_M, places.max(0) + MARGIN_M
    middle = 0.5 * (low + high)[:2]
    deep, wide = (
        np.abs((places[:, :2] - middle) @ (np.cos(a), np.sin(a))).max() + MARGIN_M for a in (angle, angle - 0.5 * np.pi)
    )
    tall = max(high[2] / (1.0 - headroom - FLOOR_SHARE), 2.0 * wide / aspect)
    camera.lookat[:] = *middle, (0.5 - FLOOR_SHARE) * tall
    camera.distance = 0.5 * tall / np.tan(0.5 * np.deg2rad(model.vis.global_.fovy)) + 0.5 * deep
    return camera


def _places(model: mujoco.MjModel, poses: np.ndarray) -> np.ndarray:
    """Ends (P, 3) of the geoms of some of the poses, the floor left out."""
    data, geoms = mujoco.MjData(model), np.arange(model.ngeom)
    long = np.isin(model.geom_type, (mujoco.mjtGeom.mjGEOM_CAPSULE, mujoco.mjtGeom.mjGEOM_CYLINDER))
    half = np.where(long, model.geom_size[:, 1], 0.0)[:, None]
    places = []
    for qpos in poses[:: max(1, len(poses) // 40)]:
        data.qpos[:] = qpos
        mujoco.mj_kinematics(model, data)
        along = half * data.geom_xmat.reshape(-1, 3, 3)[:, :, 2]
        for ends in (data.geom_xpos - along, data.geom_xpos + along):
            places.append(ends[geoms != model.geom("floor").id])
    return np.concatenate(places)
