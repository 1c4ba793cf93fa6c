"""What the devices measured over a set, drawn over time: phases, the watch's signals, the range."""

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

INK, PALE, RULE = "#1c2024", "#5d6670", "#c5cbd1"
AXES = {"x": "#2b6cb0", "y": "#d9822b", "z": "#7b4fa3"}
IN_SIGHT, BLOCKED = "#1a9e40", "#e01a1a"
PHASES = {"stand": "#e8ebee", "descent": "#c3d9ee", "bottom": "#8fb4d9", "ascent": "#d5e3c8"}  # in the order of phase4
DPI = 100
LABELS = 124  # pixels left of the time axes, for what they show
FOOT = 24  # pixels below them, for the times
_SHARES = (0.08, 0.30, 0.30, 0.32)  # of the height: phases, accel, gyro, range
_GAP = 10  # pixels between two of them


@dataclass(frozen=True, kw_only=True)
class Signals:
    """What the devices measured over a set.

    Attributes:
        time: (T,) uniform, from 0 [s].
        accel, gyro: (T, 3) of the watch [m/s^2], [rad/s].
        distance: (T,) true range [m].
        thickness: (T,) body between the devices [m].
        in_sight: (T,) bool.
        phase4: (T,) 0 stand, 1 descent, 2 bottom, 3 ascent.
        range_time, range_reading: (R,) [s], [m]; NaN where lost.
    """

    time: np.ndarray
    accel: np.ndarray
    gyro: np.ndarray
    distance: np.ndarray
    thickness: np.ndarray
    in_sight: np.ndarray
    phase4: np.ndarray
    range_time: np.ndarray
    range_reading: np.ndarray


def draw_panel(signals: Signals, limits: tuple[float, float], *, width: int, height: int) -> np.ndarray:
    """Draws signals.

    Args:
        signals: What was measured.
        limits: Both ends of the time axis [s].
        width: Of the time axis [pixels].
        height: Of everything [pixels].

    Returns:
        Picture (height, LABELS + width, 3), uint8: the first `LABELS` columns hold the names and units.
    """
    wide = LABELS + width
    figure = Figure(figsize=(wide / DPI, height / DPI), dpi=DPI, facecolor="white")
    canvas = FigureCanvasAgg(figure)
    rows, top = [], float(height)
    for share in _SHARES:
        tall = share * (height - FOOT)
        rows.append(figure.add_axes((LABELS / wide, (top - tall) / height, width / wide, (tall - _GAP) / height)))
        top -= tall
    _draw_phases(rows[0], signals)
    _draw_axes(rows[1], "watch accel", "m/s²", signals.time, signals.accel)
    _draw_axes(rows[2], "watch gyro", "rad/s", signals.time, signals.gyro)
    _draw_range(rows[3], signals)
    for axes in rows[1:]:
        _rule(axes, limits)
    rows[0].set_xlim(limits)
    rows[3].tick_params(labelbottom=True)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _rule(axes: Axes, limits: tuple[float, float]) -> None:
    """Times from 0 on below, few values on the left."""
    axes.set_xlim(limits)
    axes.xaxis.set_major_locator(MaxNLocator(max(2, round(1.2 * (limits[1] - limits[0]))), steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda time, _: f"{time:g} s" if time >= 0 else ""))
    axes.yaxis.set_major_locator(MaxNLocator(3))
    axes.tick_params(labelsize=8, colors=PALE, labelbottom=False, length=0)
    axes.spines[:].set_visible(False)
    axes.grid(axis="y", color=RULE, lw=0.6)


def _legend(axes: Axes, lines: list[tuple[str, str]]) -> None:
    """Lines of text in their colours, left of the values."""
    for k, (text, colour) in enumerate(lines):
        axes.annotate(
            text,
            (0, 1),
            xytext=(12 - LABELS, -8 - 13 * k),
            xycoords="axes fraction",
            textcoords="offset pixels",
            fontsize=8.5 if k == 0 else 8,
            weight="bold" if k == 0 else "normal",
            color=colour,
            va="top",
        )


def _draw_phases(axes: Axes, signals: Signals) -> None:
    """A band in the colours of the four-part phase."""
    axes.axis("off")
    axes.set_ylim(0, 1)
    changes = np.flatnonzero(np.diff(signals.phase4)) + 1
    step = float(signals.time[1] - signals.time[0])
    for rows in np.split(np.arange(len(signals.time)), changes):
        start, stop = float(signals.time[rows[0]]), float(signals.time[rows[-1]]) + step
        name = list(PHASES)[signals.phase4[rows[0]]]
        axes.axvspan(start, stop, color=PHASES[name], lw=0)
        if stop - start > 0.4:
            axes.text(0.5 * (start + stop), 0.46, name, ha="center", va="center", fontsize=8, color=INK)


def _draw_axes(axes: Axes, name: str, unit: str, time: np.ndarray, values: np.ndarray) -> None:
    for colour, column in zip(AXES.values(), values.T, strict=True):
        axes.plot(time, column, color=colour, lw=1.4)
    _legend(axes, [(name, INK), (unit, PALE), *AXES.items()])


def _draw_range(axes: Axes, signals: Signals) -> None:
    """The true range as a line, the readings as dots; a cross where the reading was lost."""
    blocked = np.interp(signals.range_time, signals.time, ~signals.in_sight) > 0.5
    lost = np.isnan(signals.range_reading)
    truth = np.interp(signals.range_time, signals.time, signals.distance)
    shown_at = np.where(lost, truth, signals.range_reading)
    for shown, rows, colour in ((signals.in_sight, ~blocked, IN_SIGHT), (~signals.in_sight, blocked, BLOCKED)):
        axes.plot(signals.time, np.where(shown, signals.distance, np.nan), color=colour, lw=1.6, alpha=0.45)
        axes.plot(signals.range_time[rows & ~lost], shown_at[rows & ~lost], "o", ms=5, color=colour)
        axes.plot(signals.range_time[rows & lost], shown_at[rows & lost], "x", ms=7, mew=2, color=colour)
    axes.margins(y=0.15)
    legend = [("range", INK), ("m", PALE), ("— true", PALE), ("● read", PALE), ("× lost", PALE)]
    _legend(axes, [*legend, ("in sight", IN_SIGHT), ("blocked", BLOCKED)])
