"""Every row of the table by name, and the tables that are made of them.

A row that uses the budget's labels has a variant for any other budget: `two-encoder@5`, `fine-tuned@all`.
"""

from collections.abc import Iterable

from real2sim.method import Model, Row, labelled_name
from real2sim.methods import ablations, adapted, autoencoders, cyclegan, ours, questions, recognisers

ROW: dict[str, Row] = {
    row.name: row for family in (recognisers, adapted, autoencoders, cyclegan, ours, ablations) for row in family.ROWS
}
"""Rows without budgets of their own."""

DEFAULT = (
    *("raw", "randomised", "aligned", "one-encoder", "two-encoder"),
    *("fine-tuned", "real-only", "all-real", "all-real-and-simulation"),
)
"""What a run shows unless it is asked for more."""

TABLE = (
    *("raw", "randomised", "aligned", "coral", "dann", "one-encoder", "cyclegan", "two-encoder-paper"),
    *("two-encoder-paper-randomised", "two-encoder", "two-encoder@0"),
    *("fine-tuned", "real-only", "all-real", "all-real-and-simulation"),
)
"""The whole table."""

PAPER = ("raw", "one-encoder-paper", "two-encoder-paper")
"""The source paper's own."""

ABLATIONS = ("randomised", "two-encoder", *(row.name for row in ablations.ROWS))

CURVE_ROWS = ("two-encoder", "fine-tuned", "real-only")
CURVE_LABELS = (0, 1, 5, 10, 20, 50, -1)
"""Labelled repetitions along the curve; -1 is all there are."""

OURS = ours.OURS.name
UNLABELLED = labelled_name(OURS, 0)


def row_named(name: str) -> Row:
    """A row by its name, with or without a budget.

    Raises:
        KeyError: There is none of that name.
    """
    base, at, labels = name.partition("@")
    row = ROW[base]
    if not at:
        return row
    if row.uses != "labels" or not (labels.isdecimal() or labels == "all") or (labels == "0" and base == "real-only"):
        raise KeyError(name)
    return row.with_labels(-1 if labels == "all" else int(labels))


def model_named(name: str) -> Model:
    """A model by its name, with or without a budget.

    Raises:
        KeyError: There is none of that name.
    """
    base, at, labels = name.partition("@")
    model = (models_of(ROW) | questions.MODELS)[base]
    return model.with_labels(-1 if labels == "all" else int(labels)) if at else model


def in_order(names: Iterable[str]) -> tuple[str, ...]:
    """Names of rows in the order of the table, without duplicates; budgets after their row, increasing.

    Raises:
        KeyError: There is no such row.
    """

    def key(name: str) -> tuple[int, float]:
        row_named(name)
        base, at, labels = name.partition("@")
        order = (*TABLE, *(other for other in ROW if other not in TABLE))
        return order.index(base), -1.0 if not at else float("inf") if labels == "all" else float(labels)

    return tuple(sorted(dict.fromkeys(names), key=key))


def budget_of(name: str, budget: int) -> str:
    """Labelled repetitions of a row that uses labels, as text: those in its name ("5", "all"), or the run's."""
    return name.partition("@")[2] or str(budget)


def budgets_of(names: Iterable[str]) -> tuple[int, ...]:
    """Budgets of their own that rows have, but for "all"."""
    return tuple({int(labels) for name in names if (labels := name.partition("@")[2]).isdecimal()})


def curve(budget: int, available: int) -> tuple[str, ...]:
    """Rows of the label curve, as far as there are labelled repetitions; at the run's budget it is the row itself."""
    budgets = [labels for labels in CURVE_LABELS if labels < available]
    return tuple(
        row if labels == budget else labelled_name(row, labels)
        for row in CURVE_ROWS
        for labels in budgets
        if labels or row != "real-only"
    )


def compared(names: Iterable[str]) -> list[tuple[str, str]]:
    """Pairs of rows whose difference is told: ours with every other, and without labels with those that see none."""
    rows = tuple(names)
    return [
        (better, worse)
        for better in (OURS, UNLABELLED)
        for worse in rows
        if better in rows and worse != better and (better == OURS or _sees_no_label(worse))
    ]


def _sees_no_label(name: str) -> bool:
    return row_named(name).uses in ("nothing", "recordings") or budget_of(name, -1) == "0"


def asked(
    names: Iterable[str], *, paper: bool, ablations: bool, budget: int, labels_there_are: int | None
) -> tuple[str, ...]:
    """Rows that options of the command ask for.

    Args:
        names: Of rows; "all" stands for `TABLE`.
        paper: The source paper's rows too.
        ablations: The ablations too.
        budget: Labelled repetitions of the run.
        labels_there_are: For the label curve; None leaves it out.
    """
    rows = [row for name in names for row in (TABLE if name == "all" else (name,))]
    rows += PAPER if paper else ()
    rows += ABLATIONS if ablations else ()
    return (*rows, *(() if labels_there_are is None else curve(budget, labels_there_are)))


def models_of(names: Iterable[str]) -> dict[str, Model]:
    """The models behind rows, and those that they need, each after its needs."""
    return with_needs(model for name in names for model in row_named(name).models)


def with_needs(models: Iterable[Model]) -> dict[str, Model]:
    """Models and those that they need by name, each after its needs."""
    found: dict[str, Model] = {}
    for model in models:
        found |= with_needs(model.needs) | {model.name: model}
    return found
