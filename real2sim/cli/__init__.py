"""The `squat` command. Heavy imports happen inside the commands, so that `--help` answers at once."""

import argparse
import os
import signal
import sys

from real2sim.cli import datasets, describing, looking, runs, upkeep, using, validating

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
    for module, error in (
        ("real2sim.run", "RunError"),
        ("real2sim.training", "TrainingError"),
        ("real2sim.film", "FilmError"),
        ("squat_env.display", "NoDisplay"),
    ):
        if module in sys.modules:
            errors.append(getattr(sys.modules[module], error))
    return tuple(errors)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="squat", description="Simulate squats seen by a phone and a watch, and use them on real recordings."
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    runs.add_demo(commands)
    runs.add_stages(commands)
    using.add_using(commands)
    datasets.add_datasets(commands)
    describing.add_describing(commands)
    looking.add_looking(commands)
    upkeep.add_upkeep(commands)
    validating.add_validate(commands)
    return parser
