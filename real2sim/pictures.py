"""Pictures of the report: what was simulated, what conversion did (`real2sim.evidence`), how many labels it takes."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from generators.store import Dataset
from real2sim.evaluation import Result
from real2sim.rows import budget_of

COLOURS = {"simulated": "#1c2024", "real": "#d9822b", "converted": "#2b6cb0"}
ROW_COLOURS = {"two-encoder": "#2b6cb0", "fine-tuned": "#d9822b", "real-only": "#6b7280"}
UNITS = {"accelerometer": "m/s²", "gyroscope": "rad/s", "range": "m"}
DRAWN = {
    "body.height_m": "height [m]",
    "body.mass_kg": "mass [kg]",
    "motion.knee_flexion_deg": "knee flexion [deg]",
    "motion.lean_deg": "trunk lean [deg]",
    "motion.stance": "stance / shoulder width",
    "motion.cycle.descent_s": "descent [s]",
    "motion.sway_deg": "sway [deg]",
    "motion.arms": "arms",
    "placement.phone.along": "phone along the thigh",
    "placement.phone.turn_deg": "phone turned [deg]",
    "placement.watch.azimuth_deg": "strap rotation [deg]",
    "placement.watch.side": "watch on the wrist",
}


def label_curve(results: list[Result], budget: int) -> dict[str, list[tuple[str, Result]]]:
    """Rows that were trained with several budgets: (labels, result) of each, from few to all."""
    found: dict[str, list[tuple[str, Result]]] = {}
    for result in results:
        base = result.row.partition("@")[0]
        if base in ROW_COLOURS:
            found.setdefault(base, []).append((budget_of(result.row, budget), result))
    few_first = {
        base: sorted(points, key=lambda point: float("inf") if point[0] == "all" else float(point[0]))
        for base, points in found.items()
    }
    return few_first if any(len(points) > 1 for points in few_first.values()) else {}


def draw_label_curve(curve: Mapping[str, list[tuple[str, Result]]], without: Result | None) -> Figure:
    """Accuracy over the number of labelled repetitions, and that of the simulation alone as a line."""
    budgets = sorted({labels for points in curve.values() for labels, _ in points if labels != "all"}, key=int)
    budgets += ["all"] if any(labels == "all" for points in curve.values() for labels, _ in points) else []
    figure = Figure(figsize=(8, 3.4))
    axes = figure.subplots()
    for number, (row, points) in enumerate(curve.items()):
        x = np.array([budgets.index(labels) for labels, _ in points]) + 0.06 * (number - 1)
        accuracy = 100 * np.array([result.accuracy for _, result in points])
        spread = np.abs(100 * np.array([result.interval for _, result in points]).T - accuracy)
        axes.errorbar(x, accuracy, yerr=spread, color=ROW_COLOURS[row], marker="o", ms=4, capsize=2, lw=1.3, label=row)
    if without is not None:
        axes.axhline(100 * without.accuracy, color="#888", ls=":", lw=1.3, label="simulation alone")
    axes.set(xticks=range(len(budgets)), xticklabels=budgets, xlabel="labelled repetitions", ylabel="accuracy [%]")
    axes.legend(fontsize=8, frameon=False)
    return figure


def draw_errors(errors: Mapping[str, np.ndarray], down: np.ndarray) -> Figure:
    """Share of samples read wrongly over the course of a repetition, by row; grey: mostly labelled down."""
    figure = Figure(figsize=(8, 2.8))
    axes = figure.subplots()
    middle = 100 * (np.arange(len(down)) + 0.5) / len(down)
    for name, values in errors.items():
        axes.plot(
            middle, 100 * values, color=COLOURS["converted" if name == "converted" else "real"], lw=1.6, label=name
        )
    top = max(1.0, float(np.nanmax([100 * np.nanmax(values) for values in errors.values()])) * 1.1)
    axes.fill_between(middle, 0, top, where=np.nan_to_num(down) > 0.5, color="#ddd", lw=0, zorder=0)
    axes.set(xlabel="part of the repetition [%]", ylabel="read wrongly [%]", xlim=(0, 100), ylim=(0, top))
    axes.legend(fontsize=8, frameon=False)
    return figure


def draw_spectra(spectra: Mapping[str, Mapping[str, np.ndarray]], rate_hz: float) -> Figure:
    """Amplitude over frequency of each kind of signal, of simulated, real and converted windows."""
    figure = Figure(figsize=(9, 2.8))
    for axes, (kind, domains) in zip(np.atleast_1d(figure.subplots(1, len(spectra))), spectra.items(), strict=True):
        for name, amplitude in domains.items():
            frequency = np.linspace(0, rate_hz / 2, len(amplitude))
            axes.semilogy(frequency[1:], amplitude[1:], color=COLOURS[name], lw=1.4, label=name)
        axes.set(xlabel="frequency [Hz]", title=f"{kind} [{UNITS[kind]}]")
        axes.title.set_fontsize(9)
        axes.tick_params(labelsize=7)
    figure.axes[0].legend(fontsize=7, frameon=False)
    figure.tight_layout()
    return figure


def draw_latents(latents: Mapping[str, Mapping[str, np.ndarray]]) -> Figure:
    """Windows in the two main directions of content and of style."""
    figure = Figure(figsize=(9, 3.6))
    for axes, (latent, domains) in zip(figure.subplots(1, 2), latents.items(), strict=True):
        for name, points in domains.items():
            axes.plot(*points.T, ".", ms=4, alpha=0.45, color=COLOURS[name], label=name)
        axes.set(title=latent, xticks=[], yticks=[])
    figure.axes[0].legend(fontsize=8, frameon=False, markerscale=2)
    return figure


def draw_distances(distances: Mapping[str, float]) -> Figure:
    """How well pairs of domains are told apart."""
    figure = Figure(figsize=(8, 0.5 * len(distances) + 0.7))
    axes = figure.subplots()
    axes.barh(range(len(distances)), [100 * value for value in distances.values()], color="#9aa5b1", height=0.6)
    axes.axvline(50, color="#888", ls=":", lw=1)
    axes.set(yticks=range(len(distances)), yticklabels=list(distances), xlim=(0, 100), xlabel="told apart [%]")
    axes.invert_yaxis()
    return figure


def draw_repetition(dataset: Dataset, index: int) -> Figure:
    """One repetition: the body at six moments, the watch's signals, the range and the phases."""
    repetition = dataset[index]
    sample = repetition.sample
    time = sample["time"]
    figure = Figure(figsize=(9, 6.2))
    grid = figure.add_gridspec(4, 6, height_ratios=(2.2, 1, 1, 1))
    for column, k in enumerate(np.linspace(0, len(time) - 1, 6).astype(int)):
        axes = figure.add_subplot(grid[0, column])
        _draw_body(axes, sample["landmarks"][k])
        axes.set_title(f"{time[k]:.1f} s", fontsize=8)
    signals = [figure.add_subplot(grid[row, :]) for row in (1, 2, 3)]
    signals[0].plot(time, sample["watch_accel"], lw=1)
    signals[0].set_ylabel("watch accel\n[m/s²]", fontsize=8)
    signals[1].plot(time, sample["watch_gyro"], lw=1)
    signals[1].set_ylabel("watch gyro\n[rad/s]", fontsize=8)
    signals[2].plot(time, sample["range_ideal"], color="#888", lw=1, label="true")
    signals[2].plot(repetition.range["range_time"], repetition.range["range_reading"], "o", ms=3, label="read")
    blocked = sample["line_of_sight"] == 0
    signals[2].plot(time[blocked], sample["range_ideal"][blocked], ".", ms=3, color="#c53030", label="blocked")
    signals[2].set_ylabel("range [m]", fontsize=8)
    signals[2].set_xlabel("time [s]")
    signals[2].legend(ncols=3, fontsize=7, frameon=False)
    for axes in signals:
        axes.tick_params(labelbottom=axes is signals[-1])
        low, high = axes.get_ylim()
        axes.fill_between(time, low, high, where=sample["phase"] == 0, color="#ddd", lw=0, zorder=0)
        axes.set_ylim(low, high)
    return figure


