"""Options and kinds of values that several commands share."""

import argparse
import os


def add_machine(command: argparse.ArgumentParser) -> None:
    """Adds `--jobs` and `--quiet`."""
    command.add_argument("--jobs", type=positive, default=os.cpu_count() or 1, help="processes (default: all cores)")
    command.add_argument("--quiet", action="store_true", help="no progress")


def positive(text: str) -> int:
    """A whole number from 1."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a number from 1")
    return value
