"""What each stage of a run does: check, simulate, train, convert, predict, evaluate."""

import json
import os
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np

from generators.store import Dataset, DatasetError, Repetition
from generators.store.dataset import write_dataset
from real2sim import training
from real2sim.conversion import choose_style
from real2sim.conversion import convert as convert_sequences
from real2sim.evaluation import difference, refuse_overlap, result, tally
from real2sim.labels import held_out_parts, labelled_repetitions
from real2sim.networks import Recogniser, TwoEncoderVAE, is_saved, load_network, save_network
from real2sim.recordings import Recording
from real2sim.recordings.plain import read_folder
from real2sim.rows import MODEL, ROW, ROWS
from real2sim.run import Config, Run, RunError, write_table_csv, write_text
from real2sim.windows import (
    GROUPS,
    Sequence,
    Statistics,
    Windows,
    available_groups,
    cut,
    from_dataset,
    from_recordings,
    people,
    split,
    statistics_of,
    stitch,
)

VALIDATION_SHARE = 0.15


def adaptation_recordings(config: Config) -> list[Recording]:
    """Recordings of the people whose data may be used."""
    return read_folder(config.real, subjects=config.subjects, exercise=config.exercise)


def test_recordings(config: Config) -> list[Recording]:
    """Recordings of the people that nothing but the final figures is made with."""
    return read_folder(config.test, subjects=config.test_subjects, exercise=config.exercise)


test_recordings.__test__ = False  # type: ignore[attr-defined]


def channel_groups(config: Config, recordings: list[Recording]) -> tuple[str, ...]:
    """The channel groups of a run: those asked for, else the watch and the range where every recording has them.

    Raises:
        RunError: A group asked for was not recorded, or there is none to use.
    """
    have = available_groups(recordings)
    wanted = config.channels or tuple(group for group in ("watch", "range") if group in have) or have
    if missing := [group for group in wanted if group not in have]:
        raise RunError(
            f"the recordings lack {', '.join(missing)}, expected the channels {', '.join(wanted)} in every one; choose"
            f" --channels of {', '.join(have)}"
        )
    return tuple(group for group in GROUPS if group in wanted)


def check_parties(run: Run) -> None:
    """Refuses recordings that cannot serve, before anything long starts.

    Raises:
        RunError: People in both parties, too few labels, one class only.
    """
    adapt, test = adaptation_recordings(run.config), test_recordings(run.config)
    try:
        if Path(run.config.real) == Path(run.config.test):
            refuse_overlap({r.subject for r in adapt}, {r.subject for r in test})
        groups = channel_groups(run.config, [*adapt, *test])
        for name, party in (("--real", adapt), ("--test", test)):
            sequences = from_recordings(party, groups, rate_hz=run.config.rate_hz)
            classes = set(np.unique(np.concatenate([s.phase for s in sequences]))) - {-1}
            if classes != {0, 1}:
                raise RunError(
                    f"the recordings of {name} hold the phases {sorted(map(int, classes))}, expected both 0 and 1;"
                    " choose recordings in which people move"
                )
            if name == "--real":
                labelled_repetitions(sequences, run.config.labels, np.random.default_rng(run.config.seed))
    except RunError:
        raise
    except ValueError as error:
        raise RunError(str(error)) from error
    if run.config.sim is not None:
        _check_simulation(run, Dataset(run.config.sim))
    write_text(run.checked, json.dumps(groups))


def _check_simulation(run: Run, dataset: Dataset) -> None:
    rate = dataset.recipe["rate_hz"]
    if rate != run.config.rate_hz:
        raise RunError(f"{run.config.sim} was made at {rate} Hz, expected {run.config.rate_hz} Hz; make it again so")


def groups_of(run: Run) -> tuple[str, ...]:
    """The channel groups that the run was checked with."""
    return tuple(json.loads(run.checked.read_text()))


def simulate(run: Run, *, jobs: int, progress: bool) -> None:
    """Makes the simulated datasets that are not there."""
    from real2sim.simulation import make_dataset

    for name in ("paper", "randomised"):
        wanted = name == "paper" or run.config.sim is None
        if wanted and not (run.simulation(name) / "manifest.json").exists():
            make_dataset(
                run.simulation(name),
                name,
                reps=run.config.reps,
                seed=run.config.seed,
                rate_hz=run.config.rate_hz,
                jobs=jobs,
                progress=progress,
            )


def simulated(run: Run, name: str) -> tuple[list[Sequence], list[Sequence]]:
    """A simulated dataset's training and validation part, split by set."""
    dataset = Dataset(run.simulation(name))
    sequences = from_dataset(dataset, groups_of(run))
    rng = np.random.default_rng(run.config.seed)
    train, validation = split(sequences, (1 - VALIDATION_SHARE, VALIDATION_SHARE), rng)
    return train, validation


