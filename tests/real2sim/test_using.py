"""A run in use: networks with random weights in a run folder, and recordings that nobody made a run of."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from real2sim import Converter
from real2sim.cli import main
from real2sim.compute import reproducible
from real2sim.conversion import convert
from real2sim.converter import ConvertAndRecognise, fold_of
from real2sim.networks import Recogniser, Sizes, TwoEncoderVAE, save_network
from real2sim.parties import _read, deal_people, fingerprint, whole_party
from real2sim.recordings import Labels, Recording, Stream
from real2sim.recordings.plain import COLUMNS, UNITS, read_folder, write_folder
from real2sim.repetitions import (
    Reading,
    calibrate,
    counted_wrong,
    overconfidence,
    phases,
    repetitions,
    stretches,
    tempered,
)
from real2sim.run import Config, Run, RunError
from real2sim.sequences import Sequence, channels_of
from real2sim.using import export_model, sequence_of, upright_probabilities
from real2sim.windows import Statistics

GROUPS = ("watch", "range")
CHANNELS = channels_of(GROUPS)
STATISTICS = Statistics(
    channels=CHANNELS,
    mean=np.array([0.0, 0.0, 9.8, 0.0, 0.0, 0.0, 0.5]),
    std=np.array([2.0, 2.0, 2.0, 1.0, 1.0, 1.0, 0.2]),
)
SIZES = Sizes(channels=len(CHANNELS), hidden=6, features=4, devices=((0, 3),))


def make_recording(subject: int, *, name: str = "", groups: tuple[str, ...] = GROUPS, rate_hz: float = 50) -> Recording:
    rng = np.random.default_rng(subject)
    t = np.arange(0, 12, 1 / rate_hz)
    values = STATISTICS.mean + 0.5 * np.sin(t)[:, None] * STATISTICS.std + 0.1 * rng.normal(size=(len(t), 7))
    made = {"watch": values[:, :6], "range": np.abs(values[:, 6:])}
    streams = {g: Stream(t=t, values=made[g], columns=COLUMNS[g], units=UNITS[g]) for g in groups}
    labels = Labels(t=t, phase=(np.sin(t) > 0).astype(np.int8), repetition=np.zeros(len(t), np.int64))
    return Recording(name=name or f"r{subject}", subject=subject, exercise="squat", labels=labels, **streams)


def make_run(folder: Path, real: Path, *, folds: int = 0, seeds: int = 2) -> Run:
    run = Run.start(folder, Config(real=str(real.resolve()), test=str(real.resolve()), seeds=seeds, folds=folds))
    run.save()
    run.checked.write_text(json.dumps({"channels": GROUPS, "digest": fingerprint(whole_party(run.config))}))
    for seed in run.seeds:
        with reproducible(seed):
            save_network(run.network("recogniser-randomised", seed), Recogniser(SIZES), STATISTICS)
            for fold in run.folds:
                network = TwoEncoderVAE(SIZES)
                network.fixed_style.copy_(torch.randn(SIZES.style))
                save_network(run.network("two-encoder", seed, fold), network, STATISTICS)
    return run


@pytest.fixture(scope="module")
def recordings(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("recordings") / "made"
    write_folder(folder, [make_recording(subject) for subject in range(1, 5)])
    return folder


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("elsewhere") / "made"
    write_folder(folder, [make_recording(1, name="other")])
    return folder


@pytest.fixture(scope="module")
def run(recordings, tmp_path_factory) -> Run:
    return make_run(tmp_path_factory.mktemp("run") / "plain", recordings)


@pytest.fixture(scope="module")
def folded(recordings, tmp_path_factory) -> Run:
    return make_run(tmp_path_factory.mktemp("run") / "folded", recordings, folds=2, seeds=1)


def make_sequence(length: int) -> Sequence:
    rng = np.random.default_rng(length)
    values = (STATISTICS.mean + STATISTICS.std * rng.normal(size=(length, 7))).astype(np.float32)
    values[rng.random(values.shape) < 0.1] = np.nan
    nothing = np.full(length, -1)
    return Sequence(
        name="made", subject=1, rate_hz=20.0, channels=CHANNELS, values=values, phase=nothing, repetition=nothing
    )


LENGTHS = (1, 7, 39, 40, 41, 50, 53, 127)


class TestStreaming:
    @pytest.mark.parametrize("chunk", [1, 3, 10, 40, 64, 1000], ids="chunks of {}".format)
    @pytest.mark.parametrize("length", LENGTHS, ids="{} samples".format)
    def test_gives_the_whole_whatever_the_chunks(self, run, length, chunk):
        converter, sequence = Converter.load(run), make_sequence(length)
        stream = converter.stream()
        given = [stream.push(sequence.values[i : i + chunk]) for i in range(0, length, chunk)]
        np.testing.assert_array_equal(np.concatenate([*given, stream.finish()]), converter(sequence).values)

    @pytest.mark.parametrize("length", LENGTHS, ids="{} samples".format)
    def test_the_whole_is_what_a_run_converts(self, run, length):
        converter, sequence = Converter.load(run), make_sequence(length)
        expected = convert(converter.network, [sequence], converter.statistics, window=40, stride=10)[0]
        np.testing.assert_allclose(converter(sequence).values, expected.values, atol=1e-5)

    def test_a_result_comes_once_latency_samples_followed(self, run):
        stream, values = Converter.load(run).stream(), make_sequence(127).values
        given = np.cumsum([len(stream.push(values[i : i + 1])) for i in range(127)])
        np.testing.assert_array_equal(given, np.maximum(np.arange(1, 128) - stream.latency, 0))

    def test_nothing_gives_nothing_and_a_finished_stream_takes_no_more(self, run):
        stream = Converter.load(run).stream()
        assert stream.finish().shape == (0, 7)
        with pytest.raises(ValueError, match="finished"):
            stream.push(np.zeros((1, 7)))


def test_a_sequence_with_other_channels_or_rate_is_refused(run):
    sequence = dataclasses.replace(make_sequence(50), rate_hz=50.0)
    with pytest.raises(RunError, match="at 50 Hz, expected the run's"):
        Converter.load(run)(sequence)


class TestRepetitions:
    @pytest.mark.parametrize(
        ("upright", "told"),
        [
            ([], []),
            ([0.9, 0.5, 0.1, 0.5, 0.9], [1, 1, 0, 0, 1]),
            ([0.55, 0.45, 0.55], [1, 1, 1]),
            ([0.45, 0.55, 0.7], [0, 0, 1]),
        ],
        ids=["empty", "keeps its phase in between", "unsure throughout", "begins unsure"],
    )
    def test_hysteresis(self, upright, told):
        assert phases(np.array(upright)).tolist() == told

    @pytest.mark.parametrize(
        ("phase", "count"),
        [("1", 0), ("0", 0), ("101", 1), ("10", 0), ("01", 1), ("10101", 2), ("1010", 1)],
    )
    def test_a_repetition_is_down_and_up_again(self, phase, count):
        upright = np.repeat([0.9 if one == "1" else 0.2 for one in phase], 10)
        found = repetitions(stretches(upright))
        assert len(found) == count
        for repetition in found:
            assert repetition.confidence == pytest.approx(0.8)
            assert repetition.stop - repetition.start == 10


def test_converted_recordings_can_be_read_and_converted_again(run, elsewhere, tmp_path):
    out, again = tmp_path / "converted", tmp_path / "again"
    assert main(["convert", "--run", str(run.folder), str(elsewhere), "--out", str(out)]) == 0
    measured, converted = read_folder(elsewhere)[0], read_folder(out)[0]
    expected = Converter.load(run)(sequence_of(run, measured))
    assert converted.watch is not None
    np.testing.assert_allclose(converted.watch.t[0], expected.start_s)
    np.testing.assert_array_equal(converted.watch.values.astype(np.float32), expected.values[:, :6])
    assert converted.labels is not None
    np.testing.assert_array_equal(converted.labels.phase, measured.labels.phase)
    assert main(["convert", "--run", str(run.folder), str(out), "--out", str(again)]) == 0


def test_phases_are_the_mean_of_all_seeds(run, elsewhere, capsys):
    recording = read_folder(elsewhere)[0]
    told = upright_probabilities(run, recording, elsewhere)
    assert told.shape[0] == 2
    assert not np.allclose(told[0], told[1])
    assert main(["phases", "--run", str(run.folder), str(elsewhere / "other"), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    found = stretches(told.mean(axis=0))
    assert [p["confidence"] for p in document["phases"]] == pytest.approx([s.confidence for s in found])
    assert document["repetitions"] == len(repetitions(found))
    assert main(["phases", "--run", str(run.folder), str(elsewhere / "other")]) == 0
    assert "networks count the same" in capsys.readouterr().out


def test_the_exported_program_gives_what_the_networks_give(run, tmp_path):
    differences = export_model(run, tmp_path / "squat.pt2")
    assert max(differences.values()) <= 1e-5
    facts = {"squat.json": ""}
    program = torch.export.load(tmp_path / "squat.pt2", extra_files=facts).module()
    assert json.loads(facts["squat.json"])["channels"] == list(CHANNELS)
    sequence = make_sequence(40)
    converted, upright = program(torch.from_numpy(sequence.values)[None])
    np.testing.assert_allclose(converted[0].numpy(), Converter.load(run)(sequence).values, atol=1e-5)
    assert upright.shape == (1, 40)


def test_a_program_that_gives_something_else_is_not_written(run, tmp_path, monkeypatch):
    forward = ConvertAndRecognise.forward

    def drifting(self, x):
        converted, upright = forward(self, x)
        return converted if torch.compiler.is_exporting() else converted + 1e-3, upright

    monkeypatch.setattr(ConvertAndRecognise, "forward", drifting)
    with pytest.raises(RunError, match="differs by"):
        export_model(run, tmp_path / "squat.pt2")
    assert not (tmp_path / "squat.pt2").exists()


class TestFolds:
    def test_a_person_of_the_run_is_converted_by_networks_that_have_not_seen_them(self, folded, recordings):
        for fold, tested in enumerate(deal_people(folded.config)):
            assert {fold_of(folded, recordings, person, None) for person in tested} == {fold}

    def test_the_same_number_in_another_folder_is_another_person(self, folded, elsewhere):
        assert fold_of(folded, elsewhere, 1, None) is None

    def test_changed_recordings_are_refused(self, recordings, tmp_path):
        real = tmp_path / "real"
        write_folder(real, [make_recording(subject) for subject in (1, 2, 3)])
        run = make_run(tmp_path / "run", real, folds=2, seeds=1)
        run.checked.write_text(json.dumps({"channels": GROUPS, "digest": "of others"}))
        _read.cache_clear()
        with pytest.raises(RunError, match="other recordings"):
            fold_of(run, real, 1, None)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--row", "nothing"], "expected the name of a row"),
        (["--row", "randomised"], "expected one that converts"),
        (["--row", "one-encoder"], "is not trained"),
        (["--seed", "9"], "expected one of 0, 1"),
        (["--fold", "1"], "the run has no folds"),
    ],
    ids=["no such row", "a row that does not convert", "not trained", "no such seed", "no folds"],
)
def test_errors_are_one_sentence(run, elsewhere, tmp_path, capsys, options, message):
    out = tmp_path / "converted"
    assert main(["convert", "--run", str(run.folder), str(elsewhere), "--out", str(out), *options]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
    assert not out.exists()


def test_a_folder_of_strangers_asks_for_the_fold(folded, elsewhere, tmp_path, capsys):
    command = ["convert", "--run", str(folded.folder), str(elsewhere), "--out", str(tmp_path / "converted")]
    assert main(command) == 2
    assert "expected 0, 1" in capsys.readouterr().err
    assert main([*command, "--fold", "1"]) == 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"groups": ("watch",)}, "lacks range"), ({"rate_hz": 10}, "expected at least the 20 Hz")],
    ids=["a stream is missing", "too slow"],
)
def test_recordings_that_do_not_match_the_run_are_refused(run, tmp_path, capsys, changes, message):
    write_folder(tmp_path / "odd", [make_recording(1, **changes)])
    assert main(["phases", "--run", str(run.folder), str(tmp_path / "odd" / "r1")]) == 2
    assert message in capsys.readouterr().err


def test_importing_the_package_loads_no_torch():
    code = "import sys, real2sim; print('torch' in sys.modules); real2sim.Converter; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]


class TestCalibration:
    PHASE = tuple(np.repeat([1, 0, 1], [20, 15, 20]).astype(np.int8) for _ in range(8))

    def probabilities(self, upright: float, down: float) -> list[np.ndarray]:
        rng = np.random.default_rng(0)
        return [np.clip(np.where(p == 1, upright, down) + rng.normal(0, 0.02, len(p)), 0, 1) for p in self.PHASE]

    @pytest.mark.parametrize(("upright", "down"), [(0.9, 0.48), (0.55, 0.1), (0.9, 0.1)], ids=["high", "low", "clear"])
    def test_shifted_probabilities_are_counted(self, upright, down):
        told = self.probabilities(upright, down)
        reading = calibrate(told, self.PHASE, 20.0)
        assert counted_wrong(told, self.PHASE, reading) == 0
        assert (counted_wrong(told, self.PHASE, Reading()) == 0) == (upright > 0.6 and down < 0.4)

    def test_clear_probabilities_leave_the_defaults(self):
        reading = calibrate(self.probabilities(0.9, 0.1), self.PHASE, 20.0)
        assert dataclasses.replace(reading, temperature=1.0) == Reading()

    def test_flickering_is_no_repetition(self):
        told = [np.where(np.arange(len(p)) % 9 == 4, 0.9 - p, p) for p in self.probabilities(0.9, 0.1)]
        told = [np.clip(one, 0, 1) for one in told]
        assert counted_wrong(told, self.PHASE, Reading()) > 0
        assert counted_wrong(told, self.PHASE, calibrate(told, self.PHASE, 20.0)) == 0

    @pytest.mark.parametrize("sharpness", [0.5, 1.0, 2.5], ids="logits times {}".format)
    def test_the_temperature_undoes_a_false_certainty(self, sharpness):
        rng = np.random.default_rng(1)
        logits = rng.normal(0, 2, 4000)
        phase = (rng.random(4000) < 1 / (1 + np.exp(-logits))).astype(np.int8)
        told = 1 / (1 + np.exp(-sharpness * logits))
        reading = calibrate(np.split(told, 40), np.split(phase, 40), 20.0)
        assert reading.temperature == pytest.approx(sharpness, rel=0.15)
        assert overconfidence(tempered(told, reading.temperature), phase) < 0.03
        if sharpness != 1.0:
            assert overconfidence(told, phase) > 0.04

    def test_a_reading_that_makes_no_sense_is_refused(self):
        with pytest.raises(ValueError, match="expected 0 < down_below"):
            Reading(down_below=0.7, upright_above=0.3)

    def test_the_first_and_the_last_stretch_may_be_short(self):
        upright = np.repeat([0.1, 0.9, 0.1, 0.9], [2, 10, 2, 2])
        assert phases(upright, Reading(shortest=5)).tolist() == [0] * 2 + [1] * 14
