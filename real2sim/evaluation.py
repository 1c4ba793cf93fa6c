"""How well predicted phases agree with true ones, and how sure that is.

Every figure comes from confusion matrices, one for each seed of training and each test person (`Tally`). A
metric is computed for each seed over the samples of all people together, then averaged over the seeds.

Intervals are 95 % percentile intervals of a bootstrap that draws people with replacement and, apart from
them, seeds with replacement (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, ch. 13). They
answer: how different could the figure be with other people like these and other seeds? Samples and
repetitions of one person are never taken as independent. P people allow only binomial(2P - 1, P) different
draws. With two people these are three (the one twice, the other twice, both), so an interval then spans
hardly more than the two people's own figures and is no statement about people in general; with one person
only the seeds vary.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from collections.abc import Sequence as ListLike
from dataclasses import dataclass
from typing import Any

import numpy as np

from real2sim.sequences import Sequence, people

COVERAGE = 0.95
"""Share of the bootstrap draws inside an interval."""

DRAWS = 2000
"""Bootstrap draws; another rng then moves an end of an interval by some 6 % of the standard deviation."""


def confusion_matrix(truth: np.ndarray, predicted: np.ndarray, classes: int = 2) -> np.ndarray:
    """Count samples by true and predicted class.

    Args:
        truth: (T,) classes from 0; negative ones are left out.
        predicted: (T,) classes from 0.
        classes: K.

    Returns:
        (K, K) int64, rows the truth.

    Raises:
        ValueError: If the lengths differ, or a prediction is not a whole number from 0 to K - 1.
    """
    truth, predicted = np.asarray(truth), np.asarray(predicted)
    if truth.shape != predicted.shape:
        raise ValueError(f"got predictions of shape {predicted.shape}, expected {truth.shape} as the truth has")
    if predicted.dtype.kind not in "iub":
        raise ValueError(f"got predictions of type {predicted.dtype}, expected classes as whole numbers")
    known = truth >= 0
    truth, predicted = truth[known].astype(np.int64), predicted[known].astype(np.int64)
    found = np.union1d(truth, predicted)
    if not np.isin(found, np.arange(classes)).all():
        raise ValueError(f"got the classes {found.tolist()}, expected 0 to {classes - 1}")
    return np.bincount(truth * classes + predicted, minlength=classes**2).reshape(classes, classes)


def accuracy(confusion: np.ndarray) -> np.ndarray:
    """Return the share of samples on the diagonal of (..., K, K) confusion matrices, shape (...)."""
    return np.trace(confusion, axis1=-2, axis2=-1) / confusion.sum(axis=(-2, -1))


def balanced_accuracy(confusion: np.ndarray) -> np.ndarray:
    """Return the mean recall over the classes in the truth, for (..., K, K) matrices, shape (...)."""
    hits, true = np.diagonal(confusion, axis1=-2, axis2=-1), confusion.sum(axis=-1)
    return (hits / np.maximum(true, 1)).sum(axis=-1) / (true > 0).sum(axis=-1)


def macro_f1(confusion: np.ndarray) -> np.ndarray:
    """Return the mean F1 over the classes in truth or prediction, for (..., K, K) matrices, shape (...)."""
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)
    both = confusion.sum(axis=-1) + confusion.sum(axis=-2)
    return (2 * hits / np.maximum(both, 1)).sum(axis=-1) / (both > 0).sum(axis=-1)


METRICS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "accuracy": accuracy,
    "balanced_accuracy": balanced_accuracy,
    "macro_f1": macro_f1,
}


@dataclass(frozen=True, kw_only=True, eq=False)
class Tally:
    """What one method predicted, counted.

    Attributes:
        row: Name of the method in the table.
        people: P subject numbers, increasing.
        confusion: (S, P, K, K) int64 counts for each seed and person, rows the truth.
        simulation: Name of the simulated dataset that the method was made with; empty if none.
    """

    row: str
    people: tuple[int, ...]
    confusion: np.ndarray
    simulation: str = ""

    def __repr__(self) -> str:
        return f"Tally({self.row!r}, people {self.people}, confusion {self.confusion.shape})"


@dataclass(frozen=True, kw_only=True)
class Result:
    """One row of the table: metrics per sample with 95 % intervals.

    Attributes:
        row: Name of the method.
        accuracy: Share of samples predicted right.
        balanced_accuracy: Mean recall of the classes.
        macro_f1: Mean F1 of the classes.
        interval: Interval of the accuracy, (low, high).
        seeds: S.
        people: The test people.
        simulation: Name of the simulated dataset; empty if none.
        balanced_accuracy_interval: Interval of the balanced accuracy.
        macro_f1_interval: Interval of the macro F1.
    """

    row: str
    accuracy: float
    balanced_accuracy: float
    macro_f1: float
    interval: tuple[float, float]
    seeds: int
    people: tuple[int, ...]
    simulation: str = ""
    balanced_accuracy_interval: tuple[float, float] = (float("nan"), float("nan"))
    macro_f1_interval: tuple[float, float] = (float("nan"), float("nan"))

    def to_json(self) -> dict[str, object]:
        """Return the row as a dictionary that `json` can write."""
        row: dict[str, object] = {
            "row": self.row,
            "accuracy": self.accuracy,
            "balanced_accuracy": self.balanced_accuracy,
            "macro_f1": self.macro_f1,
            "interval": list(self.interval),
            "seeds": self.seeds,
            "people": list(self.people),
        }
        return row | {"simulation": self.simulation} if self.simulation else row

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Result:
        """Return the result that `to_json` wrote; the intervals that it leaves out are NaN.

        Raises:
            ValueError: If a key is missing.
        """
        missing = {"row", *METRICS, "interval", "seeds", "people"} - set(row)
        if missing:
            raise ValueError(f"got a row {row.get('row')!r} without {sorted(missing)}, expected them; evaluate again")
        low, high = row["interval"]
        return cls(
            row=row["row"],
            accuracy=float(row["accuracy"]),
            balanced_accuracy=float(row["balanced_accuracy"]),
            macro_f1=float(row["macro_f1"]),
            interval=(float(low), float(high)),
            seeds=int(row["seeds"]),
            people=tuple(row["people"]),
            simulation=row.get("simulation", ""),
        )


@dataclass(frozen=True, kw_only=True)
class Difference:
    """How much better one row is than another on the same people.

    Attributes:
        better: Row that is subtracted from.
        worse: Row that is subtracted.
        metric: Name of the metric, see `METRICS`.
        value: Metric of `better` minus metric of `worse`.
        interval: Its 95 % interval, (low, high); one that excludes 0 is a difference beyond people and seeds.
    """

    better: str
    worse: str
    metric: str
    value: float
    interval: tuple[float, float]


def tally(
    row: str,
    predictions: ListLike[ListLike[np.ndarray]],
    sequences: ListLike[Sequence],
    *,
    classes: int = 2,
    simulation: str = "",
) -> Tally:
    """Count predictions against the phases of the test sequences.

    Args:
        row: Name of the method in the table.
        predictions: For each of S seeds, for each sequence, (T,) predicted classes.
        sequences: The test sequences; samples with a phase below 0 do not count, nor do people without any
            other.
        classes: K.
        simulation: Name of the simulated dataset that the method was made with.

    Raises:
        ValueError: If there is no seed or no labelled sample, or if predictions do not fit the sequences.
    """
    known = people(s for s in sequences if (s.phase >= 0).any())
    if not predictions or not known:
        raise ValueError(f"row {row!r}: got {len(predictions)} seeds and {len(known)} people with labels, expected 1+")
    confusion = np.zeros((len(predictions), len(known), classes, classes), dtype=np.int64)
    for seed, of_seed in enumerate(predictions):
        if len(of_seed) != len(sequences):
            raise ValueError(
                f"row {row!r}, seed {seed}: got predictions for {len(of_seed)} sequences, expected {len(sequences)}"
            )
        for sequence, predicted in zip(sequences, of_seed, strict=True):
            if sequence.subject in known:
                person = known.index(sequence.subject)
                confusion[seed, person] += confusion_matrix(sequence.phase, predicted, classes)
    return Tally(row=row, people=known, confusion=confusion, simulation=simulation)


def result(counts: Tally, rng: np.random.Generator, *, draws: int = DRAWS) -> Result:
    """Return the metrics of a row and their intervals.

    Args:
        counts: The row.
        rng: Source of randomness; one in the same state gives the same intervals.
        draws: Bootstrap draws.
    """
    weights = _bootstrap_weights(counts, rng, draws)
    interval = {name: _interval(_metric(counts, metric, *weights)) for name, metric in METRICS.items()}
    value = {name: _observed(counts, metric) for name, metric in METRICS.items()}
    return Result(
        row=counts.row,
        **value,
        interval=interval["accuracy"],
        seeds=len(counts.confusion),
        people=counts.people,
        simulation=counts.simulation,
        balanced_accuracy_interval=interval["balanced_accuracy"],
        macro_f1_interval=interval["macro_f1"],
    )


def difference(
    better: Tally, worse: Tally, rng: np.random.Generator, *, metric: str = "accuracy", draws: int = DRAWS
) -> Difference:
    """Return the difference of two rows; both take part in every draw with the same people and seeds.

    Args:
        better: Row to subtract from.
        worse: Row to subtract.
        rng: Source of randomness.
        metric: Name of the metric, see `METRICS`.
        draws: Bootstrap draws.

    Raises:
        ValueError: If the rows were not counted on the same people with the same number of seeds.
    """
    if better.people != worse.people or better.confusion.shape != worse.confusion.shape:
        raise ValueError(
            f"got rows {better} and {worse} to compare, expected the same people and the same number of seeds"
        )
    of = METRICS[metric]
    weights = _bootstrap_weights(better, rng, draws)
    return Difference(
        better=better.row,
        worse=worse.row,
        metric=metric,
        value=_observed(better, of) - _observed(worse, of),
        interval=_interval(_metric(better, of, *weights) - _metric(worse, of, *weights)),
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class Amounts:
    """Errors of one method, added up.

    Attributes:
        row: Name of the method.
        people: P subject numbers, increasing.
        total: (S, P) sum of the errors for each seed and person.
        number: (S, P) how many there are.
    """

    row: str
    people: tuple[int, ...]
    total: np.ndarray
    number: np.ndarray


def amount_mean(amounts: Amounts, rng: np.random.Generator, *, draws: int = DRAWS) -> tuple[float, tuple[float, float]]:
    """Return the mean error and its interval, by the bootstrap of the table."""
    drawn = _drawn_means(amounts, *_draw(amounts.total.shape, rng, draws))
    return _mean(amounts), _interval(drawn)


def amount_difference(
    one: Amounts, other: Amounts, rng: np.random.Generator, *, draws: int = DRAWS
) -> tuple[float, tuple[float, float]]:
    """Return the mean error of `one` minus that of `other` with its interval; both take part in every draw.

    Raises:
        ValueError: If they are not of the same people and number of seeds.
    """
    if one.people != other.people or one.total.shape != other.total.shape:
        raise ValueError(f"got errors of {one.people} and {other.people}, expected the same people and number of seeds")
    weights = _draw(one.total.shape, rng, draws)
    return _mean(one) - _mean(other), _interval(_drawn_means(one, *weights) - _drawn_means(other, *weights))


def _mean(amounts: Amounts) -> float:
    seeds, persons = amounts.total.shape
    return float(_drawn_means(amounts, np.ones((1, seeds), int), np.ones((1, persons), int))[0])


def _drawn_means(amounts: Amounts, of_seed: np.ndarray, of_person: np.ndarray) -> np.ndarray:
    means = (of_person @ amounts.total.T) / np.maximum(of_person @ amounts.number.T, 1)
    return (means * of_seed).sum(axis=1) / of_seed.sum(axis=1)


def format_table(results: Iterable[Result]) -> str:
    """Return rows as a table to print: percentages, and the 95 % interval of the accuracy."""
    head = ("row", "accuracy", "95 % interval", "balanced", "macro F1", "seeds", "people", "simulation")
    cells = [
        (
            one.row,
            f"{one.accuracy:.1%}",
            f"{one.interval[0]:.1%} to {one.interval[1]:.1%}",
            f"{one.balanced_accuracy:.1%}",
            f"{one.macro_f1:.1%}",
            str(one.seeds),
            str(len(one.people)),
            one.simulation or "-",
        )
        for one in results
    ]
    widths = [max(map(len, column)) for column in zip(head, *cells, strict=True)]
    rule = tuple("-" * width for width in widths)
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in (head, rule, *cells))


def _bootstrap_weights(counts: Tally, rng: np.random.Generator, draws: int) -> tuple[np.ndarray, np.ndarray]:
    return _draw(counts.confusion.shape[:2], rng, draws)


def _draw(shape: tuple[int, ...], rng: np.random.Generator, draws: int) -> tuple[np.ndarray, np.ndarray]:
    """Return how often each draw holds each seed (draws, S) and each person (draws, P)."""
    weight = [rng.multinomial(number, np.full(number, 1 / number), size=draws) for number in shape]
    return weight[0], weight[1]


def _metric(
    counts: Tally, metric: Callable[[np.ndarray], np.ndarray], of_seed: np.ndarray, of_person: np.ndarray
) -> np.ndarray:
    """Return (draws,) values of a metric from the weights (draws, S) and (draws, P)."""
    drawn = np.einsum("dp,spij->dsij", of_person, counts.confusion)
    return (metric(drawn) * of_seed).sum(axis=1) / of_seed.sum(axis=1)


def _observed(counts: Tally, metric: Callable[[np.ndarray], np.ndarray]) -> float:
    seeds, persons = counts.confusion.shape[:2]
    return float(_metric(counts, metric, np.ones((1, seeds), int), np.ones((1, persons), int))[0])


def _interval(values: np.ndarray) -> tuple[float, float]:
    low, high = np.quantile(values, [(1 - COVERAGE) / 2, (1 + COVERAGE) / 2])
    return float(low), float(high)


def refuse_overlap(adapt_people: Iterable[int], test_people: Iterable[int]) -> None:
    """Refuse a protocol in which somebody is both adapted to and tested on.

    Args:
        adapt_people: Subject numbers of the adaptation recordings; -1, somebody unknown, counts as one
            person.
        test_people: Subject numbers of the test recordings, from the same set.

    Raises:
        ValueError: If a person is in both.
    """
    both = sorted(set(adapt_people) & set(test_people))
    if both:
        raise ValueError(
            f"got the people {both} in both the adaptation and the test recordings, expected nobody in both; "
            f"leave each of them out of one"
        )
