"""`squat verify, repair, merge`: keep datasets whole."""

import argparse
from pathlib import Path
from typing import Any

from real2sim.cli.options import add_machine


def add_upkeep(commands: Any) -> None:
    """Adds the commands that check, mend and join datasets."""
    verify = commands.add_parser("verify", help="name every damage in a dataset")
    verify.add_argument("dataset", type=Path)
    verify.set_defaults(run=_verify)
    repair = commands.add_parser("repair", help="make what is missing or damaged in a dataset again")
    repair.add_argument("dataset", type=Path)
    add_machine(repair)
    repair.set_defaults(run=_repair)
    merge = commands.add_parser("merge", help="join datasets that were made apart from one recipe")
    merge.add_argument("datasets", type=Path, nargs="+")
    merge.add_argument("--out", type=Path, required=True, help="folder of the whole dataset")
    merge.add_argument("--copy", action="store_true", help="copy the files, where they would get a second name")
    merge.set_defaults(run=_merge)


def _verify(options: argparse.Namespace) -> None:
    from generators.store import DatasetError, verify

    damage = verify(options.dataset)
    for line in damage:
        print(line)
    if damage:
        raise DatasetError(
            f"{options.dataset} has {len(damage)} damaged or misplaced parts, expected none; `squat repair` makes them"
            " again and keeps what is sound"
        )
    print("sound")


def _repair(options: argparse.Namespace) -> None:
    from generators.card import write_card
    from generators.engines import Engine, Loky
    from generators.produce import repair
    from generators.recipe import Recipe
    from generators.repetition import make_repetitions
    from generators.warp import Warp

    def engine_of(recipe: Recipe) -> Engine:
        return Loky(jobs=options.jobs) if recipe.physics == "mujoco" else Warp(jobs=options.jobs)

    dataset = repair(
        options.dataset,
        recipe_of=Recipe.from_dict,
        make=make_repetitions,
        engine_of=engine_of,
        progress=not options.quiet,
    )
    write_card(dataset)
    print(f"{len(dataset)} repetitions, {dataset.bytes / 1e6:.1f} MB, digest {dataset.digest}")


def _merge(options: argparse.Namespace) -> None:
    from generators.card import write_card
    from generators.merge import merge

    dataset = merge(options.datasets, options.out, copy=options.copy)
    write_card(dataset)
    print(f"{len(dataset)} repetitions, {dataset.bytes / 1e6:.1f} MB, digest {dataset.digest}")
