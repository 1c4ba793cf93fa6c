"""Whether this machine can draw: OpenGL without a screen for pictures, a screen for the viewer."""

import ctypes.util
import os
import sys
import warnings
from collections.abc import Mapping

# values of MUJOCO_GL that need no screen, and their libraries; the first whose libraries are there is taken
HEADLESS_BACKENDS = (("egl", ("EGL", "GL")), ("osmesa", ("OSMesa", "GL")))


class NoDisplay(RuntimeError):
    """OpenGL or a screen is missing."""


def has_screen(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether a window can be opened: always outside Linux, there where X or Wayland is announced."""
    return sys.platform != "linux" or any(environment.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))


def choose_backend() -> None:
    """Sets `MUJOCO_GL` where it is unset and there is no screen, to a library that draws without one.

    MuJoCo reads it once, when it is imported; call this before.
    """
    if os.environ.get("MUJOCO_GL") or has_screen():
        return
    for backend, libraries in HEADLESS_BACKENDS:
        if all(ctypes.util.find_library(library) for library in libraries):
            os.environ["MUJOCO_GL"] = backend
            return


def require_gl() -> None:
    """Chooses a backend and opens a renderer of 16 x 16 pixels with it.

    Raises:
        NoDisplay: OpenGL does not work here.
    """
    choose_backend()
    try:
        with warnings.catch_warnings(action="ignore"):  # GLFW's, which the error repeats
            import mujoco  # a backend whose library is missing fails at import

            mujoco.Renderer(mujoco.MjSpec().compile(), 16, 16).close()
    except Exception as error:  # each backend fails with types of its own
        setting = os.environ.get("MUJOCO_GL")
        raise NoDisplay(
            f"cannot draw: OpenGL does not work here (MUJOCO_GL is {setting or 'unset'}: {_reason(error)}), expected a"
            " screen or a library that draws without one; `apt-get install libegl1 libgl1` and MUJOCO_GL=egl do"
        ) from error


def require_screen() -> None:
    """Raises NoDisplay where no window can be opened."""
    if not has_screen():
        raise NoDisplay(
            "cannot open a window: neither DISPLAY nor WAYLAND_DISPLAY is set, expected a screen; `squat render` makes"
            " pictures without one"
        )
    require_gl()


def _reason(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__
