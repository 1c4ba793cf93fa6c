"""How well other questions than the phase are answered from the test recordings, with and without conversion."""

import json
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from generators.store import Dataset
from real2sim import training
from real2sim.conversion import convert
from real2sim.evaluation import Amounts, amount_difference, amount_mean, difference, result, tally
from real2sim.material import place, simulated_sequences
from real2sim.method import Model
from real2sim.methods.questions import (
    QUESTIONS,
    SIMULATION,
    WAYS,
    Movement,
    Question,
    drop_of_repetition,
    model_of,
    movement_of_recording,
    movements_of_sequences,
)
from real2sim.networks import Recogniser, load_network
from real2sim.parties import unseen_recordings
from real2sim.rows import OURS, row_named
from real2sim.run import Run, RunError, write_text
from real2sim.sequences import Sequence, people
from real2sim.stages import converted_sequences, unseen_sequences
from real2sim.windows import cut, stitch


def asked(run: Run) -> tuple[Question, ...]:
    """The questions whose truth the test recordings hold.

    Raises:
        RunError: None of them.
    """
    recordings = [recording for fold in run.folds for recording in unseen_recordings(run.config, fold)]
    if any(recording.landmarks is None for recording in recordings):
        raise RunError(
            f"{run.config.test} has recordings without landmarks.csv, expected the joints to ask other questions of; "
            "leave out --questions"
        )
    known = all(recording.correct is not None and recording.exercise == "squat" for recording in recordings)
    return tuple(question for question in QUESTIONS if question.name != "correct" or known)


def answer(run: Run, question: Question, way: str, seed: int, fold: int | None) -> list[np.ndarray]:
    """Answers to a question from the test recordings: (T,) numbers, or (T, classes) probabilities."""
    row, model = row_named(OURS), model_of(question, way)
    assert row.converter is not None
    if way in CONVERTED:
        sequences = replace(row, recogniser=model).read(converted_sequences(run, row.converter.name, seed, fold))
    else:
        sequences = model.view(unseen_sequences(run, fold))
    return _read(run, question, model, sequences, seed, fold)


def answer_held_out(run: Run, question: Question, way: str, seed: int, fold: int | None) -> list[np.ndarray]:
    """The same from the simulated repetitions that were held out for validation."""
    converter, model = row_named(OURS).converter, model_of(question, way)
    assert converter is not None
    sequences = model.view(simulated_sequences(run, SIMULATION)[1])
    if way in CONVERTED:
        network, statistics, _ = load_network(place(run, converter, seed, fold))
        sequences = convert(network, sequences, statistics, window=run.config.window, stride=run.config.stride)
    return _read(run, question, model, sequences, seed, fold)


def _read(
    run: Run, question: Question, model: Model, sequences: list[Sequence], seed: int, fold: int | None
) -> list[np.ndarray]:
    path = place(run, model, seed, fold)
    network, statistics, _ = load_network(path)
    assert isinstance(network, Recogniser)
    given, expected = network.sizes.phases, max(1, question.classes)
    if given != expected:
        raise RunError(
            f"{path} gives {given} numbers a sample, expected {expected}; another version of this package has trained "
            "it: remove its two files and run again"
        )
    windows = cut(sequences, statistics, window=run.config.window, stride=run.config.stride)
    read = (lambda x: network(x).softmax(-1)) if question.classes else (lambda x: network(x)[..., 0])
    return stitch(training.apply(read, windows.values), windows, sequences)


def on_simulation(run: Run, question: Question, way: str) -> float:
    """How well a question is answered from held-out simulation, by the first training: a bound on what can be read."""
    sequences = simulated_sequences(run, SIMULATION)[1]
    movements = movements_of_sequences(Dataset(run.simulation(SIMULATION)), sequences)
    read = answer_held_out(run, question, way, run.seeds[0], run.folds[0])
    if not question.verdicts:
        errors = [_error(question, *pair) for pair in zip(movements, read, strict=True)]
        return float(np.nanmean(np.concatenate(errors)))
    truth = np.concatenate([_units(question, movement) for movement in movements])
    told = np.concatenate([_decided(question, *pair) for pair in zip(movements, read, strict=True)])
    kinds = range(question.verdicts)
    return 100 * float(np.mean([(told == k)[truth == k].mean() for k in kinds if (truth == k).any()]))


def evaluate(run: Run) -> None:
    """Writes `questions.json`: each question, each way, with intervals, and how much better conversion is."""
    sequences, movements = [], []
    for fold in run.folds:
        for recording, sequence in zip(unseen_recordings(run.config, fold), unseen_sequences(run, fold), strict=True):
            sequences.append(sequence)
            movements.append(movement_of_recording(recording, sequence))
    document = []
    for question in asked(run):
        answers = {
            way: [[a for fold in run.folds for a in answer(run, question, way, seed, fold)] for seed in run.seeds]
            for way in WAYS
        }
        judge = _judge_classes if question.verdicts else _judge_numbers
        judged = judge(run, question, answers, sequences, movements)
        for row in judged["rows"]:
            row["on_simulation"] = on_simulation(run, question, row["way"])
        chance = 100 / question.verdicts if question.verdicts else None
        document.append({"question": question.name, "chance": chance, **judged})
    write_text(run.questions, json.dumps(document, indent=1))


