"""MuJoCo's interactive viewer, in which a simulated set plays in real time, over and over."""

import time as clock
from dataclasses import dataclass
from typing import Any

import mujoco
import mujoco.viewer
import numpy as np

from squat_env.appearance import Patch, clothes, dress
from squat_env.display import NoDisplay
from squat_env.render import LineOfSight, add_line, add_worn, pose, stand

KEYS = "space: pause, left and right: step"
FRAME_S = 1 / 60
STEP_S = 0.05  # of the arrow keys
_SPACE, _RIGHT, _LEFT = 32, 262, 263  # GLFW's codes


@dataclass(kw_only=True)
class Playback:
    """Where a film that repeats itself is.

    Attributes:
        duration_s: Of the film.
        speed: Over real time.
        position_s: From its start.
        paused: Whether it stands still.
    """

    duration_s: float
    speed: float = 1.0
    position_s: float = 0.0
    paused: bool = False

    def advance(self, elapsed_s: float) -> None:
        """Goes on by a stretch of real time; after the end comes the start."""
        if not self.paused:
            self.position_s = (self.position_s + self.speed * elapsed_s) % self.duration_s

    def press(self, key: int) -> None:
        """Answers a key: space pauses and goes on, an arrow pauses and steps."""
        if key == _SPACE:
            self.paused = not self.paused
        elif key in (_LEFT, _RIGHT):
            self.paused = True
            self.position_s = (self.position_s + (STEP_S if key == _RIGHT else -STEP_S)) % self.duration_s


def play(
    model: mujoco.MjModel,
    poses: np.ndarray,
    times: np.ndarray,
    *,
    view: str = "three-quarter",
    speed: float = 1.0,
    title: str = "",
) -> None:
    """Opens the viewer and returns when its window is closed.

    Args:
        model: The wearer.
        poses: (N, nq).
        times: (N,) of the poses, increasing from 0 [s].
        view: Key of `render.AZIMUTH_DEG`, where the camera stands at first.
        speed: Over real time.
        title: Written in the window.

    Raises:
        NoDisplay: The platform's viewer needs another interpreter.
    """
    dressed = dress(model)
    data, wardrobe, opacity = mujoco.MjData(dressed), clothes(model), dressed.geom_rgba[:, 3].copy()
    playback = Playback(duration_s=float(times[-1]), speed=speed)
    with _open(dressed, data, playback) as viewer:
        _place_camera(viewer.cam, stand(dressed, poses, view=view, aspect=1.5))
        before = clock.monotonic()
        while viewer.is_running():
            now = clock.monotonic()
            playback.advance(now - before)
            before = now
            qpos = poses[np.searchsorted(times, playback.position_s)]
            with viewer.lock():
                line = pose(dressed, data, qpos, opacity)
                _decorate(viewer.user_scn, data, wardrobe, line)
            viewer.set_texts(_text(title, playback, line))
            viewer.sync()
            clock.sleep(max(0.0, FRAME_S - (clock.monotonic() - now)))


def _open(model: mujoco.MjModel, data: mujoco.MjData, playback: Playback) -> mujoco.viewer.Handle:
    try:
        return mujoco.viewer.launch_passive(
            model, data, key_callback=playback.press, show_left_ui=False, show_right_ui=False
        )
    except RuntimeError as error:
        raise NoDisplay(
            f"cannot open the viewer: {error}; on macOS run `mjpython -m real2sim.cli view` in place of `squat view`"
        ) from error


def _place_camera(camera: mujoco.MjvCamera, stood: mujoco.MjvCamera) -> None:
    camera.azimuth, camera.elevation, camera.distance = stood.azimuth, stood.elevation, stood.distance
    camera.lookat[:] = stood.lookat


def _decorate(scene: Any, data: mujoco.MjData, wardrobe: list[Patch], line: LineOfSight) -> None:
    scene.ngeom = 0
    add_worn(scene, data, wardrobe, line)
    add_line(scene, line)


def _text(title: str, playback: Playback, line: LineOfSight) -> tuple[int, int, str, str]:
    """Two columns in the upper left corner."""
    reach = f"{np.linalg.norm(line.watch - line.phone):.2f} m, {'blocked' if line.crossed else 'in sight'}"
    font, place = mujoco.mjtFontScale.mjFONTSCALE_150.value, mujoco.mjtGridPos.mjGRID_TOPLEFT.value
    return font, place, f"{title}\ntime\nrange\nkeys", f"\n{playback.position_s:.2f} s\n{reach}\n{KEYS}"
