"""Metrics against their definitions, intervals against known sampling, and the guard of the protocol."""

import json
from dataclasses import replace

import numpy as np
import pytest

from real2sim.evaluation import (
    Result,
    accuracy,
    balanced_accuracy,
    confusion_matrix,
    difference,
    format_table,
    macro_f1,
    refuse_overlap,
    result,
    tally,
)
from real2sim.sequences import Sequence


def person(subject, length=200, seed=0):
    phase = (np.random.default_rng(seed + subject).random(length) < 0.7).astype(np.int8)
    return Sequence(
        name=f"p{subject}",
        subject=subject,
        rate_hz=20.0,
        channels=("range",),
        values=np.zeros((length, 1), dtype=np.float32),
        phase=phase,
        repetition=np.full(length, -1),
    )


def wrong_in(sequence, share, seed=0):
    """Predictions of which exactly `share` are wrong."""
    order = np.random.default_rng(seed).permutation(len(sequence))
    flipped = np.zeros(len(sequence), dtype=bool)
    flipped[order[: round(share * len(sequence))]] = True
    return np.where(flipped, 1 - sequence.phase, sequence.phase)


def rows(shares_by_seed, sequences):
    return [
        [wrong_in(s, share, seed) for s, share in zip(sequences, shares, strict=True)]
        for seed, shares in enumerate(shares_by_seed)
    ]


def test_metrics_agree_with_their_definitions():
    truth = np.array([0, 0, 0, 0, 1, 1, -1])
    predicted = np.array([0, 0, 0, 1, 1, 0, 0])
    matrix = confusion_matrix(truth, predicted)
    np.testing.assert_array_equal(matrix, [[3, 1], [1, 1]])
    assert accuracy(matrix) == pytest.approx(4 / 6)
    assert balanced_accuracy(matrix) == pytest.approx((3 / 4 + 1 / 2) / 2)
    assert macro_f1(matrix) == pytest.approx((6 / 8 + 2 / 4) / 2)


def test_metrics_leave_absent_classes_out():
    matrix = confusion_matrix(np.array([1, 1, 1, 1]), np.array([1, 1, 1, 2]), classes=4)
    assert balanced_accuracy(matrix) == pytest.approx(3 / 4)
    assert macro_f1(matrix) == pytest.approx((6 / 7 + 0) / 2)


@pytest.mark.parametrize(
    ("truth", "predicted", "message"),
    [
        (np.zeros(3, int), np.zeros(4, int), "shape"),
        (np.zeros(3, int), np.full(3, 2), r"classes \[0, 2\]"),
        (np.zeros(3, int), np.full(3, -1), r"classes \[-1, 0\]"),
        (np.zeros(3, int), np.full(3, 0.7), "whole numbers"),
    ],
    ids=["length", "too high", "negative", "probabilities"],
)
def test_confusion_refuses(truth, predicted, message):
    with pytest.raises(ValueError, match=message):
        confusion_matrix(truth, predicted)


def test_result_averages_over_seeds_and_pools_people():
    sequences = [person(1, 100), person(2, 300)]
    got = result(tally("row", rows([(0.1, 0.3), (0.2, 0.4)], sequences), sequences), np.random.default_rng(0))
    assert got.accuracy == pytest.approx(1 - np.mean([0.1 * 0.25 + 0.3 * 0.75, 0.2 * 0.25 + 0.4 * 0.75]))
    assert (got.seeds, got.people) == (2, (1, 2))
    assert got.interval[0] <= got.accuracy <= got.interval[1]


def test_result_is_json_with_the_agreed_keys():
    sequences = [person(1), person(2)]
    counts = tally("row", rows([(0.1, 0.3)], sequences), sequences, simulation="wide")
    row = json.loads(json.dumps(result(counts, np.random.default_rng(0)).to_json(), allow_nan=False))
    expected = {"row", "accuracy", "balanced_accuracy", "macro_f1", "interval", "seeds", "people", "simulation"}
    assert set(row) == expected
    assert len(row["interval"]) == 2
    assert "simulation" not in result(replace(counts, simulation=""), np.random.default_rng(0)).to_json()


def test_result_survives_json():
    sequences = [person(1), person(2)]
    made = result(tally("row", rows([(0.1, 0.3)], sequences), sequences, simulation="wide"), np.random.default_rng(0))
    read = Result.from_json(json.loads(json.dumps(made.to_json())))
    assert read.to_json() == made.to_json()
    with pytest.raises(ValueError, match=r"'row' without \['macro_f1', 'seeds'\]"):
        Result.from_json({k: v for k, v in made.to_json().items() if k not in ("seeds", "macro_f1")})


