"""`squat validate`: is the simulation human?"""

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

from real2sim.cli.options import add_machine, positive

LOADED_SETS = 100  # plans whose loads are computed


def add_validate(commands: Any) -> None:
    """Adds `squat validate`."""
    command = commands.add_parser(
        "validate", help="compare simulated repetitions with recordings of people and with published bands"
    )
    command.add_argument("--real", type=Path, help="recordings of people (plain folder); bands alone without it")
    command.add_argument("--exercise", default="squat", help="what is simulated and compared (default: %(default)s)")
    command.add_argument("--correct", action="store_true", help="leave out recordings not marked as correct")
    command.add_argument("--arms", type=_names, default=(), help="simulate these arm postures alone, joined by commas")
    command.add_argument("--sim", type=Path, help="a simulated dataset to use instead of a new one")
    command.add_argument("--reps", type=positive, default=500, help="simulated repetitions (default: %(default)s)")
    command.add_argument("--seed", type=int, default=0, help="of every draw (default: %(default)s)")
    command.add_argument("--out", type=Path, help="folder for validation.json and validation.html")
    command.add_argument("--json", type=Path, help="write the result to this file")
    add_machine(command)
    command.set_defaults(run=_validate)


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split(","))


def _validate(options: argparse.Namespace) -> None:
    from generators.store import Dataset, DatasetError
    from real2sim.run import write_text
    from real2sim.simulation import VALIDATED, make_validated, peak_loads, validation_recipe
    from real2sim.validation.page import page, table_text
    from real2sim.validation.validate import read_people, validate

    if options.exercise not in VALIDATED:
        raise DatasetError(f"--exercise is {options.exercise!r}, expected one of {list(VALIDATED)}; choose it")
    if options.sim and options.arms:
        raise DatasetError(
            f"--arms {','.join(options.arms)} says what to simulate, expected no --sim beside it; leave one"
        )
    people = read_people(options.real, exercise=options.exercise, correct=options.correct) if options.real else []
    facts: dict[str, Any] = {"exercise": options.exercise}
    if options.sim:
        dataset = Dataset(options.sim)
        validation = validate(dataset, people, {}, facts | {"dataset": dataset.digest[:12]})
    else:
        try:
            recipe = validation_recipe(
                exercise=options.exercise, reps=options.reps, seed=options.seed, arms=options.arms
            )
        except ValueError as error:
            raise DatasetError(f"this population cannot be made: {error}") from error
        facts |= {"seed": options.seed, "arms": ", ".join(options.arms) or "all"}
        sets = min(LOADED_SETS, -(-options.reps // recipe.repetitions_a_set))
        with tempfile.TemporaryDirectory() as folder:
            dataset = make_validated(Path(folder) / "simulation", recipe, jobs=options.jobs, progress=not options.quiet)
            loads = peak_loads(recipe, sets) if options.exercise == "squat" else {}
            validation = validate(dataset, people, loads, facts)
    print(table_text(validation))
    result = json.dumps(validation.to_dict(), indent=1)
    for path in filter(None, (options.json, options.out and options.out / "validation.json")):
        write_text(path, result)
    if options.out:
        write_text(options.out / "validation.html", page(validation))
        print(f"\npage: {options.out / 'validation.html'}")
