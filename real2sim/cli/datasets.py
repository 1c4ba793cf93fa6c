"""`squat generate`: make simulated datasets."""

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from real2sim.cli.options import add_machine, positive

PRESETS = ("randomised", "paper", "posture", "counting", "small", "stand-in")  # as `generators.recipe` has them


def add_datasets(commands: Any) -> None:
    """Adds the command that makes datasets."""
    generate = commands.add_parser("generate", help="make a simulated dataset")
    drawn = generate.add_mutually_exclusive_group()
    drawn.add_argument("--preset", choices=PRESETS, default="randomised", help="what is drawn (default: %(default)s)")
    drawn.add_argument("--recipe", type=Path, metavar="FILE", help="JSON of a recipe, as `squat info --json` tells it")
    _add_recipe(generate)
    generate.add_argument("--out", type=Path, required=True, help="folder of the dataset; goes on with what is there")
    generate.add_argument("--resume", action="store_true", help="refuse to start a new dataset")
    generate.add_argument("--part", type=_part, default=(1, 1), metavar="K/N", help="make the K-th of N parts only")
    add_machine(generate)
    _add_engines(generate)
    generate.set_defaults(run=_generate)


def _add_recipe(generate: argparse.ArgumentParser) -> None:
    """Adds the options that change a preset."""
    what = generate.add_argument_group("what", "in place of the preset's own")
    what.add_argument("--reps", type=positive, help="repetitions")
    what.add_argument("--seed", type=int, help="of every draw")
    what.add_argument("--rate", type=float, metavar="HZ", help="of the streams")
    what.add_argument("--reps-a-set", type=positive, metavar="N", help="by one wearer")
    what.add_argument("--reps-a-shard", type=positive, metavar="N", help="in a file")
    what.add_argument(
        "--mountings", type=positive, metavar="N", help="watches and phones that record each repetition at once"
    )
    what.add_argument("--exercise", type=_shares, metavar="NAME[=SHARE],...", help="such as squat=2,lunge")
    what.add_argument(
        "--faults",
        type=_names,
        nargs="?",
        const=(),
        metavar="NAME,...",
        help="sets are correct or have some of these faults, of any that the exercise has if none is named",
    )


def _add_engines(generate: argparse.ArgumentParser) -> None:
    """Adds the options that say where the shards are made, and for how long."""
    where = generate.add_argument_group("where")
    where.add_argument(
        "--backend",
        choices=("loky", "dask", "sequential", "warp"),
        default="loky",
        help="processes of this machine, a Dask cluster, this process for debugging, or mujoco_warp on a GPU"
        " (default: %(default)s)",
    )
    where.add_argument("--worlds", type=positive, help="that warp steps at once (default: 1024)")
    where.add_argument("--device", help="for warp, such as cuda:0 or cpu (default: the GPU if there is one)")
    where.add_argument("--scheduler", metavar="ADDRESS", help="of the Dask cluster, such as tcp://10.0.0.1:8786")
    where.add_argument("--cluster", choices=("slurm", "local"), help="submit an array job; local tries it out here")
    where.add_argument("--tasks", type=positive, default=10, help="of the array job (default: %(default)s)")
    where.add_argument("--minutes", type=positive, default=240, help="for a task of the array (default: %(default)s)")
    where.add_argument("--partition", help="of the SLURM cluster")
    where.add_argument("--shard-seconds", type=positive, help="before a shard is given up (default: 60 + 2 a rep)")
    where.add_argument("--memory-gb", type=positive, default=2, help="for a worker (default: %(default)s)")


def _generate(options: argparse.Namespace) -> None:
    from generators.attempts import Limits, default_limits
    from generators.card import write_card
    from generators.produce import produce
    from generators.repetition import make_repetitions
    from generators.store import DatasetError
    from generators.store.plan import PLAN

    recipe = _recipe(options)
    if options.resume and not (options.out / PLAN).exists():
        raise DatasetError(f"{options.out} holds no {PLAN}, expected a dataset to resume; leave out --resume")
    limits = default_limits(recipe.shard_repetitions)
    dataset = produce(
        recipe,
        options.out,
        make=make_repetitions,
        engine=_engine(options),
        limits=Limits(
            seconds=options.shard_seconds or limits.seconds,
            memory_bytes=options.memory_gb << 30,
        ),
        part=options.part,
        progress=not options.quiet,
    )
    write_card(dataset)
    print(f"{len(dataset)} repetitions, {dataset.bytes / 1e6:.1f} MB, digest {dataset.digest}")