def adaptation(run: Run) -> list[Sequence]:
    """All adaptation sequences with all their labels."""
    return from_recordings(adaptation_recordings(run.config), groups_of(run), rate_hz=run.config.rate_hz)


def labelled(run: Run, seed: int) -> list[Sequence]:
    """The adaptation sequences with the labels of the budget alone."""
    return labelled_repetitions(adaptation(run), run.config.labels, np.random.default_rng(seed))


def test_sequences(run: Run) -> list[Sequence]:
    """The test recordings on the run's grid."""
    return from_recordings(test_recordings(run.config), groups_of(run), rate_hz=run.config.rate_hz)


test_sequences.__test__ = False  # type: ignore[attr-defined]


def _windows(run: Run, sequences: list[Sequence], statistics: Statistics) -> Windows:
    return cut(sequences, statistics, window=run.config.window, stride=run.config.stride)


def _labelled_windows(
    run: Run, sequences: list[Sequence], statistics: Statistics, seed: int
) -> tuple[Windows, list[tuple[Windows, Windows]]]:
    """Windows with a label in them, and the ways to hold out a part of the labels."""

    def known(some: list[Sequence]) -> Windows:
        windows = _windows(run, some, statistics)
        return _take(windows, np.flatnonzero((windows.phase >= 0).any(axis=1)))

    parts = held_out_parts(sequences, np.random.default_rng(seed))
    return known(sequences), [(known(kept), known(held)) for kept, held in parts]


def _take(windows: Windows, index: np.ndarray) -> Windows:
    arrays = ("values", "present", "phase", "sequence", "start")
    return Windows(channels=windows.channels, **{name: getattr(windows, name)[index] for name in arrays})


def finished(run: Run, stage: str, name: str, seed: int) -> bool:
    """Whether one part of a stage needs no further work."""
    if stage == "train":
        return is_saved(run.network(name, seed))
    if stage == "convert":
        return (run.converted(name, seed) / "manifest.json").exists()
    return run.predictions(name, seed).exists()


def train(run: Run, name: str, seed: int) -> None:
    """Trains one model with one seed and saves it with its statistics, its curve and the digest of its data."""
    effort = run.config.effort
    full = training.TrainingSettings().scaled(effort)
    if name == "recogniser-all-real":
        _train_on_real(run, name, seed)
        return
    source = MODEL[name].simulation
    parts = simulated(run, source)
    statistics = statistics_of(parts[0])
    train_windows, validation = (_windows(run, part, statistics) for part in parts)
    notes: dict = {"simulation": source, "digest": Dataset(run.simulation(source)).digest, "seed": seed}
    save = partial(save_network, run.network(name, seed), statistics=statistics)
    if name == "recogniser-fine-tuned":
        start = _recogniser(run, "recogniser-randomised", seed)[0]
        few = _labelled_windows(run, labelled(run, seed), statistics, seed)

        def tune(some, held, settings):
            return training.train_recogniser(some, held, seed=seed, settings=settings, start=start)

        network, notes["curve"] = training.train_on_few(tune, *few, training.FINE_TUNING)
    elif name.startswith("recogniser"):
        network, notes["curve"] = training.train_recogniser(train_windows, validation, seed=seed, settings=full)
    elif name == "one-encoder":
        network, notes["curve"] = training.train_one_encoder(
            train_windows, validation, seed=seed, settings=training.AUTOENCODER.scaled(effort)
        )
    else:
        content, notes["content_curve"] = training.train_content_encoder(
            train_windows, validation, seed=seed, settings=full
        )
        few = _labelled_windows(run, labelled(run, seed), statistics, seed)
        learnt = content

        def teach(some, held, settings):
            return training.train_content_encoder(some, held, seed=seed, settings=settings, start=learnt)

        content, notes["fine_tuning_curve"] = training.train_on_few(teach, *few, training.FINE_TUNING)
        network, notes["curve"] = training.train_style_and_decoder(
            content, train_windows, validation, seed=seed, settings=training.AUTOENCODER.scaled(effort)
        )
        recogniser = _recogniser(run, "recogniser-randomised", seed)[0]
        rng = np.random.default_rng(seed)
        style, notes["style_accuracy"] = choose_style(network, recogniser, train_windows, validation, rng)
        network.fixed_style.copy_(style)
    save(network, notes=notes)


