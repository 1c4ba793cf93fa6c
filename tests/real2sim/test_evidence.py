"""Figures of the report on problems with known answers."""

from dataclasses import replace

import numpy as np
import pytest
from synthetic import sequences, windows

from real2sim.evaluation import Result
from real2sim.evidence import errors_over_repetition, probe, spectrum, told_apart
from real2sim.pictures import label_curve
from real2sim.windows import Statistics, Windows, cut, statistics_of


@pytest.mark.parametrize(("shift", "low", "high"), [(0.0, 0.3, 0.68), (4.0, 0.9, 1.0)], ids=["same", "shifted"])
def test_domains_are_told_apart_where_they_differ(shift, low, high):
    one = sequences(40, 0)
    scale = statistics_of(one)
    assert low <= told_apart(cut(one, scale), cut(sequences(40, 1, shift=shift), scale), seed=0) <= high


@pytest.mark.parametrize(("knows", "expected"), [(0.0, 0.5), (3.0, 0.9)], ids=["nothing", "the phase"])
def test_the_probe_reads_what_a_latent_knows(knows, expected):
    rng = np.random.default_rng(0)
    phase = (rng.random(2000) < 0.2).astype(int)
    latent = rng.normal(size=(2000, 6))
    latent[:, 2] += knows * phase
    assert probe(latent, phase, np.arange(2000) % 2) == pytest.approx(expected, abs=0.06)


def test_a_sine_has_its_amplitude_at_its_frequency():
    time = np.arange(40) / 20.0
    values = np.zeros((5, 40, 3), np.float32)
    values[:, :, 1] = np.sin(2 * np.pi * 3.0 * time)
    made = windows(1, 0)
    some = Windows(
        channels=made.channels,
        values=values,
        present=values == values,
        phase=np.zeros((5, 40), np.int8),
        sequence=np.arange(5),
        start=np.zeros(5, int),
    )
    scale = Statistics(channels=made.channels, mean=np.zeros(3), std=np.array([1.0, 2.0, 1.0]))
    amplitude = spectrum(some, scale, made.channels[:2])
    assert np.linspace(0, 10, 21)[amplitude.argmax()] == 3.0
    assert amplitude[12:].max() < 0.01 * amplitude.max()
    assert spectrum(some, scale, made.channels[:1]).max() == 0.0


def test_errors_are_put_where_they_are_in_the_repetition():
    phase = np.repeat([1, 0, 1, 1, 0, 1], 10).astype(np.int8)
    made = replace(
        sequences(1, 0)[0],
        values=np.zeros((60, 3), np.float32),
        phase=phase,
        repetition=np.repeat([1, 2], 30),
    )
    read = phase.astype(float)
    read[10:13] = 1.0
    wrong, down = errors_over_repetition([made], [read], bins=3)
    assert wrong.tolist() == pytest.approx([0, 3 / 20, 0])
    assert down.tolist() == [0, 1, 0]


def result(row: str) -> Result:
    return Result(
        row=row,
        accuracy=0.5,
        balanced_accuracy=0.5,
        macro_f1=0.5,
        interval=(0.4, 0.6),
        seeds=1,
        people=(1,),
        simulation="",
    )


def test_the_curve_goes_from_few_labels_to_all():
    rows = ["raw", "two-encoder", "two-encoder@0", "two-encoder@all", "two-encoder@5", "fine-tuned"]
    curve = label_curve([result(row) for row in rows], 20)
    assert [labels for labels, _ in curve["two-encoder"]] == ["0", "5", "20", "all"]
    assert [labels for labels, _ in curve["fine-tuned"]] == ["20"]
    assert label_curve([result("raw"), result("two-encoder")], 20) == {}
