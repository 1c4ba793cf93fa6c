"""A simulated set as a film strip (png) or a film (gif, mp4): pictures of the wearer over the signals."""

import itertools
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import font_manager
from PIL import Image, ImageDraw, ImageFont

from real2sim.signal_panel import BLOCKED, IN_SIGHT, INK, LABELS, PALE, PHASES, Signals, draw_panel

RATES_HZ = {".mp4": 25.0, ".gif": 12.5}  # frames a second
SUFFIXES = (".png", *RATES_HZ)
STRIP_POSES = 8
STRIP_SIZE = (1312, 340)  # width and height of the row of poses [pixels]
FILM_SIZE = (720, 480)  # width and height of the wearer [pixels]; mp4 wants multiples of 16
PANEL_HEIGHT = 400  # of the signals below [pixels]
HEAD = 64  # of the title of a strip [pixels]
EDGE = 16  # around text and strips [pixels]
SECOND = 150  # of film [pixels]
LONGEST_S = 300.0  # of a film; its signals are drawn as one picture
NOW = 0.72  # where the present is on a film's time axis
FADE = 0.3  # of the signals after it
GIF_SCALE = 2 / 3
GIF_COLOURS = 256


class FilmError(ValueError):
    """A film cannot be made as asked."""


def check_output(path: Path) -> None:
    """Refuses a file that could not be written, before anything is simulated.

    Raises:
        FilmError: The suffix is unknown, the folder is not there, or mp4 is asked for without ffmpeg.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise FilmError(f"{path} ends in {path.suffix!r}, expected one of {', '.join(SUFFIXES)}")
    if not path.parent.is_dir():
        raise FilmError(f"{path.parent} is no folder, expected one to write {path.name} into; make it first")
    if path.suffix.lower() == ".mp4":
        _ffmpeg()


def _ffmpeg() -> Any:
    try:
        import imageio_ffmpeg

        imageio_ffmpeg.get_ffmpeg_exe()
    except (ImportError, RuntimeError) as error:
        raise FilmError(
            "mp4 needs ffmpeg, which was not found; `pip install 'squat-sensor[render]'` brings it, .gif does without"
        ) from error
    return imageio_ffmpeg


def strip_times(duration_s: float) -> np.ndarray:
    """Moments (STRIP_POSES,) [s] of the poses of a strip: the middles of equal parts of the time."""
    return (np.arange(STRIP_POSES) + 0.5) / STRIP_POSES * duration_s


def compose_strip(poses: np.ndarray, signals: Signals, *, title: str, subtitle: str) -> np.ndarray:
    """A film strip (H, W, 3), uint8: a row of poses over the signals, each pose above its moment.

    Args:
        poses: (h, w, 3) uint8, the poses at `strip_times` in the middles of equal columns.
        signals: Below them.
        title, subtitle: Above them.
    """
    tall, wide = poses.shape[:2]
    panel = draw_panel(signals, (0.0, float(signals.time[-1])), width=wide, height=PANEL_HEIGHT)
    sheet = np.full((HEAD + tall + EDGE // 2 + PANEL_HEIGHT, LABELS + wide + EDGE, 3), 255, np.uint8)
    sheet[HEAD : HEAD + tall, LABELS : LABELS + wide] = poses
    sheet[-PANEL_HEIGHT:, : LABELS + wide] = panel
    image = Image.fromarray(sheet)
    draw = ImageDraw.Draw(image)
    _write_title(draw, LABELS, title, subtitle)
    for y, text, colour in ((14, "phone and watch in sight", IN_SIGHT), (38, "blocked by the body", BLOCKED)):
        draw.text((LABELS + wide, y), f"\u2501\u2501 {text}", font=_font(14), fill=colour, anchor="ra")
    return np.asarray(image)


def compose_film(
    pictures: Iterable[np.ndarray], times: np.ndarray, signals: Signals, *, title: str, subtitle: str
) -> Iterator[np.ndarray]:
    """The frames of a film: each picture over the signals, which scroll past a mark for the present.

    Args:
        pictures: (h, W, 3) uint8 each.
        times: (F,) of the pictures [s].
        signals: Below them.
        title, subtitle: Written on them.

    Yields:
        F frames (h + PANEL_HEIGHT, W, 3), uint8.

    Raises:
        FilmError: The set is longer than `LONGEST_S`.
    """
    duration, width = float(signals.time[-1]), FILM_SIZE[0] - LABELS
    if duration > LONGEST_S:
        raise FilmError(f"the set lasts {duration:.0f} s, expected at most {LONGEST_S:g} s; ask for fewer repetitions")
    before, after = NOW * width / SECOND, (1 - NOW) * width / SECOND
    limits = (-before, duration + after)
    panel = draw_panel(signals, limits, width=round((limits[1] - limits[0]) * SECOND), height=PANEL_HEIGHT)
    for picture, now in zip(pictures, times, strict=True):
        captioned = _caption(picture, signals, float(now), title, subtitle)
        yield np.concatenate([captioned, _scroll(panel, round(now * SECOND), width)])


def _scroll(panel: np.ndarray, start: int, width: int) -> np.ndarray:
    """The panel (H, LABELS + width, 3) whose time axis starts at a column; what is to come is pale."""
    shown = panel[:, LABELS + start : LABELS + start + width]
    shown = np.pad(shown, ((0, 0), (0, width - shown.shape[1]), (0, 0)), constant_values=255)
    present = round(NOW * width)
    shown[:, present:] = 255 - (FADE * (255 - shown[:, present:])).astype(np.uint8)
    shown[:, present - 1 : present + 1] = 60
    return np.concatenate([panel[:, :LABELS], shown], axis=1)


def _caption(picture: np.ndarray, signals: Signals, now: float, title: str, subtitle: str) -> np.ndarray:
    """Writes who is seen above, the present phase and range below."""
    image = Image.fromarray(picture)
    draw = ImageDraw.Draw(image)
    _write_title(draw, EDGE, title, subtitle)
    row = min(int(np.searchsorted(signals.time, now - 1e-9)), len(signals.time) - 1)
    free = bool(signals.in_sight[row])
    state = "in sight" if free else f"blocked by {100 * signals.thickness[row]:.0f} cm of body"
    text = f"range {signals.distance[row]:.2f} m, {state}"
    foot = image.height - EDGE - 18
    draw.text((EDGE, foot), list(PHASES)[signals.phase4[row]], font=_font(15, bold=True), fill=INK)
    colour = IN_SIGHT if free else BLOCKED
    draw.text((image.width - EDGE, foot), text, font=_font(15, bold=True), fill=colour, anchor="ra")
    return np.asarray(image)


def _write_title(draw: ImageDraw.ImageDraw, left: int, title: str, subtitle: str) -> None:
    draw.text((left, 10), title, font=_font(20, bold=True), fill=INK)
    draw.text((left, 38), subtitle, font=_font(13), fill=PALE)


def _font(size: int, *, bold: bool = False) -> ImageFont.FreeTypeFont:
    """Matplotlib's own font, which is there on every machine."""
    weight = "bold" if bold else "normal"
    return ImageFont.truetype(font_manager.findfont(font_manager.FontProperties(weight=weight)), size)


