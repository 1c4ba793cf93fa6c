"""The page of a validation: plots and tables for people who would rather look. The table as text, and as JSON."""

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import resources
from typing import Any

import jinja2
import matplotlib
import numpy as np
from matplotlib.figure import Figure

from real2sim.validation.comparison import Comparison, CurveComparison, Spread, outside
from real2sim.validation.published import Held
from real2sim.validation.quantities import CURVES

PEOPLE, SIMULATION = "#c2410c", "#2b6cb0"
REACH = 1.5  # how far beyond the band a value is drawn, in widths of the band

matplotlib.use("Agg")


@dataclass(frozen=True, kw_only=True, eq=False)
class Validation:
    """Everything that a validation found.

    Attributes:
        facts: What was compared: repetitions, seed, recordings and people.
        comparisons, curves: With people; empty without recordings.
        held: With published bands.
    """

    facts: Mapping[str, Any]
    comparisons: Sequence[Comparison]
    curves: Sequence[CurveComparison]
    held: Sequence[Held]

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form."""
        return {
            "facts": dict(self.facts),
            "quantities": [_plain(item) for item in self.comparisons],
            "outside": [item.quantity.name for item in outside(self.comparisons)],
            "curves": {item.name: {"coverage": item.coverage} for item in self.curves},
            "bands": [asdict(item) | {"assumed": item.band.assumed} for item in self.held],
        }


def _plain(item: Comparison) -> dict[str, Any]:
    return asdict(item) | {"coverage": item.coverage, "verdict": item.verdict}


def table_text(validation: Validation) -> str:
    """The tables as text."""
    parts = []
    if validation.comparisons:
        rows = [_row(item) for item in validation.comparisons]
        head = ("quantity", "unit", "people 10/50/90 %", "simulation 10/50/90 %", "covered", "people out", "verdict")
        parts.append(_aligned([head, *rows]))
        head = ("curve", "covered")
        parts.append(_aligned([head, *((CURVES[item.name], f"{item.coverage:.0%}") for item in validation.curves)]))
        worst = [
            (f"{item.coverage:.0%}", item.quantity.meaning, item.verdict) for item in outside(validation.comparisons)
        ]
        title = "where real people lie outside, the worst first" if worst else "people lie outside nowhere"
        parts.append("\n".join([title, _aligned(worst)] if worst else [title]))
    head = ("quantity", "unit", "band", "simulation 10/50/90 %", "inside", "source")
    parts.append(_aligned([head, *(_held_row(item) for item in validation.held)]))
    return "\n\n".join(parts)


def _row(item: Comparison) -> tuple[str, ...]:
    return (
        item.quantity.name,
        item.quantity.unit,
        _three(item.real),
        _three(item.simulated),
        f"{item.coverage:.0%}",
        f"{item.people_outside} of {item.people}",
        item.verdict,
    )


def _held_row(item: Held) -> tuple[str, ...]:
    band = f"{item.band.low:g} to {item.band.high:g}"
    return item.band.name, item.unit, band, _three(item.simulated), f"{item.inside:.0%}", item.band.source


def _three(spread: Spread) -> str:
    return " / ".join(_number(value) for value in (spread.low, spread.middle, spread.high))


def _number(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}" if abs(value) >= 0.0005 else "0"


def _aligned(rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def page(validation: Validation) -> str:
    """One self-contained HTML page."""
    groups = dict.fromkeys(item.quantity.group for item in validation.comparisons)
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    template = resources.files("real2sim.validation").joinpath("page.html.j2").read_text(encoding="utf-8")
    return environment.from_string(template).render(
        facts=validation.facts,
        curves=_picture(draw_curves(validation.curves)) if validation.curves else "",
        groups=[_group(group, [c for c in validation.comparisons if c.quantity.group == group]) for group in groups],
        outside=[(f"{c.coverage:.0%}", c.quantity.meaning, c.verdict) for c in outside(validation.comparisons)],
        held=[(*_held_row(item)[1:], item.meaning) for item in validation.held],
    )


def _group(name: str, comparisons: Sequence[Comparison]) -> dict[str, Any]:
    rows = [(item.quantity.meaning, *_row(item)[1:]) for item in comparisons]
    return {"name": name, "rows": rows, "picture": _picture(draw_group(comparisons))}


def _picture(figure: Figure) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, bbox_inches="tight")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def draw_curves(curves: Sequence[CurveComparison]) -> Figure:
    """Every curve over the repetition, people on top of the simulation."""
    rows = -(-len(curves) // 2)
    figure = Figure(figsize=(9.5, 3.2 * rows))
    panels = figure.subplots(rows, 2, squeeze=False).flat
    for panel, item in zip(panels, curves, strict=False):
        share = np.linspace(0.0, 100.0, item.real.shape[1])
        panel.fill_between(share, *item.band, color=SIMULATION, alpha=0.12, lw=0, label="simulation, 5-95 %")
        for spread, colour, who in ((item.simulated, SIMULATION, "simulation"), (item.real, PEOPLE, "people")):
            panel.fill_between(share, spread[0], spread[2], color=colour, alpha=0.25, lw=0, label=f"{who}, 10-90 %")
            panel.plot(share, spread[1], color=colour, lw=1.8, label=f"{who}, median")
        panel.set(xlabel="share of the repetition [%]", ylabel=CURVES[item.name])
        panel.set_title(f"{item.coverage:.0%} of the people's samples inside", fontsize=9)
    figure.axes[0].legend(fontsize=7, frameon=False)
    for panel in figure.axes[len(curves) :]:
        panel.remove()
    figure.tight_layout()
    return figure


def draw_group(comparisons: Sequence[Comparison]) -> Figure:
    """People (10-50-90 %) against the simulation's central 90 %, which every row stretches to the same width."""
    figure = Figure(figsize=(8, 0.34 * len(comparisons) + 0.9))
    panel = figure.subplots()
    panel.axvspan(0.0, 1.0, color=SIMULATION, alpha=0.15, lw=0)
    for row, item in enumerate(comparisons):
        low, high = item.band
        width = max(high - low, 1e-12)
        people, made = (
            np.clip((np.array([s.low, s.middle, s.high]) - low) / width, -REACH, 1.0 + REACH)
            for s in (item.real, item.simulated)
        )
        panel.plot(made[[0, 2]], [row + 0.16] * 2, color=SIMULATION, lw=3, solid_capstyle="butt")
        panel.plot(made[1], row + 0.16, "o", color=SIMULATION, ms=4)
        panel.plot(people[[0, 2]], [row - 0.16] * 2, color=PEOPLE, lw=3, solid_capstyle="butt")
        panel.plot(people[1], row - 0.16, "o", color=PEOPLE, ms=4)
    names = [f"{item.quantity.meaning}" for item in comparisons]
    panel.set(yticks=range(len(names)), yticklabels=names, xlim=(-REACH - 0.1, 1.1 + REACH), xticks=(0, 1))
    panel.set_xticklabels(["simulation 5 %", "95 %"])
    panel.tick_params(labelsize=8)
    panel.invert_yaxis()
    return figure
