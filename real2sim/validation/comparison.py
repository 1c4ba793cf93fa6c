"""People beside the simulation: percentiles, coverage, and a verdict in words."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from real2sim.validation.quantities import CURVES, QUANTITIES, Measured, Quantity

SHOWN = (10, 50, 90)  # percentiles in the table
BAND = (5, 95)  # percentiles of the simulation within which people should lie
COVERED = 0.8  # share of the people's values in the band from which on it covers them; 0.9 is expected of equals
WIDE = 3.0  # a simulated spread this many times the people's is worth a look


@dataclass(frozen=True, kw_only=True)
class Spread:
    """Percentiles of values.

    Attributes:
        count: How many values.
        low, middle, high: 10th, 50th and 90th percentile.
    """

    count: int
    low: float
    middle: float
    high: float

    @classmethod
    def of(cls, values: np.ndarray) -> "Spread | None":
        """Percentiles of (n,) values, None where there are none."""
        if not len(values):
            return None
        low, middle, high = np.percentile(values, SHOWN)
        return cls(count=len(values), low=float(low), middle=float(middle), high=float(high))


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One quantity, people and simulation.

    Attributes:
        quantity: What.
        real, simulated: Percentiles.
        band: The simulation's central 90 %.
        below, above: Share of the people's values under and over it.
        people: How many people.
        people_outside: How many have their median outside.
        verdict: In words.
    """

    quantity: Quantity
    real: Spread
    simulated: Spread
    band: tuple[float, float]
    below: float
    above: float
    people: int
    people_outside: int

    @property
    def coverage(self) -> float:
        """Share of the people's values inside the band."""
        return max(0.0, 1.0 - self.below - self.above)

    @property
    def verdict(self) -> str:
        """One line for people."""
        if self.coverage >= COVERED:
            width = self.real.high - self.real.low
            wide = width > 0 and self.simulated.high - self.simulated.low > WIDE * width
            return "covered, simulation far wider" if wide else "covered"
        sides = [side for side, share in (("below", self.below), ("above", self.above)) if share >= 0.1]
        verb = "lie" if self.coverage < 0.5 else "reach"
        return f"people {verb} {' and '.join(sides)}"


def compare(real: Sequence[Measured], simulated: Sequence[Measured]) -> list[Comparison]:
    """Compares every quantity that both sides have, in the order of `QUANTITIES`."""
    found = []
    for quantity in QUANTITIES:
        people = {subject: _joined(real, quantity.name, subject) for subject in _subjects(real)}
        people = {subject: values for subject, values in people.items() if len(values)}
        made = _joined(simulated, quantity.name)
        if people and len(made):
            found.append(_compare(quantity, people, made))
    return found


def _compare(quantity: Quantity, people: dict[int, np.ndarray], made: np.ndarray) -> Comparison:
    values = np.concatenate(list(people.values()))
    real, simulated = Spread.of(values), Spread.of(made)
    assert real is not None
    assert simulated is not None
    low, high = (float(bound) for bound in np.percentile(made, BAND))
    return Comparison(
        quantity=quantity,
        real=real,
        simulated=simulated,
        band=(low, high),
        below=float((values < low).mean()),
        above=float((values > high).mean()),
        people=len(people),
        people_outside=sum(not low <= np.median(own) <= high for own in people.values()),
    )


def _subjects(measured: Sequence[Measured]) -> list[int]:
    return sorted({item.subject for item in measured})


def _joined(measured: Sequence[Measured], name: str, subject: int | None = None) -> np.ndarray:
    """All values of a quantity, of one person or of all."""
    parts = [item.values[name] for item in measured if name in item.values and subject in (None, item.subject)]
    return np.concatenate(parts) if parts else np.zeros(0)


@dataclass(frozen=True, kw_only=True, eq=False)
class CurveComparison:
    """One curve over the repetition.

    Attributes:
        name: Of `CURVES`.
        real, simulated: (3, 101) 10th, 50th and 90th percentile at each point.
        band: (2, 101) the simulation's central 90 %.
        coverage: Share of the people's points inside it.
    """

    name: str
    real: np.ndarray
    simulated: np.ndarray
    band: np.ndarray
    coverage: float


def compare_curves(real: Sequence[Measured], simulated: Sequence[Measured]) -> list[CurveComparison]:
    """Compares the curves that both sides have."""
    found = []
    for name in CURVES:
        sides = [[item.curves[name] for item in side if name in item.curves] for side in (real, simulated)]
        if all(sides):
            people, made = (np.concatenate(side) for side in sides)
            low, high = band = np.percentile(made, BAND, axis=0)
            found.append(
                CurveComparison(
                    name=name,
                    real=np.percentile(people, SHOWN, axis=0),
                    simulated=np.percentile(made, SHOWN, axis=0),
                    band=band,
                    coverage=float(((people >= low) & (people <= high)).mean()),
                )
            )
    return found


def outside(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """Where people lie outside, the worst first."""
    return sorted((item for item in comparisons if item.coverage < COVERED), key=lambda item: item.coverage)