def _train_on_real(run: Run, name: str, seed: int) -> None:
    sequences = adaptation(run)
    statistics = statistics_of(sequences)
    few = _labelled_windows(run, sequences, statistics, seed)

    def teach(some, held, settings):
        return training.train_recogniser(some, held, seed=seed, settings=settings)

    network, curve = training.train_on_few(teach, *few, training.ALL_LABELS)
    save_network(run.network(name, seed), network, statistics, {"curve": curve, "seed": seed})


def _recogniser(run: Run, name: str, seed: int) -> tuple[Recogniser, Statistics]:
    network, statistics, _ = load_network(run.network(name, seed))
    assert isinstance(network, Recogniser)
    return network, statistics


def convert(run: Run, name: str, seed: int) -> None:
    """Converts the test recordings with one model and writes them in the datasets' own format."""
    if not is_saved(run.network(name, seed)):
        raise RunError(f"{run.network(name, seed)} is not trained, expected a trained model; run `squat train` first")
    model, statistics, _ = load_network(run.network(name, seed))
    sequences = convert_sequences(
        model, test_sequences(run), statistics, window=run.config.window, stride=run.config.stride
    )
    recipe = {"name": f"converted by {name}", "rate_hz": run.config.rate_hz, "seed": seed, "run": asdict(run.config)}
    folder = run.converted(name, seed)
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


def predict(run: Run, row: str, seed: int) -> None:
    """Lets a row's recogniser read the test recordings and keeps its probability of "upright" for every sample."""
    plan = ROW[row]
    recogniser, statistics = _recogniser(run, plan.recogniser, seed)
    sequences = converted_sequences(run, plan.converter, seed) if plan.converter else test_sequences(run)
    windows = _windows(run, sequences, statistics)
    probability = stitch(training.recognise(recogniser, windows), windows, sequences)
    path = run.predictions(row, seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}-{os.getpid()}")
    with temporary.open("wb") as file:
        np.savez_compressed(
            file,
            upright=np.concatenate(probability).astype(np.float32),
            offsets=np.cumsum([0, *map(len, probability)]),
            recording=np.array([sequence.name for sequence in test_sequences(run)]),
        )
    temporary.replace(path)


def converted_sequences(run: Run, name: str, seed: int) -> list[Sequence]:
    """The converted test recordings as they were written.

    Raises:
        RunError: They have not been converted.
    """
    try:
        return from_dataset(Dataset(run.converted(name, seed)), groups_of(run))
    except DatasetError as error:
        raise RunError(f"{error}; run `squat convert` first") from error


def read_predictions(run: Run, row: str, seed: int) -> list[np.ndarray]:
    """Probability of "upright" (T,) for each test recording."""
    with np.load(run.predictions(row, seed), allow_pickle=False) as file:
        return np.split(file["upright"], file["offsets"][1:-1])


def evaluate(run: Run) -> None:
    """Counts the predictions and writes the table."""
    sequences = test_sequences(run)
    tallies = {}
    for row in ROWS:
        predicted = [[(p > 0.5).astype(int) for p in read_predictions(run, row.name, seed)] for seed in run.seeds]
        simulation = MODEL[row.recogniser].simulation
        tallies[row.name] = tally(row.name, predicted, sequences, simulation=simulation)
    rng = partial(np.random.default_rng, run.config.seed)
    results = [result(counts, rng()) for counts in tallies.values()]
    pairs = [("two-encoder", other) for other in ("raw", "randomised", "one-encoder", "fine-tuned", "all-real")]
    document = {
        "rows": [r.to_json() for r in results],
        "differences": [asdict(difference(tallies[one], tallies[other], rng())) for one, other in pairs],
        "channels": [channel for group in GROUPS if group in groups_of(run) for channel in GROUPS[group]],
        "people": {"adapt": list(people(adaptation(run))), "test": list(people(sequences))},
        "labels": run.config.labels,
        "stand_in": run.config.stand_in,
    }
    write_table_csv(run.folder / "table.csv", results)
    write_text(run.table, json.dumps(document, indent=1))


def example(run: Run, seed: int) -> tuple[Windows, np.ndarray, np.ndarray]:
    """Held-out simulated windows and their reconstructions by the one- and the two-encoder model, normalised."""
    one, statistics, _ = load_network(run.network("one-encoder", seed))
    two, _, _ = load_network(run.network("two-encoder", seed))
    assert isinstance(two, TwoEncoderVAE)
    windows = _windows(run, simulated(run, "randomised")[1], statistics)
    values = windows.values[:512]
    outputs = [training.apply(model.reconstruct, values) for model in (one, two)]  # type: ignore[arg-type]
    return _take(windows, np.arange(len(values))), outputs[0], outputs[1]