def test_table_shows_every_row_in_percent():
    sequences = [person(1), person(2)]
    counts = tally("two-encoder", rows([(0.1, 0.4)], sequences), sequences, simulation="wide")
    table = format_table([result(replace(counts, row=name), np.random.default_rng(0)) for name in ("raw", "ours")])
    head, rule, *body = table.splitlines()
    assert set(rule) == {"-", " "}
    assert [line.split()[0] for line in body] == ["raw", "ours"]
    assert head.index("accuracy") == body[0].index("75.0%")
    assert "60.0% to 90.0%" in body[1]
    assert format_table([]).startswith("row")


def test_unlabelled_samples_and_people_do_not_count():
    known, blank = person(1), replace(person(2), phase=np.full(200, -1, dtype=np.int8))
    counts = tally("row", [[wrong_in(known, 0.25), np.zeros(200, int)]], [known, blank])
    assert counts.people == (1,)
    assert result(counts, np.random.default_rng(0)).accuracy == pytest.approx(0.75)


def test_interval_depends_on_the_generator_alone():
    sequences = [person(i) for i in range(6)]
    counts = tally("row", rows([np.linspace(0, 0.5, 6)] * 3, sequences), sequences)
    first, same, other = (result(counts, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first == same
    assert first.interval != other.interval


def test_interval_covers_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(3)
    covered = 0
    for trial in range(200):
        sequences = [person(i, seed=1000 * trial) for i in range(15)]
        shares = rng.normal(0.3, 0.08, 15).clip(0, 1)
        counts = tally("row", rows([shares], sequences), sequences)
        low, high = result(counts, rng, draws=400).interval
        covered += low <= 0.7 <= high
    assert 0.87 <= covered / 200 <= 0.98  # the percentile bootstrap of 15 people undercovers a little


def test_two_people_span_the_interval():
    sequences = [person(1), person(2)]
    got = result(tally("row", rows([(0.1, 0.4)], sequences), sequences), np.random.default_rng(0))
    assert got.interval == pytest.approx((0.6, 0.9))


def test_seeds_widen_the_interval():
    sequences = [person(i) for i in range(5)]
    steady = tally("row", rows([(0.3,) * 5] * 3, sequences), sequences)
    shaky = tally("row", rows([(0.1,) * 5, (0.3,) * 5, (0.5,) * 5], sequences), sequences)
    width = [np.ptp(result(counts, np.random.default_rng(0)).interval) for counts in (steady, shaky)]
    assert width[0] == pytest.approx(0.0)
    assert width[1] > 0.2


def test_paired_difference_is_surer_than_either_row():
    sequences = [person(i) for i in range(8)]
    base = np.linspace(0.1, 0.5, 8)
    better = tally("better", rows([base - 0.05] * 3, sequences), sequences)
    worse = tally("worse", rows([base] * 3, sequences), sequences)
    got = difference(better, worse, np.random.default_rng(0))
    assert got.value == pytest.approx(0.05)
    assert got.interval[0] > 0.03
    assert np.ptp(result(worse, np.random.default_rng(0)).interval) > 3 * np.ptp(got.interval)
    back = difference(worse, better, np.random.default_rng(0))
    assert back.interval == pytest.approx((-got.interval[1], -got.interval[0]))


def test_difference_refuses_other_people():
    a, b = [person(1), person(2)], [person(1), person(3)]
    with pytest.raises(ValueError, match="the same people"):
        difference(tally("a", rows([(0.1, 0.1)], a), a), tally("b", rows([(0.1, 0.1)], b), b), np.random.default_rng(0))


def test_tally_refuses_missing_predictions():
    with pytest.raises(ValueError, match="seed 1: got predictions for 1 sequences, expected 2"):
        tally("row", [[np.zeros(200, int)] * 2, [np.zeros(200, int)]], [person(1), person(2)])
    with pytest.raises(ValueError, match="0 seeds"):
        tally("row", [], [person(1)])


def test_nobody_is_in_two_parties():
    refuse_overlap([1, 2], [3, 4])
    with pytest.raises(ValueError, match=r"the people \[2\]"):
        refuse_overlap([1, 2], [2, 3])
