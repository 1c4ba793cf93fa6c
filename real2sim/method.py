"""What a method is: networks that are trained on a `Material`, and rows of the table that read with them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from torch import nn

from real2sim.sequences import Sequence
from real2sim.windows import Statistics

if TYPE_CHECKING:
    from real2sim.material import Material

Uses = Literal["nothing", "recordings", "labels", "all labels"]
"""What a model has seen of the adaptation people: nothing, their unlabelled recordings, the budget's, all labels."""

AMOUNT: tuple[Uses, ...] = ("nothing", "recordings", "labels", "all labels")
"""From the least to the most."""

View = Callable[[list[Sequence]], list[Sequence]]
"""What is done to sequences before they are cut into windows, in training and in reading."""


def as_measured(sequences: list[Sequence]) -> list[Sequence]:
    """Sequences as they are."""
    return sequences


@dataclass(frozen=True, kw_only=True)
class Trained:
    """What training a model gives.

    Attributes:
        network: In evaluation mode.
        statistics: Of the windows that it reads.
        notes: Curves and settings, JSON-able.
    """

    network: nn.Module
    statistics: Statistics
    notes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Model:
    """A network, or a set of networks trained together.

    Attributes:
        name: Of its files.
        train: Trains it on what it may see.
        uses: What that holds of the adaptation people.
        simulation: Key of the simulated dataset that it is trained on (`simulation.SIMULATIONS`), "" if none.
        needs: Models that must be trained before; none may use more of the recordings than this one says.
        view: What its sequences pass through first. What a converter gives is in its view too.
        labels: Labelled repetitions that it may see; None is the run's budget, -1 all there are.
    """

    name: str
    train: Callable[[Material], Trained]
    uses: Uses = "nothing"
    simulation: str = ""
    needs: tuple[Model, ...] = ()
    view: View = as_measured
    labels: int | None = None

    def __post_init__(self):
        for need in self.needs:
            if AMOUNT.index(need.uses) > AMOUNT.index(self.uses):
                raise ValueError(f"{self.name} says that it uses {self.uses}, yet needs {need.name}: {need.uses}")

    @property
    def base(self) -> str:
        """The name without a budget of its own."""
        return self.name.partition("@")[0]

    def with_labels(self, labels: int) -> Model:
        """The same with a budget of its own, where it uses the budget's labels; -1 is all labels there are."""
        if self.uses != "labels":
            return self
        needs = tuple(need.with_labels(labels) for need in self.needs)
        return replace(self, name=labelled_name(self.base, labels), labels=labels, needs=needs)


@dataclass(frozen=True, kw_only=True)
class Row:
    """A row of the table: a recogniser that reads the test recordings, as they are or converted.

    Attributes:
        name: Of the row.
        recogniser: Reads.
        converter: Converts before; None for the recordings as they are.
        meaning: One line for people.
        paper: Accuracy in the source paper, None where it has no such row.
    """

    name: str
    recogniser: Model
    converter: Model | None = None
    meaning: str = ""
    paper: float | None = None

    @property
    def models(self) -> tuple[Model, ...]:
        """Its models, without what they need."""
        return (self.recogniser,) if self.converter is None else (self.recogniser, self.converter)

    @property
    def uses(self) -> Uses:
        """What it has seen of the adaptation people."""
        return AMOUNT[max(AMOUNT.index(model.uses) for model in self.models)]

    def read(self, sequences: list[Sequence]) -> list[Sequence]:
        """Test sequences, converted where the row converts, as its recogniser sees them."""
        seen = self.converter is not None and self.converter.view is self.recogniser.view
        return sequences if seen else self.recogniser.view(sequences)

    def with_labels(self, labels: int) -> Row:
        """The same row with a budget of its own."""
        converter = self.converter and self.converter.with_labels(labels)
        name = labelled_name(self.name, labels)
        return replace(self, name=name, recogniser=self.recogniser.with_labels(labels), converter=converter, paper=None)


def labelled_name(name: str, labels: int) -> str:
    """`name@20`, or `name@all`."""
    return f"{name}@{'all' if labels < 0 else labels}"
