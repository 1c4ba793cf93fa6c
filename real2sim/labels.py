"""Which labels a method may see: the budget, and the part of it that is held out to decide when to stop."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Sequence as ListLike
from dataclasses import replace
from itertools import zip_longest
from typing import NamedTuple

import numpy as np

from real2sim.sequences import Sequence, people


def labelled_repetitions(sequences: ListLike[Sequence], count: int, rng: np.random.Generator) -> list[Sequence]:
    """Spend a budget of labelled repetitions, spread over people and their recordings.

    The choice goes round the people, and with each person round the recordings, so that no two people and no
    two recordings of a person differ by more than one choice while they still have something to give. A
    sequence without numbered repetitions is chosen as a whole and costs its `count`; it is passed over once
    that exceeds what is left.

    Args:
        sequences: Labelled sequences.
        count: Largest number of repetitions that may keep their labels.
        rng: Source of randomness.

    Returns:
        All sequences, in their order and whole; phase is -1 outside what was chosen.

    Raises:
        ValueError: If there are fewer labelled repetitions than `count`, or if the budget buys none of them.
    """
    queues = [
        _in_turn(
            [
                _labelled_units(sequences, i, rng)
                for i in rng.permutation(len(sequences))
                if sequences[i].subject == person
            ]
        )
        for person in rng.permutation(people(sequences))
    ]
    units = _in_turn(queues)
    available = sum(unit.cost for unit in units)
    if not 0 <= count <= available:
        raise ValueError(f"got a budget of {count} labelled repetitions, expected 0 to the {available} there are")
    left, kept = count, [np.zeros(len(sequence), dtype=bool) for sequence in sequences]
    for unit in units:
        if unit.cost <= left:
            kept[unit.sequence] |= unit.samples
            left -= unit.cost
    if count and left == count:
        raise ValueError(f"got a budget of {count} labelled repetitions, expected {units[0].cost}, the least there is")
    return _masked(sequences, kept)


class _Unit(NamedTuple):
    """What is labelled as one piece: samples (T,) of a sequence, and how many repetitions that costs."""

    sequence: int
    samples: np.ndarray
    cost: int


def _labelled_units(sequences: ListLike[Sequence], index: int, rng: np.random.Generator) -> list[_Unit]:
    sequence = sequences[index]
    labelled = sequence.phase >= 0
    numbers = np.unique(sequence.repetition[labelled & (sequence.repetition >= 0)])
    if len(numbers):
        return [_Unit(index, sequence.repetition == number, 1) for number in rng.permutation(numbers)]
    return [_Unit(index, labelled, max(sequence.count, 1))] if labelled.any() else []


def _in_turn(queues: Iterable[list[_Unit]]) -> list[_Unit]:
    """Return the first of each queue, then the second of each, and so on."""
    return [unit for turn in zip_longest(*queues) for unit in turn if unit is not None]


def available_repetitions(sequences: ListLike[Sequence]) -> int:
    """Return how many labelled repetitions there are."""
    rng = np.random.default_rng(0)
    return sum(unit.cost for index in range(len(sequences)) for unit in _labelled_units(sequences, index, rng))


def held_out_parts(
    sequences: ListLike[Sequence], rng: np.random.Generator, *, parts: int = 3
) -> list[tuple[list[Sequence], list[Sequence]]]:
    """Deal labels out into a part to train on and a part to stop by, so that each label is held out once.

    Where several people have labels, people are dealt; else repetitions are. A repetition is never divided:
    windows overlap, and a label that stood in both parts would make the held-out part flatter the training.

    Args:
        sequences: Sequences with labels.
        rng: Source of randomness.
        parts: Largest number of ways.

    Returns:
        For each way the sequences to train on and those held out, both whole, with phase -1 where the other
        part has the label. There is no way to deal a single repetition, or none: the list is then empty.
    """
    units = [unit for i in rng.permutation(len(sequences)) for unit in _labelled_units(sequences, i, rng)]
    owners = [sequences[unit.sequence].subject for unit in units]
    if len(set(owners)) < 2:
        owners = list(range(len(units)))
    if len(set(owners)) < 2:
        return []
    distinct = rng.permutation(sorted(set(owners)))
    ways = []
    for held in (set(part.tolist()) for part in np.array_split(distinct, min(parts, len(distinct)))):
        inside = [np.zeros(len(sequence), dtype=bool) for sequence in sequences]
        for unit, owner in zip(units, owners, strict=True):
            if owner in held:
                inside[unit.sequence] |= unit.samples
        ways.append((_masked(sequences, [~mask for mask in inside]), _masked(sequences, inside)))
    return ways


def without_labels(sequences: ListLike[Sequence]) -> list[Sequence]:
    """Return the sequences with every label taken away."""
    return _masked(sequences, [np.zeros(len(sequence), dtype=bool) for sequence in sequences])


def _masked(sequences: ListLike[Sequence], kept: ListLike[np.ndarray]) -> list[Sequence]:
    return [
        replace(sequence, phase=np.where(mask, sequence.phase, -1).astype(np.int8))
        for sequence, mask in zip(sequences, kept, strict=True)
    ]
