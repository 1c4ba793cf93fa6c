"""A small run over stand-in recordings."""

from collections.abc import Iterable
from pathlib import Path

from real2sim import stages
from real2sim.method import Model
from real2sim.methods.questions import MODELS
from real2sim.rows import TABLE, models_of, with_needs
from real2sim.run import Config, Run

FOLD = 0
EVERY_MODEL = with_needs([*models_of(TABLE).values(), MODELS["depth-converted"], MODELS["depth-trunk"]])


def config(recordings: Path, simulated: Path, **changes) -> Config:
    values = {
        "real": str(recordings),
        "subjects": (1, 2),
        "test": str(recordings),
        "test_subjects": (3, 4),
        "sim": str(simulated),
        "reps": 24,
        "labels": 10,
        "channels": ("watch", "range"),
        "seeds": 2,
        "effort": 0.1,
        "stand_in": True,
    }
    return Config(**{**values, **changes})


def brief(recordings: Path, simulated: Path) -> Config:
    """Of a run with one seed and two folds that is soon trained."""
    parties = {"subjects": None, "test_subjects": None, "folds": 2}
    return config(recordings, simulated, **parties, seeds=1, labels=6, effort=0.01, reps=12)


def trained(run: Run, models: Iterable[Model], fold: int | None) -> Run:
    """The run with these models trained with its first seed, each after its needs."""
    stages.check_parties(run)
    run.save()
    stages.simulate(run, models, jobs=1, progress=False)
    for model in models:
        stages.train(run, model.name, run.config.seed, None if model.uses == "nothing" else fold)
    return run