CONVERTED = ("converted", "unprepared")  # the ways that read converted recordings

Answers = dict[str, list[list[np.ndarray]]]


def _judge_numbers(
    run: Run, question: Question, answers: Answers, sequences: list[Sequence], movements: list[Movement]
) -> dict[str, Any]:
    """Mean absolute error in per cent of the drop of the repetition."""
    persons = people(sequences)
    counted = {}
    for way, of_way in answers.items():
        total, number = np.zeros((2, len(of_way), len(persons)))
        for seed, of_seed in enumerate(of_way):
            for sequence, movement, read in zip(sequences, movements, of_seed, strict=True):
                error = _error(question, movement, read)
                person = persons.index(sequence.subject)
                total[seed, person] += np.nansum(error)
                number[seed, person] += np.isfinite(error).sum()
        counted[way] = Amounts(row=way, people=persons, total=total, number=number)
    rng = partial(np.random.default_rng, run.config.seed)
    rows = []
    for way, amounts in counted.items():
        value, interval = amount_mean(amounts, rng())
        gain, gained = amount_difference(amounts, counted["converted"], rng())
        rows.append(_row(way, value, interval, gain, gained))
    return {"measure": "mean absolute error, % of the drop", "rows": rows}


def _judge_classes(
    run: Run, question: Question, answers: Answers, sequences: list[Sequence], movements: list[Movement]
) -> dict[str, Any]:
    """Balanced accuracy, a sample or a repetition at a time."""
    truths = [_units(question, movement) for movement in movements]
    targets = [
        replace(s, phase=truth, values=s.values[: len(truth)]) for s, truth in zip(sequences, truths, strict=True)
    ]
    tallies = {}
    for way, of_way in answers.items():
        decided = [[_decided(question, *pair) for pair in zip(movements, of_seed, strict=True)] for of_seed in of_way]
        tallies[way] = tally(way, decided, targets, classes=question.verdicts)
    rng = partial(np.random.default_rng, run.config.seed)
    rows = []
    for way, counts in tallies.items():
        found = result(counts, rng())
        gain = difference(tallies["converted"], counts, rng(), metric="balanced_accuracy")
        value, interval = found.balanced_accuracy, found.balanced_accuracy_interval
        rows.append(_row(way, 100 * value, _percent(interval), 100 * gain.value, _percent(gain.interval)))
        rows[-1]["accuracy"] = 100 * found.accuracy
    unit = "repetition" if question.once else "sample"
    return {"measure": f"balanced accuracy, % of each {unit}", "rows": rows}


def _error(question: Question, movement: Movement, read: np.ndarray) -> np.ndarray:
    """Errors (T,) in per cent of the drop of the repetition."""
    return 100 * np.abs(read - question.truth(movement)) / drop_of_repetition(movement)


def _units(question: Question, movement: Movement) -> np.ndarray:
    """The true answer (-1 unknown) of every sample, or of every repetition where that is asked."""
    if not question.once:
        answer = question.truth(movement)
    else:
        answer = np.array([movement.correct[movement.repetition == number][0] for number in _numbers(movement)])
    return np.where(np.isfinite(answer), answer, -1).astype(np.int8)


def _decided(question: Question, movement: Movement, read: np.ndarray) -> np.ndarray:
    """The answer of a sample, from probabilities (T, classes); of a repetition, from the numbers (T,) read in it."""
    if not question.once:
        return read.argmax(1)
    return np.array([read[movement.repetition == number].min() <= 0.0 for number in _numbers(movement)], dtype=int)


def _numbers(movement: Movement) -> np.ndarray:
    """Of the repetitions."""
    return np.unique(movement.repetition[movement.repetition >= 0])


def _percent(interval: tuple[float, float]) -> tuple[float, float]:
    return 100 * interval[0], 100 * interval[1]


def _row(way: str, value: float, interval: Any, gain: float, gained: Any) -> dict[str, Any]:
    return {
        "way": way,
        "value": value,
        "interval": list(interval),
        "conversion_better_by": gain,
        "conversion_better_by_interval": list(gained),
    }


def format_questions(document: list[dict[str, Any]]) -> str:
    """The answers as a table to print."""
    lines = []
    for item in document:
        lines += ["", f"{item['question']}: {item['measure']}"]
        for row in item["rows"]:
            low, high = row["interval"]
            better, worse, best = row["conversion_better_by"], *row["conversion_better_by_interval"]
            gain = (
                ""
                if row["way"] == "converted"
                else f"   conversion better by {better:5.1f} ({worse:.1f} to {best:.1f})"
            )
            held_out = f"   on held-out simulation {row['on_simulation']:5.1f}"
            lines.append(f"  {row['way']:<10} {row['value']:6.1f}  ({low:.1f} to {high:.1f}){held_out}{gain}")
    return "\n".join(lines[1:])