def write_picture(path: Path, picture: np.ndarray) -> None:
    """Writes a picture (H, W, 3) as png; the name appears when it is complete."""
    _write_whole(path, lambda partial: Image.fromarray(picture).save(partial, optimize=True))


def write_film(path: Path, frames: Iterable[np.ndarray]) -> None:
    """Writes frames (H, W, 3) as gif or mp4, by the suffix; the name appears when the film is complete."""
    write = _write_gif if path.suffix.lower() == ".gif" else _write_mp4
    _write_whole(path, lambda partial: write(partial, iter(frames)))


def _write_whole(path: Path, write: Callable[[Path], None]) -> None:
    partial = path.with_name(f".{path.stem}-{os.getpid()}{path.suffix.lower()}")
    try:
        write(partial)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def _write_mp4(path: Path, frames: Iterator[np.ndarray]) -> None:
    first = next(frames)
    writer = _ffmpeg().write_frames(str(path), first.shape[1::-1], fps=RATES_HZ[".mp4"], quality=7)
    writer.send(None)
    try:
        for frame in itertools.chain([first], frames):
            writer.send(np.ascontiguousarray(frame))
    finally:
        writer.close()


def _write_gif(path: Path, frames: Iterator[np.ndarray]) -> None:
    images = [_shrink(frame) for frame in frames]
    some = images[:: max(1, len(images) // 8)]  # for colours that come and go
    palette = Image.fromarray(np.concatenate([np.asarray(image) for image in some])).quantize(GIF_COLOURS)
    images = [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in images]
    wait = round(1000 / RATES_HZ[".gif"])
    images[0].save(path, save_all=True, append_images=images[1:], duration=wait, loop=0)


def _shrink(frame: np.ndarray) -> Image.Image:
    image = Image.fromarray(frame)
    return image.resize((round(GIF_SCALE * image.width), round(GIF_SCALE * image.height)), Image.Resampling.LANCZOS)