def _recipe(options: argparse.Namespace) -> Any:
    """The preset, or the recipe of a file, with what the options say in place of it."""
    from generators.recipe import PRESETS as recipes
    from generators.recipe import Recipe
    from generators.store import DatasetError

    try:
        if not options.recipe:
            return recipes[options.preset](**_changes(options))
        told = json.loads(options.recipe.read_text())
        return replace(Recipe.from_dict(told.get("recipe", told)), **_changes(options))
    except (ValueError, TypeError, AttributeError) as error:
        where = f" of {options.recipe}" if options.recipe else ""
        raise DatasetError(f"this recipe{where} cannot be made: {error}; change it, or the option") from error


def _changes(options: argparse.Namespace) -> dict[str, Any]:
    """What the options say in place of the preset."""
    from squat_env.faults import FaultRanges

    changes = {
        "repetitions": options.reps,
        "seed": options.seed,
        "rate_hz": options.rate,
        "repetitions_a_set": options.reps_a_set,
        "shard_repetitions": options.reps_a_shard,
        "exercises": options.exercise,
        "mountings": options.mountings,
        "physics": "mujoco_warp" if options.backend == "warp" else None,
        "faults": None if options.faults is None else FaultRanges(names=options.faults),
    }
    return {name: value for name, value in changes.items() if value is not None}


def _engine(options: argparse.Namespace) -> Any:
    """Where the options say that the shards are to be made."""
    from generators.cluster import ArrayJob
    from generators.engines import Dask, Loky, Sequential
    from generators.store import DatasetError

    if bool(options.scheduler) != (options.backend == "dask"):
        raise DatasetError(
            f"--backend {options.backend} got the scheduler {options.scheduler}, expected an address with dask and "
            "none otherwise; give both or neither"
        )
    if options.backend == "warp":
        return _warp(options)
    if options.worlds or options.device:
        raise DatasetError(f"--backend {options.backend} got --worlds or --device, expected them with warp alone")
    if options.cluster:
        partition = {"slurm_partition": options.partition} if options.partition else {}
        return ArrayJob(
            cluster=options.cluster, tasks=options.tasks, jobs=options.jobs, minutes=options.minutes, options=partition
        )
    if options.backend == "dask":
        return Dask(scheduler=options.scheduler)
    return Sequential() if options.backend == "sequential" else Loky(jobs=options.jobs)


def _warp(options: argparse.Namespace) -> Any:
    from generators.store import DatasetError
    from generators.warp import WORLDS, Warp

    if options.cluster:
        raise DatasetError(
            f"--backend warp got --cluster {options.cluster}, expected none; make parts with --part K/N, one a GPU, and"
            " merge them"
        )
    return Warp(jobs=options.jobs, worlds=options.worlds or WORLDS, device=options.device)


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(","))


def _shares(text: str) -> tuple[tuple[str, float], ...]:
    """`squat=2,lunge` to pairs; a share that is not said is 1."""
    pairs = []
    for part in text.split(","):
        name, _, share = part.partition("=")
        try:
            pairs.append((name.strip(), float(share or 1)))
        except ValueError:
            raise argparse.ArgumentTypeError(f"{part!r} is not an exercise and its share, such as squat=2") from None
    return tuple(pairs)


def _part(text: str) -> tuple[int, int]:
    """Two numbers such as 2/4."""
    k, _, n = text.partition("/")
    if not (k.isdecimal() and n.isdecimal() and 1 <= int(k) <= int(n)):
        raise argparse.ArgumentTypeError(f"{text} is not a part such as 2/4")
    return int(k), int(n)
