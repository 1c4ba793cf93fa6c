"""The card of a dataset: a README with counts, recipe, versions and pictures, for whoever is handed the folder."""

import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from generators.store import Dataset
from generators.store.atomic import write_atomically
from generators.summary import Summary, summarise

CARD, PICTURE = "README.md", "README.png"
LICENCE = "MIT"
_COLUMNS = 4
_BLUE = "#3b6ea5"

Panel = Callable[[Axes], None]


def write_card(dataset: Dataset) -> None:
    """Writes the card and its picture into a dataset's folder, each whole or not at all.

    Neither is part of the digest, and `verify` passes over them.

    Raises:
        DiskError: No room, or no permission.
    """
    summary = summarise(dataset)
    write_atomically(dataset.folder / PICTURE, draw(summary))
    write_atomically(dataset.folder / CARD, card(dataset, summary).encode())


def card(dataset: Dataset, summary: Summary) -> str:
    """The text of the card, Markdown with the header that dataset hubs read."""
    recipe = dataset.recipe
    name = str(recipe.get("name", dataset.folder.name))
    most = "" if summary.read == summary.repetitions else f" (of {summary.read} repetitions)"
    parts = [
        f"---\nlicense: {LICENCE.lower()}\npretty_name: {json.dumps(name)}\ntags: [wearable, IMU, UWB, exercise]\n---",
        f"# {name}\nSimulated repetitions of exercises, recorded by a phone and a watch. Licence: {LICENCE}.",
        _table(("", ""), _facts(dataset, summary)),
        f"![distributions]({PICTURE})",
        f"## Shares{most}",
        _table(("", "share"), {t: _listed(shares) for t, shares in summary.shares.items()}),
        _section("Faults", "share of the repetitions that have it", summary.faults),
        _section("Draws refused and made again", "a repetition", summary.redraws),
        _section("Missing values", "share", summary.missing),
        "## Reading\n```python\nfrom generators.store import Dataset\n\n"
        'dataset = Dataset(".")\nprint(dataset, dataset[0], dataset.read("watch_accel", 0, 10).shape)\n```',
        f"## Recipe\n```json\n{json.dumps(recipe, indent=1, sort_keys=True)}\n```",
        f"## Versions\n```json\n{json.dumps(dataset.versions, indent=1)}\n```",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _facts(dataset: Dataset, summary: Summary) -> dict[str, str]:
    return {
        "repetitions": f"{summary.repetitions}",
        "mountings at once": f"{summary.mountings}",
        "samples": f"{summary.samples}",
        "hours": f"{summary.seconds / 3600:.2f}",
        "bytes": f"{dataset.bytes}",
        "shards": f"{len(dataset.shards)}",
        "format": dataset.format,
        "digest": f"`{dataset.digest}`",
    }


def _table(head: tuple[str, str], rows: Mapping[str, str]) -> str:
    return "\n".join([f"| {head[0]} | {head[1]} |", "|---|---|", *(f"| {k} | {v} |" for k, v in rows.items())])


def _section(title: str, unit: str, values: Mapping[str, float]) -> str:
    rows = {name: f"{value:.4f}" for name, value in values.items() if value > 0}
    return f"## {title}\n{_table(('', unit), rows)}" if rows else ""


def _listed(shares: Mapping[str, float]) -> str:
    ordered = sorted(shares.items(), key=lambda item: -item[1])
    return ", ".join(f"{name} {100 * share:.1f} %" for name, share in ordered)


def panels(summary: Summary) -> dict[str, Panel]:
    """What can be drawn of a summary: by title, a function that draws it into axes."""
    bars = {title: shares for title, shares in summary.shares.items() if len(shares) > 1}
    bars |= {"faults": _seen(summary.faults), "redraws a repetition": _seen(summary.redraws)}
    found: dict[str, Panel] = {title: _bars(title, values) for title, values in bars.items() if values}
    return found | {title: _histogram(title, values) for title, values in summary.quantities.items()}


def draw(summary: Summary, *, format: str = "png") -> bytes:
    """All panels on one page.

    Args:
        summary: Of a dataset.
        format: As Matplotlib names it.
    """
    found = panels(summary)
    rows = -(-len(found) // _COLUMNS)
    figure = Figure(figsize=(3.4 * _COLUMNS, 2.6 * max(rows, 1)), layout="constrained")
    for number, panel in enumerate(found.values(), start=1):
        panel(figure.add_subplot(rows, _COLUMNS, number))
    return _saved(figure, format)


def draw_each(summary: Summary, *, format: str = "png") -> dict[str, bytes]:
    """Each panel as a picture of its own, by title."""
    pictures = {}
    for title, panel in panels(summary).items():
        figure = Figure(figsize=(4.4, 3.2), layout="constrained")
        panel(figure.add_subplot())
        pictures[title] = _saved(figure, format)
    return pictures


def write_pictures(summary: Summary, target: Path) -> list[Path]:
    """Writes one page where the target has an ending, a folder of pictures where it has none."""
    if target.suffix:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(target, draw(summary, format=target.suffix[1:]))
        return [target]
    target.mkdir(parents=True, exist_ok=True)
    written = []
    for title, picture in draw_each(summary).items():
        written.append(target / f"{'_'.join(title.partition(' [')[0].split())}.png")
        write_atomically(written[-1], picture)
    return written


def _saved(figure: Figure, format: str) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format=format, dpi=100)
    return buffer.getvalue()


def _seen(values: Mapping[str, float]) -> dict[str, float]:
    return {name: value for name, value in values.items() if value > 0}


def _bars(title: str, values: Mapping[str, float]) -> Panel:
    def panel(axes: Axes) -> None:
        names = list(values)
        axes.barh(np.arange(len(names)), [values[name] for name in names], color=_BLUE)
        axes.set_yticks(np.arange(len(names)), names, fontsize=7)
        axes.invert_yaxis()
        axes.set_title(title, fontsize=9)

    return panel


def _histogram(title: str, values: np.ndarray) -> Panel:
    def panel(axes: Axes) -> None:
        low, high = np.percentile(values, [0.1, 99.9])
        axes.hist(values, bins=40, range=(low, high if high > low else low + 1.0), color=_BLUE)
        axes.set_yticks([])
        axes.set_title(title, fontsize=9)

    return panel
