"""Pictures of the report about what conversion did (`real2sim.evidence`) and how many labels it takes."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from real2sim.evaluation import Result

COLOURS = {"simulated": "#1c2024", "real": "#d9822b", "converted": "#2b6cb0"}
ROW_COLOURS = {"two-encoder": "#2b6cb0", "fine-tuned": "#d9822b", "real-only": "#6b7280"}
UNITS = {"accelerometer": "m/s²", "gyroscope": "rad/s", "range": "m"}


def label_curve(results: list[Result], budget: int) -> dict[str, list[tuple[str, Result]]]:
    """Rows that were trained with several budgets: (labels, result) of each, from few to all."""
    found: dict[str, list[tuple[str, Result]]] = {}
    for result in results:
        base, _, labels = result.row.partition("@")
        if base in ROW_COLOURS:
            found.setdefault(base, []).append((labels or str(budget), result))
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
