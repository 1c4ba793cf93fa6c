"""`squat demo, run, train, convert, evaluate, report`: a run and its stages."""

import argparse
import json
from pathlib import Path
from typing import Any

from real2sim.cli.options import add_machine, positive
from real2sim.cli.using import add_recordings

CHANNEL_GROUPS = ("watch", "range", "phone")


def add_demo(commands: Any) -> None:
    """Adds `squat demo`."""
    demo = commands.add_parser("demo", help="the whole way on stand-in recordings, in a few minutes")
    demo.add_argument("--out", type=Path, default=Path("runs/demo"), help="run folder (default: %(default)s)")
    demo.add_argument("--reps", type=positive, default=1200, help="simulated repetitions (default: %(default)s)")
    demo.add_argument("--seeds", type=positive, default=1, help="trainings of every network (default: %(default)s)")
    add_machine(demo)
    _add_device(demo)
    demo.set_defaults(run=_demo)


def add_stages(commands: Any) -> None:
    """Adds the commands about a run and its stages."""
    for name, purpose in (
        ("run", "everything: simulate, train, convert, evaluate, report"),
        ("train", "simulate where needed, and train every network"),
    ):
        command = commands.add_parser(name, help=purpose)
        _add_run_options(command)
        command.set_defaults(run=_run, stages=("train",) if name == "train" else STAGES)
    for name, purpose in (
        ("convert", "convert recordings, by default the test recordings of a run, into the simulated domain"),
        ("evaluate", "the table of a run"),
        ("report", "the report of a run"),
    ):
        command = commands.add_parser(name, help=purpose)
        command.add_argument("--run", dest="folder", type=Path, required=True, help="run folder")
        command.add_argument("--again", action="store_true", help="repeat the stage even if it is finished")
        command.add_argument("--json", type=Path, help="write the table to this file")
        add_machine(command)
        command.set_defaults(run=_stage, stages=(name,))
        if name == "convert":
            add_recordings(command)


STAGES = ("train", "convert", "evaluate", "questions", "report")


def _add_run_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--real", type=Path, required=True, help="recordings to adapt with (plain folder)")
    command.add_argument("--subjects", type=_numbers, help="people of --real, such as 1-4,7")
    command.add_argument("--test", type=Path, help="recordings of other people to test on")
    command.add_argument("--test-subjects", type=_numbers, help="people of --test")
    command.add_argument(
        "--folds", type=positive, help="instead of --test: deal the people of --real into so many parts, test each once"
    )
    command.add_argument("--exercise", help="recordings of this exercise only")
    command.add_argument("--sim", type=Path, help="a simulated dataset to use instead of a new one")
    command.add_argument("--reps", type=positive, default=3000, help="simulated repetitions (default: %(default)s)")
    command.add_argument("--labels", type=positive, default=20, help="labelled repetitions (default: %(default)s)")
    command.add_argument(
        "--channels", type=_groups, help="of watch,range,phone joined by commas (default: all that were recorded)"
    )
    command.add_argument(
        "--placement",
        type=_names,
        help="places of the simulated phone, such as front_pocket,hand (default: as recorded)",
    )
    command.add_argument("--rate", type=float, default=20.0, help="of the windows in Hz (default: %(default)g)")
    command.add_argument("--seed", type=int, default=0, help="of every draw (default: %(default)s)")
    command.add_argument("--seeds", type=positive, default=3, help="trainings of each network (default: %(default)s)")
    command.add_argument("--effort", type=float, default=1.0, help="factor on the epochs (default: %(default)g)")
    command.add_argument("--out", type=Path, required=True, help="run folder; a finished stage is not repeated")
    command.add_argument("--json", type=Path, help="write the table to this file")
    rows = command.add_argument_group("rows of the table, added to those that the run has")
    rows.add_argument(
        "--rows", type=_names, default=(), help="their names joined by commas, or all; NAME@L for L labels"
    )
    rows.add_argument(
        "--preset", choices=("best", "paper"), default="best", help="paper: the source paper's three rows"
    )
    rows.add_argument("--ablations", action="store_true", help="the two-encoder model with one thing left out")
    rows.add_argument("--questions", action="store_true", help="depth, four-part phase, correctness, with and without")
    rows.add_argument("--curve", action="store_true", help="over the number of labels")
    add_machine(command)
    _add_device(command)


def _add_device(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--device", default="auto", help="to train on: auto (a GPU if there is one), cpu, cuda, cuda:1"
    )


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


def _names(text: str) -> tuple[str, ...]:
    return tuple(name for name in text.replace("+", ",").split(",") if name)


def _groups(text: str) -> tuple[str, ...] | None:
    groups = _names(text)
    if groups == ("all",):
        return None
    if not groups or not set(groups) <= set(CHANNEL_GROUPS):
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of {', '.join(CHANNEL_GROUPS)}, or all")
    return tuple(group for group in CHANNEL_GROUPS if group in groups)


def _demo(options: argparse.Namespace) -> None:
    from real2sim.pipeline import demo

    sizes = {"reps": options.reps, "seeds": options.seeds}
    _print_run(demo(options.out, **sizes, jobs=options.jobs, device=options.device, progress=not options.quiet))


def _run(options: argparse.Namespace) -> None:
    from real2sim.parties import labelled_repetitions_of
    from real2sim.pipeline import complete
    from real2sim.rows import asked
    from real2sim.run import Config, Run, RunError

    if bool(options.test) == bool(options.folds):
        raise RunError(
            f"--test is {options.test} and --folds {options.folds}, expected one of them; name the test people's "
            "recordings, or deal those of --real into folds"
        )
    config = Config(
        real=str(options.real.resolve()),
        subjects=options.subjects,
        test=str((options.test or options.real).resolve()),
        test_subjects=options.test_subjects,
        exercise=options.exercise,
        sim=str(options.sim.resolve()) if options.sim else None,
        reps=options.reps,
        labels=options.labels,
        channels=options.channels,
        placement=tuple((spot, 1.0) for spot in options.placement) if options.placement else None,
        rate_hz=options.rate,
        effort=options.effort,
        folds=options.folds or 0,
        seed=options.seed,
        seeds=options.seeds,
    )
    run = Run.start(options.out, config)
    rows = asked(
        options.rows,
        paper=options.preset == "paper",
        ablations=options.ablations,
        budget=options.labels,
        labels_there_are=labelled_repetitions_of(config) if options.curve else None,
    )
    names = [name for name in options.stages if name != "questions" or options.questions]
    complete(
        run,
        names,
        rows=rows,
        jobs=options.jobs,
        device=options.device,
        progress=not options.quiet,
        json_file=options.json,
    )
    if "evaluate" in options.stages:
        _print_run(run)


def _stage(options: argparse.Namespace) -> None:
    from real2sim.pipeline import complete
    from real2sim.run import Run

    run = Run.open(options.folder)
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
    from real2sim.answers import format_questions
    from real2sim.evaluation import format_table

    print(format_table(run.results()))
    if run.questions.exists():
        print(format_questions(json.loads(run.questions.read_text())))
    if run.report.exists():
        print(f"\nreport: {run.report}")
