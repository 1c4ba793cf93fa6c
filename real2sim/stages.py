"""What each stage of a run does: check, simulate, train, convert, predict, evaluate."""

import json
import os
from collections.abc import Iterable
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np

from generators.store import Dataset, DatasetError, Repetition
from generators.store.dataset import write_dataset
from real2sim import training
from real2sim.compute import placed_on
from real2sim.conversion import convert as convert_sequences
from real2sim.conversion import read_converted
from real2sim.evaluation import difference, refuse_overlap, result, tally
from real2sim.labels import labelled_repetitions
from real2sim.material import Material, adaptation, place, simulated_sequences
from real2sim.method import Model
from real2sim.networks import Recogniser, is_saved, load_network, save_network
from real2sim.parties import (
    adaptation_recordings,
    channel_groups,
    fingerprint,
    on_grid,
    refuse_one_class,
    unseen_recordings,
)
from real2sim.rows import OURS, compared, model_named, row_named
from real2sim.run import Run, RunError, write_table_csv, write_text
from real2sim.sequences import GROUPS, Sequence, from_dataset, people
from real2sim.simulation import exercises_of, phone_spots_of
from real2sim.windows import Statistics, Windows, cut, stitch, take


def check_parties(run: Run, budgets: tuple[int, ...] = ()) -> None:
    """Refuses recordings that cannot serve, before anything long starts, and notes what they are.

    Args:
        run: The run.
        budgets: Numbers of labelled repetitions that rows ask for, besides the run's own.

    Raises:
        RunError: People in both parties, too few labels, one class only, channels or exercises that cannot be matched.
    """
    everything = []
    try:
        for fold in run.folds:
            adapt, test = adaptation_recordings(run.config, fold), unseen_recordings(run.config, fold)
            if fold is not None or Path(run.config.real) == Path(run.config.test):
                refuse_overlap({r.subject for r in adapt}, {r.subject for r in test})
            groups = channel_groups(run.config, [*adapt, *test])
            for name, party in (("--real", adapt), ("--test", test)):
                refuse_one_class(name, on_grid(run.config, party, groups))
            for labels in (run.config.labels, *budgets):
                sequences = on_grid(run.config, adapt, groups)
                labelled_repetitions(sequences, labels, np.random.default_rng(run.config.seed))
            everything = [*adapt, *test]
        facts = {
            "channels": groups,
            "exercises": exercises_of(everything),
            "phone_spots": run.config.placement or phone_spots_of(everything, groups),
            "digest": fingerprint(sorted(everything, key=lambda r: (r.subject, r.name))),
        }
    except RunError:
        raise
    except ValueError as error:
        raise RunError(str(error)) from error
    if run.config.sim is not None:
        _check_simulation(run, Dataset(run.config.sim))
    if run.checked.exists() and json.loads(run.checked.read_text())["digest"] != facts["digest"]:
        raise RunError(
            f"{run.folder} was made from other recordings than are in {run.config.real} now, expected the same; choose "
            "another --out"
        )
    write_text(run.checked, json.dumps(facts))


def _check_simulation(run: Run, dataset: Dataset) -> None:
    rate = dataset.recipe["rate_hz"]
    if rate != run.config.rate_hz:
        raise RunError(f"{run.config.sim} was made at {rate} Hz, expected {run.config.rate_hz} Hz; make it again so")


def simulate(run: Run, models: Iterable[Model], *, jobs: int, progress: bool) -> None:
    """Makes the simulated datasets that models need and that are not there."""
    from real2sim.simulation import make_dataset, recipe_of

    facts = json.loads(run.checked.read_text())
    names = dict.fromkeys(model.simulation for model in models if model.simulation)
    for name in names:
        folder = run.simulation(name)
        if not (folder / "manifest.json").exists():
            recipe = recipe_of(
                name,
                like=None if run.config.sim is None else Dataset(run.config.sim).recipe,
                reps=run.config.reps,
                seed=run.config.seed,
                rate_hz=run.config.rate_hz,
                exercises=facts["exercises"],
                phone_spots=facts["phone_spots"],
            )
            make_dataset(folder, recipe, jobs=jobs, progress=progress)


def unseen_sequences(run: Run, fold: int | None = None) -> list[Sequence]:
    """The test recordings on the run's grid."""
    return on_grid(run.config, unseen_recordings(run.config, fold), run.groups())


def _windows(run: Run, sequences: list[Sequence], statistics: Statistics) -> Windows:
    return cut(sequences, statistics, window=run.config.window, stride=run.config.stride)


def finished(run: Run, stage: str, name: str, seed: int, fold: int | None) -> bool:
    """Whether one part of a stage needs no further work."""
    if stage == "train":
        return is_saved(place(run, model_named(name), seed, fold))
    if stage == "convert":
        return (run.converted(name, seed, fold) / "manifest.json").exists()
    return run.predictions(name, seed, fold).exists()


def train(run: Run, name: str, seed: int, fold: int | None, *, device: str = "cpu") -> None:
    """Trains one model with one seed and saves it with its statistics, its curve and the digest of its data."""
    model = model_named(name)
    material = Material(run=run, model=model, seed=seed, fold=fold)
    with placed_on(device):
        trained = model.train(material)
    notes = {"uses": model.uses, "seed": seed, "device": device, **trained.notes}
    save_network(place(run, model, seed, fold), trained.network, trained.statistics, notes)
    material.checkpoint.unlink(missing_ok=True)


def _recogniser(run: Run, model: Model, seed: int, fold: int | None) -> tuple[Recogniser, Statistics]:
    network, statistics, _ = load_network(place(run, model, seed, fold))
    assert isinstance(network, Recogniser)
    return network, statistics