# pairs of landmarks: trunk, arms, legs, feet; indices of the 17 landmarks
_BONES = ((0, 1), (0, 2), (1, 2), (1, 3), (2, 4), (3, 5), (4, 6), (1, 7), (2, 8), (7, 8), (7, 9), (8, 10))
_BONES += ((9, 11), (10, 12), (11, 13), (12, 14), (13, 15), (14, 16))
_FEET = [13, 14, 15, 16]


def _draw_body(axes, landmarks: np.ndarray) -> None:
    """The body from an oblique side, over its feet wherever it has walked."""
    across = landmarks[:, 0] * 0.9 - landmarks[:, 1] * 0.45
    across = across - across[_FEET].mean()
    for one, other in _BONES:
        axes.plot(across[[one, other]], landmarks[[one, other], 2], color="#2b6cb0", lw=1.8, solid_capstyle="round")
    axes.plot(across[0], landmarks[0, 2], "o", color="#2b6cb0", ms=5)
    axes.axhline(0, color="#888", lw=1)
    axes.set(xlim=(-0.9, 0.9), ylim=(-0.05, 2.3), aspect="equal")
    axes.axis("off")


def draw_draws(dataset: Dataset) -> Figure:
    """Histograms of what was drawn."""
    figure = Figure(figsize=(9, 6))
    for axes, (name, label) in zip(figure.subplots(3, 4).flat, DRAWN.items(), strict=True):
        values = dataset.read(f"drawn/{name}")
        if values.dtype.kind in "US":
            names, counts = np.unique(values, return_counts=True)
            axes.barh(range(len(names)), counts, color="#9aa5b1")
            axes.set_yticks(range(len(names)), [str(n) for n in names], fontsize=6)
        else:
            axes.hist(values, bins=30, color="#9aa5b1")
            axes.set_yticks([])
        axes.set_xlabel(label, fontsize=8)
        axes.tick_params(labelsize=7)
    figure.tight_layout()
    return figure
