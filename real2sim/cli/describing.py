"""`squat info, export`: what a dataset holds, and the dataset in the forms of other tools."""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from generators.store import Dataset
    from generators.summary import Summary

FORMS = ("parquet", "csv", "minari")  # as `generators.export` has them


def add_describing(commands: Any) -> None:
    """Adds the commands that tell what is in a dataset and hand it on."""
    info = commands.add_parser("info", help="what a dataset holds: counts, shares, distributions, fields")
    info.add_argument("dataset", type=Path)
    info.add_argument("--json", action="store_true", help="print all of it as JSON")
    info.add_argument("--plots", type=Path, metavar="FILE|DIR", help="draw it: one page such as a .png, or a folder")
    info.set_defaults(run=_info)
    export = commands.add_parser("export", help="a dataset as Parquet or CSV tables, or for Minari")
    export.add_argument("dataset", type=Path)
    export.add_argument("--to", choices=FORMS, required=True, help="the form")
    export.add_argument("--out", type=Path, required=True, help="folder to make")
    export.set_defaults(run=_export)


def _info(options: argparse.Namespace) -> None:
    from generators.store import Dataset
    from generators.summary import summarise

    dataset = Dataset(options.dataset)
    summary = summarise(dataset)
    if options.plots:
        _draw(summary, options)
    if options.json:
        told = {"digest": dataset.digest, "bytes": dataset.bytes, "format": dataset.format, "recipe": dataset.recipe}
        print(json.dumps(told | summary.to_dict()))
        return
    _print_counts(dataset, summary)
    for name, value in dataset.recipe.items():
        print(f"recipe.{name:<22} {value}")
    for name, field in dataset.fields.items():
        print(f"{field.group:<11} {name:<34} {field.dtype} {field.shape or ''} {field.unit:<6} {field.meaning}")


def _draw(summary: "Summary", options: argparse.Namespace) -> None:
    from generators.card import write_pictures
    from generators.store import DatasetError

    try:
        written = write_pictures(summary, options.plots)
    except ValueError as error:  # Matplotlib's word on an ending that it does not know
        raise DatasetError(f"{options.plots} cannot be drawn: {error}") from error
    if not options.json:
        print(*written, sep="\n")


def _print_counts(dataset: "Dataset", summary: "Summary") -> None:
    counts = {
        "digest": dataset.digest,
        "format": dataset.format,
        "repetitions": summary.repetitions,
        "mountings": summary.mountings,
        "samples": summary.samples,
        "hours": f"{summary.seconds / 3600:.3g}",
        "bytes": dataset.bytes,
        "shards": len(dataset.shards),
    }
    for name, value in counts.items():
        print(f"{name:<12} {value}")
    if summary.read < summary.repetitions:
        print(f"what follows is of {summary.read} repetitions, evenly spread")
    for title, shares in summary.shares.items():
        print(f"{title:<16} {', '.join(f'{value} {100 * share:.1f} %' for value, share in shares.items())}")
    for title, values in (("faults", summary.faults), ("redraws", summary.redraws), ("missing", summary.missing)):
        seen = {name: value for name, value in values.items() if value > 0}
        if seen:
            print(f"{title:<16} {', '.join(f'{name} {value:.3f}' for name, value in seen.items())}")
    for title, (low, middle, high) in summary.to_dict()["quantities"].items():
        print(f"{title:<34} {low:.3g} to {high:.3g}, median {middle:.3g}")


def _export(options: argparse.Namespace) -> None:
    from generators.export import export
    from generators.store import Dataset

    print(export(Dataset(options.dataset), options.out, options.to))
