"""The networks that a run trains and the rows of its table, as data."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Model:
    """A network, or a set of networks trained together.

    Attributes:
        name: Of its files.
        simulation: The simulated dataset that it is trained on, "" if none.
        converts: It converts recordings into the simulated domain.
        needs: Models that must be trained before.
    """

    name: str
    simulation: str = ""
    converts: bool = False
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Row:
    """A row of the table: a recogniser that reads the test recordings, as they are or converted.

    Attributes:
        name: Of the row.
        recogniser: Name of the model that reads.
        converter: Name of the model that converts before, "" for the recordings as they are.
        uses: What of the adaptation recordings it has seen.
        meaning: One line for people.
        paper: Accuracy in the source paper, None where it has no such row.
    """

    name: str
    recogniser: str
    converter: str = ""
    uses: str = "nothing"
    meaning: str = ""
    paper: float | None = None


MODELS = (
    Model(name="recogniser-raw", simulation="paper"),
    Model(name="recogniser-randomised", simulation="randomised"),
    Model(name="recogniser-all-real"),
    Model(name="one-encoder", simulation="randomised", converts=True),
    Model(name="two-encoder", simulation="randomised", converts=True, needs=("recogniser-randomised",)),
    Model(name="recogniser-fine-tuned", simulation="randomised", needs=("recogniser-randomised",)),
)

ROWS = (
    Row(
        name="raw",
        recogniser="recogniser-raw",
        meaning="recogniser trained on a simulation of the paper's kind, reads the recordings as they are",
        paper=0.5580,
    ),
    Row(
        name="randomised",
        recogniser="recogniser-randomised",
        meaning="the same, with mounting, arms, tempo, sway and devices randomised in the simulation",
    ),
    Row(
        name="one-encoder",
        recogniser="recogniser-randomised",
        converter="one-encoder",
        meaning="the recordings pass through an ordinary VAE of the simulation first",
        paper=0.5977,
    ),
    Row(
        name="two-encoder",
        recogniser="recogniser-randomised",
        converter="two-encoder",
        uses="L labels",
        meaning="the recordings are converted by the two-encoder VAE first",
        paper=0.7490,
    ),
    Row(
        name="fine-tuned",
        recogniser="recogniser-fine-tuned",
        uses="L labels",
        meaning="no conversion: the randomised recogniser fine-tuned on the same labels",
    ),
    Row(
        name="all-real",
        recogniser="recogniser-all-real",
        uses="all labels",
        meaning="recogniser trained on all labelled recordings of the adaptation people",
    ),
)

MODEL = {model.name: model for model in MODELS}
ROW = {row.name: row for row in ROWS}
