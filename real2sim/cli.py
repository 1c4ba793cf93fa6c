"""The `squat` command. Heavy imports happen inside the commands, so that `--help` answers at once."""

import argparse
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

PRESETS = ("randomised", "paper", "stand-in")
CHANNEL_GROUPS = ("watch", "range", "phone")
INTERRUPTED = 130


def main(arguments: list[str] | None = None) -> int:
    """Runs one command; returns the exit status: 0 success, 2 a named error, 130 interrupted."""
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except KeyboardInterrupt as stopped:
        print(f"squat: {stopped if stopped.args else _STOPPED}", file=sys.stderr)
        return INTERRUPTED
    except _named_errors() as error:
        print(f"squat: {_one_line(error)}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader of the output has left
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    return 0


_STOPPED = "stopped; what was finished is kept, the same command goes on from there"


def _named_errors() -> tuple[type[Exception], ...]:
    """Errors that are the user's to mend; everything else is a defect and keeps its traceback."""
    from generators.store import DatasetError
    from real2sim.recordings import RecordingError

    errors: list[type[Exception]] = [DatasetError, RecordingError, FileNotFoundError, PermissionError]
    if "real2sim.run" in sys.modules:
        errors.append(sys.modules["real2sim.run"].RunError)
    return tuple(errors)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="squat", description="Simulate squats seen by a phone and a watch, and use them on real recordings."
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add_demo(commands)
    _add_stages(commands)
    _add_datasets(commands)
    return parser


def _add_demo(commands: Any) -> None:
    demo = commands.add_parser("demo", help="the whole way on stand-in recordings, in a few minutes")
    demo.add_argument("--out", type=Path, default=Path("runs/demo"), help="run folder (default: %(default)s)")
    demo.add_argument("--reps", type=_positive, default=1200, help="simulated repetitions (default: %(default)s)")
    demo.add_argument("--seeds", type=_positive, default=1, help="trainings of every network (default: %(default)s)")
    _add_machine(demo)
    demo.set_defaults(run=_demo)


def _add_stages(commands: Any) -> None:
    for name, purpose in (
        ("run", "everything: simulate, train, convert, evaluate, report"),
        ("train", "simulate where needed, and train every network"),
    ):
        command = commands.add_parser(name, help=purpose)
        _add_run_options(command)
        command.set_defaults(run=_run, stages=("train",) if name == "train" else STAGES)
    for name, purpose in (
        ("convert", "convert the test recordings of a run into the simulated domain"),
        ("evaluate", "the table of a run"),
        ("report", "the report of a run"),
    ):
        command = commands.add_parser(name, help=purpose)
        command.add_argument("--run", dest="out", type=Path, required=True, help="run folder")
        command.add_argument("--again", action="store_true", help="repeat the stage even if it is finished")
        command.add_argument("--json", type=Path, help="write the table to this file")
        _add_machine(command)
        command.set_defaults(run=_stage, stages=(name,))


STAGES = ("train", "convert", "evaluate", "report")


def _add_run_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--real", type=Path, required=True, help="recordings to adapt with (plain folder)")
    command.add_argument("--subjects", type=_numbers, help="people of --real, such as 1-4,7")
    command.add_argument("--test", type=Path, required=True, help="recordings of other people to test on")
    command.add_argument("--test-subjects", type=_numbers, help="people of --test")
    command.add_argument("--exercise", help="recordings of this exercise only")
    command.add_argument("--sim", type=Path, help="a simulated dataset to use instead of a new one")
    command.add_argument("--reps", type=_positive, default=3000, help="simulated repetitions (default: %(default)s)")
    command.add_argument("--labels", type=_positive, default=20, help="labelled repetitions (default: %(default)s)")
    command.add_argument(
        "--channels",
        type=_groups,
        help="of watch,range,phone joined by commas (default: watch, and range where it was recorded)",
    )
    command.add_argument("--seed", type=int, default=0, help="of every draw (default: %(default)s)")
    command.add_argument("--seeds", type=_positive, default=3, help="trainings of each network (default: %(default)s)")
    command.add_argument("--out", type=Path, required=True, help="run folder; a finished stage is not repeated")
    command.add_argument("--json", type=Path, help="write the table to this file")
    _add_machine(command)


def _add_datasets(commands: Any) -> None:
    generate = commands.add_parser("generate", help="make a simulated dataset")
    generate.add_argument(
        "--preset", choices=PRESETS, default="randomised", help="what is drawn (default: %(default)s)"
    )
    generate.add_argument("--reps", type=_positive, default=3000, help="repetitions (default: %(default)s)")
    generate.add_argument("--seed", type=int, default=0, help="of every draw (default: %(default)s)")
    generate.add_argument("--rate", type=float, default=20.0, help="of the streams in Hz (default: %(default)s)")
    generate.add_argument("--reps-a-set", type=_positive, default=1, help="by one wearer (default: %(default)s)")
    generate.add_argument("--out", type=Path, required=True, help="folder of the dataset")
    _add_machine(generate)
    generate.set_defaults(run=_generate)
    info = commands.add_parser("info", help="what a dataset holds")
    info.add_argument("dataset", type=Path)
    info.add_argument("--json", action="store_true", help="print digest, repetitions, bytes and recipe as JSON")
    info.set_defaults(run=_info)
    verify = commands.add_parser("verify", help="name every damage in a dataset")
    verify.add_argument("dataset", type=Path)
    verify.set_defaults(run=_verify)


def _add_machine(command: argparse.ArgumentParser) -> None:
    command.add_argument("--jobs", type=_positive, default=os.cpu_count() or 1, help="processes (default: all cores)")
    command.add_argument("--quiet", action="store_true", help="no progress")


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a number from 1")
    return value


def _numbers(text: str) -> tuple[int, ...]:
    """`1-4,7` to (1, 2, 3, 4, 7)."""
    numbers: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.partition("-")
        last = last if dash else first
        if not (first.isdecimal() and last.isdecimal() and int(first) <= int(last)):
            raise argparse.ArgumentTypeError(f"{text!r} is not a list of people such as 1-4,7")
        numbers.update(range(int(first), int(last) + 1))
    return tuple(sorted(numbers))


def _groups(text: str) -> tuple[str, ...]:
    groups = tuple(text.replace("+", ",").split(","))
    if not set(groups) <= set(CHANNEL_GROUPS):
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of {', '.join(CHANNEL_GROUPS)}")
    return tuple(group for group in CHANNEL_GROUPS if group in groups)


def _demo(options: argparse.Namespace) -> None:
    from real2sim.pipeline import demo

    _print_run(demo(options.out, reps=options.reps, seeds=options.seeds, jobs=options.jobs, progress=not options.quiet))


def _run(options: argparse.Namespace) -> None:
    from real2sim.pipeline import complete
    from real2sim.run import Config, Run

    config = Config(
        real=str(options.real.resolve()),
        subjects=options.subjects,
        test=str(options.test.resolve()),
        test_subjects=options.test_subjects,
        exercise=options.exercise,
        sim=str(options.sim.resolve()) if options.sim else None,
        reps=options.reps,
        labels=options.labels,
        channels=options.channels,
        seed=options.seed,
        seeds=options.seeds,
    )
    run = Run.start(options.out, config)
    complete(run, options.stages, jobs=options.jobs, progress=not options.quiet, json_file=options.json)
    if "evaluate" in options.stages:
        _print_run(run)


def _stage(options: argparse.Namespace) -> None:
    from real2sim.pipeline import complete
    from real2sim.run import Run

    run = Run.open(options.out)
    complete(
        run,
        options.stages,
        jobs=options.jobs,
        progress=not options.quiet,
        json_file=options.json,
        again=options.again,
    )
    if options.stages == ("evaluate",):
        _print_run(run)


def _print_run(run: Any) -> None:
    from real2sim.evaluation import format_table

    print(format_table(run.results()))
    if run.report.exists():
        print(f"\nreport: {run.report}")


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


if __name__ == "__main__":
    sys.exit(main())