def convert(run: Run, name: str, seed: int, fold: int | None) -> None:
    """Converts the test recordings with one model and writes them in the datasets' own format."""
    model = model_named(name)
    path = place(run, model, seed, fold)
    if not is_saved(path):
        raise RunError(f"{path} is not trained, expected a trained model; run `squat train` first")
    network, statistics, _ = load_network(path)
    sequences = model.view(unseen_sequences(run, fold))
    sequences = convert_sequences(network, sequences, statistics, window=run.config.window, stride=run.config.stride)
    recipe = {"name": f"converted by {name}", "rate_hz": run.config.rate_hz, "seed": seed, "run": asdict(run.config)}
    folder = run.converted(name, seed, fold)
    folder.parent.mkdir(parents=True, exist_ok=True)
    write_dataset(folder, map(_as_repetition, range(len(sequences)), sequences), recipe=json.loads(json.dumps(recipe)))


def _as_repetition(index: int, sequence: Sequence) -> Repetition:
    """A converted recording as one item of a dataset."""
    column = {name: k for k, name in enumerate(sequence.channels)}
    sample: dict[str, np.ndarray] = {"time": sequence.start_s + np.arange(len(sequence)) / sequence.rate_hz}
    for field in ("watch_accel", "watch_gyro", "phone_accel", "phone_gyro"):
        if f"{field}_x" in column:
            sample[field] = sequence.values[:, [column[f"{field}_{axis}"] for axis in "xyz"]]
    if "range" in column:
        sample["range"] = sequence.values[:, column["range"]]
    sample["phase"] = sequence.phase
    return Repetition(
        index=index,
        sample=sample,
        repetition={"set": index, "repetition": 0, "subject": sequence.subject},
        drawn={"recording": sequence.name[:32]},
    )


def predict(run: Run, row: str, seed: int, fold: int | None) -> None:
    """Lets a row's recogniser read the test recordings and keeps its probability of "upright" for every sample."""
    plan, measured = row_named(row), unseen_sequences(run, fold)
    recogniser, statistics = _recogniser(run, plan.recogniser, seed, fold)
    if plan.converter is None:
        windows = _windows(run, plan.read(measured), statistics)
        probability = stitch(training.recognise(recogniser, windows), windows, measured)
    else:
        converter, scale, _ = load_network(place(run, plan.converter, seed, fold))
        seen, sizes = plan.converter.view(measured), {"window": run.config.window, "stride": run.config.stride}
        probability = read_converted(converter, recogniser, seen, scale, statistics, **sizes)
    path = run.predictions(row, seed, fold)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}-{os.getpid()}")
    with temporary.open("wb") as file:
        np.savez_compressed(
            file,
            upright=np.concatenate(probability).astype(np.float32),
            phase=np.concatenate([sequence.phase for sequence in measured]),
            offsets=np.cumsum([0, *map(len, probability)]),
            recording=np.array([sequence.name for sequence in measured]),
            subject=np.array([sequence.subject for sequence in measured]),
        )
    temporary.replace(path)


def converted_sequences(run: Run, name: str, seed: int, fold: int | None = None) -> list[Sequence]:
    """The converted test recordings as they were written.

    Raises:
        RunError: They have not been converted.
    """
    try:
        return from_dataset(Dataset(run.converted(name, seed, fold)), run.groups())
    except DatasetError as error:
        raise RunError(f"{error}; run `squat convert` first") from error


def read_predictions(run: Run, row: str, seed: int, fold: int | None = None) -> list[np.ndarray]:
    """Probability of "upright" (T,) for each test recording."""
    with np.load(run.predictions(row, seed, fold), allow_pickle=False) as file:
        return np.split(file["upright"], file["offsets"][1:-1])


def evaluate(run: Run, rows: tuple[str, ...]) -> None:
    """Counts the predictions of all folds together and writes the table."""
    sequences = [sequence for fold in run.folds for sequence in unseen_sequences(run, fold)]
    tallies = {}
    for name in rows:
        predicted = [
            [(p > 0.5).astype(int) for fold in run.folds for p in read_predictions(run, name, seed, fold)]
            for seed in run.seeds
        ]
        tallies[name] = tally(name, predicted, sequences, simulation=row_named(name).recogniser.simulation)
    rng = partial(np.random.default_rng, run.config.seed)
    results = [result(counts, rng()) for counts in tallies.values()]
    document = {
        "rows": [r.to_json() for r in results],
        "differences": [asdict(difference(tallies[a], tallies[b], rng())) for a, b in compared(rows)],
        "channels": [channel for group in GROUPS if group in run.groups() for channel in GROUPS[group]],
        "people": {
            "adapt": sorted({person for fold in run.folds for person in people(adaptation(run, fold))}),
            "test": list(people(sequences)),
        },
        "folds": run.config.folds,
        "labels": run.config.labels,
        "stand_in": run.config.stand_in,
    }
    write_table_csv(run.folder / "table.csv", results)
    write_text(run.table, json.dumps(document, indent=1))


def example(run: Run, seed: int) -> tuple[Windows, np.ndarray, np.ndarray]:
    """Simulated test windows and their reconstructions by the one- and the two-encoder model, normalised."""
    loaded = [load_network(place(run, model_named(name), seed, run.folds[0])) for name in ("one-encoder", OURS)]
    windows = _windows(run, simulated_sequences(run, "randomised")[2], loaded[0][1])
    windows = take(windows, np.arange(min(512, len(windows))))
    outputs = [training.apply(network.reconstruct, windows.values) for network, _, _ in loaded]  # type: ignore[arg-type]
    return windows, outputs[0], outputs[1]
