"""Which labels are held out, and that no label stands on both sides."""

from dataclasses import replace

import numpy as np
import pytest
from synthetic import sequences

from real2sim.labels import held_out_parts, without_labels
from real2sim.sequences import Sequence


def recording(subject: int, *, repetitions: int, seed: int = 0) -> Sequence:
    """A made sequence in numbered repetitions, or in none."""
    made = sequences(1, seed, subject=subject)[0]
    number = np.arange(len(made)) * repetitions // len(made) if repetitions else np.full(len(made), -1)
    return replace(made, repetition=number.astype(np.int64), count=repetitions)


def labels(parts: list[Sequence]) -> set[tuple[int, int]]:
    return {(k, int(t)) for k, sequence in enumerate(parts) for t in np.flatnonzero(sequence.phase >= 0)}


CASES = {
    "several people": [recording(person, repetitions=4, seed=person) for person in (1, 2, 3, 4)],
    "two people": [recording(person, repetitions=4, seed=person) for person in (1, 2)],
    "one person": [recording(1, repetitions=4), recording(1, repetitions=3, seed=1)],
    "no numbers": [recording(1, repetitions=0, seed=seed) for seed in range(4)],
}


@pytest.mark.parametrize("made", CASES.values(), ids=CASES)
def test_every_label_is_held_out_once_and_never_trained_on_then(made):
    ways = held_out_parts(made, np.random.default_rng(0))
    assert 2 <= len(ways) <= 3
    for train, held in ways:
        assert labels(train)
        assert labels(held)
        assert not labels(train) & labels(held)
        assert labels(train) | labels(held) == labels(made)
    assert set.union(*(labels(held) for _, held in ways)) == labels(made)


@pytest.mark.parametrize("made", CASES.values(), ids=CASES)
def test_repetitions_are_never_divided(made):
    for parts in held_out_parts(made, np.random.default_rng(0)):
        for part in parts:
            for before, after in zip(made, part, strict=True):
                for number in np.unique(before.repetition):
                    kept = (after.phase >= 0)[before.repetition == number]
                    assert kept.all() or not kept.any()


def test_several_people_are_dealt_whole():
    for train, held in held_out_parts(CASES["several people"], np.random.default_rng(0)):
        of = [{s.subject for s in part if (s.phase >= 0).any()} for part in (train, held)]
        assert not of[0] & of[1]


@pytest.mark.parametrize(
    "made", [[recording(1, repetitions=1)], without_labels(CASES["two people"])], ids=["one", "none"]
)
def test_too_few_repetitions_cannot_be_dealt(made):
    assert held_out_parts(made, np.random.default_rng(0)) == []


def test_labels_taken_away_leave_the_values():
    made = CASES["two people"]
    bare = without_labels(made)
    assert not labels(bare)
    assert all(np.array_equal(a.values, b.values) for a, b in zip(made, bare, strict=True))
