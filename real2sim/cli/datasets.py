"""`squat generate, info, verify`: simulated datasets."""

import argparse
import json
from pathlib import Path
from typing import Any

from real2sim.cli.options import add_machine, positive

PRESETS = ("randomised", "paper", "stand-in")


def add_datasets(commands: Any) -> None:
    """Adds the commands about datasets."""
    generate = commands.add_parser("generate", help="make a simulated dataset")
    generate.add_argument(
        "--preset", choices=PRESETS, default="randomised", help="what is drawn (default: %(default)s)"
    )
    generate.add_argument("--reps", type=positive, default=3000, help="repetitions (default: %(default)s)")
    generate.add_argument("--seed", type=int, default=0, help="of every draw (default: %(default)s)")
    generate.add_argument("--rate", type=float, default=20.0, help="of the streams in Hz (default: %(default)s)")
    generate.add_argument("--reps-a-set", type=positive, default=1, help="by one wearer (default: %(default)s)")
    generate.add_argument("--out", type=Path, required=True, help="folder of the dataset")
    add_machine(generate)
    generate.set_defaults(run=_generate)
    info = commands.add_parser("info", help="what a dataset holds")
    info.add_argument("dataset", type=Path)
    info.add_argument("--json", action="store_true", help="print digest, repetitions, bytes and recipe as JSON")
    info.set_defaults(run=_info)
    verify = commands.add_parser("verify", help="name every damage in a dataset")
    verify.add_argument("dataset", type=Path)
    verify.set_defaults(run=_verify)


def _generate(options: argparse.Namespace) -> None:
    from generators.produce import produce
    from generators.recipe import PRESETS as recipes
    from generators.repetition import make_repetitions
    from generators.store import DatasetError

    try:
        recipe = recipes[options.preset](
            repetitions=options.reps, seed=options.seed, rate_hz=options.rate, repetitions_a_set=options.reps_a_set
        )
    except ValueError as error:
        raise DatasetError(f"this recipe cannot be made: {error}; change the option") from error
    dataset = produce(recipe, options.out, make=make_repetitions, jobs=options.jobs, progress=not options.quiet)
    print(f"{len(dataset)} repetitions, {dataset.bytes / 1e6:.1f} MB, digest {dataset.digest}")


def _info(options: argparse.Namespace) -> None:
    from generators.store import Dataset

    dataset = Dataset(options.dataset)
    facts = {
        "digest": dataset.digest,
        "repetitions": len(dataset),
        "bytes": dataset.bytes,
        "recipe": dict(dataset.recipe),
    }
    if options.json:
        print(json.dumps(facts))
        return
    for name in ("digest", "repetitions", "bytes"):
        print(f"{name:<12} {facts[name]}")
    for name, value in facts["recipe"].items():
        print(f"recipe.{name:<22} {value}")
    for name, field in dataset.fields.items():
        print(f"{field.group:<11} {name:<34} {field.dtype} {field.shape or ''} {field.unit:<6} {field.meaning}")


def _verify(options: argparse.Namespace) -> None:
    from generators.store import DatasetError, verify

    damage = verify(options.dataset)
    for line in damage:
        print(line)
    if damage:
        raise DatasetError(
            f"{options.dataset} has {len(damage)} damaged or misplaced parts, expected none; make it again with"
            " `squat generate`, which keeps what is sound"
        )
    print("sound")
