"""Recognisers trained on simulation, on recordings, or on both, without any conversion."""

from collections.abc import Callable
from functools import cache, partial

import numpy as np

from real2sim import training
from real2sim.material import Material
from real2sim.method import Model, Row, Trained, Uses
from real2sim.networks import Recogniser
from real2sim.training import ALL_LABELS, FINE_TUNING, SMALL_DATA, TrainingSettings
from real2sim.views import aligned
from real2sim.windows import Windows, join, take


def on_simulation(material: Material) -> Trained:
    """Trains a recogniser on the simulation alone."""
    simulated = material.simulated()
    network, curve = training.train_recogniser(
        simulated.train,
        simulated.validation,
        seed=material.seed,
        settings=material.settings(TrainingSettings()),
        checkpoint=material.checkpoint,
    )
    return Trained(network=network, statistics=simulated.statistics, notes={"curve": curve, **simulated.notes})


def fine_tuned(material: Material, *, start: str) -> Trained:
    """Trains on from a recogniser of the simulation, with the budget's labels."""
    simulated = material.simulated()
    network = material.network(start)
    assert isinstance(network, Recogniser)
    labelled = material.labelled(simulated.statistics)
    train = partial(_train, material, start=network)
    if not len(labelled.windows):
        return Trained(network=network, statistics=simulated.statistics, notes={"curve": [], **simulated.notes})
    tuned, curve = training.train_on_few(train, labelled.windows, labelled.parts, material.settings(FINE_TUNING))
    return Trained(network=tuned, statistics=simulated.statistics, notes={"curve": curve, **simulated.notes})


def on_labels(material: Material, *, settings: TrainingSettings) -> Trained:
    """Trains a recogniser on the labelled recordings alone."""
    labelled = material.labelled()
    network, curve = training.train_on_few(
        partial(_train, material), labelled.windows, labelled.parts, material.settings(settings)
    )
    return Trained(network=network, statistics=labelled.statistics, notes={"curve": curve})


def on_both(material: Material) -> Trained:
    """Trains a recogniser on simulation and labelled recordings, which are repeated to weigh as much."""
    simulated = material.simulated()
    labelled = material.labelled(simulated.statistics)

    def train(some: Windows, held: Windows | None, settings: TrainingSettings):
        times = max(1, round(len(simulated.train) / len(some)))
        both = join(simulated.train, take(some, np.tile(np.arange(len(some)), times)))
        return training.train_recogniser(both, held, seed=material.seed, settings=settings)

    settings = material.settings(TrainingSettings(epochs=12, patience=4))
    network, curve = training.train_on_few(train, labelled.windows, labelled.parts[:1], settings)
    return Trained(network=network, statistics=simulated.statistics, notes={"curve": curve, **simulated.notes})


def _train(
    material: Material,
    some: Windows,
    held: Windows | None,
    settings: TrainingSettings,
    *,
    start: Recogniser | None = None,
):
    return training.train_recogniser(some, held, seed=material.seed, settings=settings, start=start)


RAW = Model(name="recogniser-raw", train=on_simulation, simulation="paper")
RANDOMISED = Model(name="recogniser-randomised", train=on_simulation, simulation="randomised")
ALIGNED = Model(name="recogniser-aligned", train=on_simulation, simulation="randomised", view=aligned)


@cache
def tuned(start: Model) -> Model:
    """A recogniser, trained on with the budget's labels."""
    return going_on("fine-tuned", fine_tuned, start, "labels")


def going_on(how: str, train: Callable[..., Trained], start: Model, uses: Uses) -> Model:
    """A recogniser that `train` makes of a material and of the name of another, which it goes on from."""
    of = "" if start is RANDOMISED else start.name.removeprefix("recogniser")
    return Model(
        name=f"recogniser-{how}{of}",
        train=partial(train, start=start.base),
        uses=uses,
        simulation=start.simulation,
        needs=(start,),
    )


FINE_TUNED = tuned(RANDOMISED)
REAL_ONLY = Model(name="recogniser-real-only", train=partial(on_labels, settings=SMALL_DATA), uses="labels")
ALL_REAL = Model(name="recogniser-all-real", train=partial(on_labels, settings=ALL_LABELS), uses="all labels")
ALL_REAL_AND_SIMULATION = Model(
    name="recogniser-all-real-and-simulation", train=on_both, uses="all labels", simulation="randomised"
)

ROWS = (
    Row(
        name="raw",
        recogniser=RAW,
        meaning="recogniser trained on a simulation of the paper's kind, reads the recordings as they are",
        paper=0.5580,
    ),
    Row(
        name="randomised",
        recogniser=RANDOMISED,
        meaning="recogniser trained on a simulation in which mounting, arms, tempo, sway and devices are randomised",
    ),
    Row(
        name="aligned",
        recogniser=ALIGNED,
        meaning="the same, with simulation and recordings turned to gravity and scaled, each by itself",
    ),
    Row(
        name="fine-tuned",
        recogniser=FINE_TUNED,
        meaning="no conversion: the randomised recogniser fine-tuned on the labels that conversion has",
    ),
    Row(name="real-only", recogniser=REAL_ONLY, meaning="recogniser trained on these labels and nothing else"),
    Row(
        name="all-real",
        recogniser=ALL_REAL,
        meaning="recogniser trained on all labelled recordings of the adaptation people",
    ),
    Row(
        name="all-real-and-simulation",
        recogniser=ALL_REAL_AND_SIMULATION,
        meaning="recogniser trained on these and the randomised simulation",
    ),
)
