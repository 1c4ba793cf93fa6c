"""What is in a dataset, in numbers: counts, shares, distributions."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from generators.store import Dataset

SHARDS = 100
"""How many shards are read at most, evenly spread; the counts are of the whole dataset all the same."""

QUANTITIES = {
    "duration of a repetition [s]": lambda read: read.lengths() / read.rate_hz,
    "height [m]": lambda read: read("body.height_m"),
    "mass [kg]": lambda read: read("body.mass_kg"),
    "knee flexion at the bottom [deg]": lambda read: read("motion.knee_flexion_deg"),
    "trunk lean at the bottom [deg]": lambda read: read("motion.lean_deg"),
    "descent [s]": lambda read: read("motion.cycle.descent_s"),
    "true range [m]": lambda read: read("range_ideal"),
    "body between the devices [m]": lambda read: read("body_thickness"),
    "watch acceleration [m/s²]": lambda read: np.linalg.norm(read("watch_accel"), axis=-1),
    "watch angular velocity [rad/s]": lambda read: np.linalg.norm(read("watch_gyro"), axis=-1),
}
"""Distributions by title, each from what a dataset can give; those that it cannot are left out."""

SHARES = {
    "exercise": "exercise",
    "correct": "correct",
    "lead": "lead",
    "phone": "placement.phone.spot",
    "watch side": "placement.watch.side",
    "arms": "motion.arms",
    "line of sight": "line_of_sight",
    "phase": "phase",
    "activity": "activity",
    "physics": "dynamics",
}
"""Shares by title, and the field whose values are counted."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Summary:
    """What a dataset holds.

    Attributes:
        repetitions, samples, mountings: Of the whole dataset.
        seconds: Length of all repetitions, counted once whatever the number of mountings.
        read: Repetitions of the shards that were read; all that follows is of them.
        shares: By title and value; each title adds up to 1.
        faults: Share of the repetitions that have a fault at all, by its name.
        redraws: Refused draws a repetition, by reason.
        missing: Share of the values that are missing, by field.
        quantities: Finite values by title; of all mountings, where they differ.
    """

    repetitions: int
    samples: int
    mountings: int
    seconds: float
    read: int
    shares: dict[str, dict[str, float]] = field(default_factory=dict)
    faults: dict[str, float] = field(default_factory=dict)
    redraws: dict[str, float] = field(default_factory=dict)
    missing: dict[str, float] = field(default_factory=dict)
    quantities: dict[str, np.ndarray] = field(default_factory=dict, repr=False)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form; of a quantity its 5th, 50th and 95th percentile."""
        percentiles = {name: np.percentile(values, [5, 50, 95]).tolist() for name, values in self.quantities.items()}
        return asdict(self) | {"quantities": percentiles}


class _Reader:
    """Reads fields of some shards, of all mountings where they have values of their own."""

    def __init__(self, dataset: Dataset, shards: int):
        self.dataset = dataset
        chosen = np.unique(np.linspace(0, len(dataset.shards) - 1, min(shards, len(dataset.shards))).astype(int))
        begins = np.cumsum([0, *(shard.repetitions for shard in dataset.shards)])
        self.spans = [(int(begins[k]), int(begins[k + 1])) for k in chosen]
        self.rate_hz = float(dataset.recipe.get("rate_hz", np.nan))

    def __call__(self, name: str) -> np.ndarray:
        known = self.dataset.fields.get(name) or self.dataset.fields[f"drawn/{name}"]
        own = known.worn or name.startswith(("placement.", "devices."))
        mountings = range(self.dataset.mountings if own else 1)
        return np.concatenate([self.dataset.read(name, *span, mounting=k) for k in mountings for span in self.spans])

    def lengths(self) -> np.ndarray:
        """Samples of each repetition."""
        offsets = self.dataset.offsets("sample")
        return np.concatenate([np.diff(offsets[first : last + 1]) for first, last in self.spans])


def summarise(dataset: Dataset, *, shards: int = SHARDS) -> Summary:
    """Counts a dataset, and reads some of its shards for what has to be read.

    Args:
        dataset: Simulated, or made of recordings; what it does not have is left out.
        shards: How many to read at most.
    """
    read = _Reader(dataset, shards)
    drawn = [name.removeprefix("drawn/") for name in dataset.fields if name.startswith("drawn/")]
    samples = sum(shard.samples for shard in dataset.shards)
    return Summary(
        repetitions=len(dataset),
        samples=samples,
        mountings=dataset.mountings,
        seconds=samples / read.rate_hz,
        read=sum(last - first for first, last in read.spans),
        shares={title: _shares(read(name)) for title, name in SHARES.items() if _known(dataset, name)},
        faults={
            name.removeprefix("severity."): float((read(name) > 0).mean())
            for name in drawn
            if name.startswith("severity.")
        },
        redraws={
            name.removeprefix("redraws."): float(read(name).mean()) for name in drawn if name.startswith("redraws.")
        },
        missing={name: float(np.isnan(read(name)).mean()) for name, field in dataset.fields.items() if field.nullable},
        quantities={title: values for title, way in QUANTITIES.items() if (values := _finite(way, read)) is not None},
    )


def _known(dataset: Dataset, name: str) -> bool:
    return name in dataset.fields or f"drawn/{name}" in dataset.fields


def _shares(values: np.ndarray) -> dict[str, float]:
    found, counts = np.unique(values, return_counts=True)
    return {str(value): float(share) for value, share in zip(found, counts / counts.sum(), strict=True)}


def _finite(way: Callable[[_Reader], np.ndarray], read: _Reader) -> np.ndarray | None:
    try:
        values = np.ravel(way(read)).astype(float)
    except KeyError:
        return None
    values = values[np.isfinite(values)]
    return values if len(values) else None
