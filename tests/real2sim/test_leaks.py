"""Nothing of the test recordings reaches a network, a statistic or a choice; senseless labels teach nothing."""

import dataclasses
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest
from small_run import EVERY_MODEL, FOLD, brief, config, trained

from real2sim import training
from real2sim.checkpoints import Checkpoint
from real2sim.conversion import convert
from real2sim.material import place
from real2sim.method import Model
from real2sim.networks import Recogniser, load_network
from real2sim.parties import adaptation_recordings, deal_people, on_grid
from real2sim.recordings import Recording, Stream
from real2sim.recordings.plain import read_folder, write_folder
from real2sim.rows import models_of, row_named
from real2sim.run import Run
from real2sim.windows import cut


def altered(recordings: Path, out: Path, who: Iterable[int], how: Callable[[Recording], Recording]) -> Path:
    """A copy of recordings in which those of some people are others."""
    people = set(who)
    write_folder(out, [how(r) if r.subject in people else r for r in read_folder(recordings)])
    return out


def another(recording: Recording) -> Recording:
    """The same devices and the same clock, but other readings and the opposite labels."""
    rng = np.random.default_rng(recording.subject)
    assert recording.labels is not None
    changes = {
        name: dataclasses.replace(stream, values=stream.values[::-1] * rng.uniform(0.5, 2.0, stream.values.shape))
        for name, stream in recording.streams().items()
        if isinstance(stream, Stream)
    }
    phase = np.where(recording.labels.phase < 0, -1, 1 - recording.labels.phase).astype(np.int8)
    return dataclasses.replace(recording, labels=dataclasses.replace(recording.labels, phase=phase), **changes)


def shuffled(recording: Recording) -> Recording:
    """The same readings with every label at the moment of another."""
    assert recording.labels is not None
    phase = np.random.default_rng(recording.subject).permutation(recording.labels.phase)
    return dataclasses.replace(recording, labels=dataclasses.replace(recording.labels, phase=phase))


def content(run: Run, model: Model, fold: int | None) -> tuple[bytes, bytes]:
    """Weights, and statistics, curves and choices, as they were saved."""
    path = place(run, model, run.config.seed, fold)
    return path.with_suffix(".safetensors").read_bytes(), path.with_suffix(".json").read_bytes()


@pytest.fixture(scope="module")
def runs(recordings, simulated, trained_run, tmp_path_factory) -> dict[str, Run]:
    """Runs that differ in the recordings of the people who are tested, or of those who are adapted to."""
    folder = tmp_path_factory.mktemp("leaks")
    tested = deal_people(trained_run.config)[FOLD]
    adapted = {r.subject for r in read_folder(recordings)} - set(tested)
    made = {"as it is": trained_run}
    for name, who, models in (
        ("others tested", tested, EVERY_MODEL),
        ("others adapted", adapted, models_of(["dann", "fine-tuned"])),
    ):
        real = altered(recordings, folder / name, who, another)
        made[name] = trained(Run.start(folder / f"run {name}", brief(real, simulated)), models.values(), FOLD)
    return made


@pytest.mark.parametrize("name", EVERY_MODEL)
def test_people_who_are_tested_reach_no_network(runs, name):
    one, other = (content(runs[which], EVERY_MODEL[name], FOLD) for which in ("as it is", "others tested"))
    assert one == other


@pytest.mark.parametrize("name", ["recogniser-dann", "recogniser-fine-tuned"])
def test_people_who_are_adapted_to_do(runs, name):
    one, other = (content(runs[which], EVERY_MODEL[name], FOLD) for which in ("as it is", "others adapted"))
    assert one != other


RESUMED = (
    "one-encoder",
    "cyclegan",
    "recogniser-coral",
    "recogniser-dann",
    "movement-randomised-adapted",
    "two-encoder",
)


@pytest.mark.fault
@pytest.mark.parametrize("name", RESUMED)
def test_a_training_that_ended_after_an_epoch_goes_on_to_the_same_network(runs, name, monkeypatch):
    run, model, save = runs["as it is"], EVERY_MODEL[name], Checkpoint.save
    whole = content(run, model, FOLD)
    path = place(run, model, run.config.seed, FOLD)
    for suffix in (".safetensors", ".json"):
        path.with_suffix(suffix).unlink()

    def save_and_end(*state):
        save(*state)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Checkpoint, "save", save_and_end)
        with pytest.raises(KeyboardInterrupt):
            trained(run, [model], FOLD)
    trained(run, [model], FOLD)
    assert content(run, model, FOLD) == whole


def balanced(run: Run, row: str) -> float:
    """Balanced accuracy of a row on the people that it was adapted to, by their true labels."""
    plan = row_named(row)
    known = dataclasses.replace(run.config, real=run.config.test)
    sequences = on_grid(known, adaptation_recordings(known), run.groups())
    sizes = {"window": run.config.window, "stride": run.config.stride}
    if plan.converter is not None:
        network, statistics, _ = load_network(place(run, plan.converter, run.config.seed, None))
        sequences = convert(network, plan.converter.view(sequences), statistics, **sizes)
    recogniser, statistics, _ = load_network(place(run, plan.recogniser, run.config.seed, None))
    assert isinstance(recogniser, Recogniser)
    windows = cut(plan.read(sequences), statistics, **sizes)
    read = training.recognise(recogniser, windows) > 0.5
    return float(np.mean([(read == phase)[windows.phase == phase].mean() for phase in (0, 1)]))


ROWS = ("randomised", "two-encoder@0", "two-encoder", "fine-tuned", "real-only", "all-real")


@pytest.fixture(scope="module")
def accuracy(recordings, simulated, tmp_path_factory) -> dict[str, dict[str, float]]:
    """Balanced accuracy of rows with the labels as they are, and shuffled."""
    folder = tmp_path_factory.mktemp("shuffled")
    made = {"true": recordings, "shuffled": altered(recordings, folder / "recordings", (1, 2), shuffled)}
    found = {}
    for name, real in made.items():
        own = config(real, simulated, test=str(recordings), labels=20, effort=1.0, seeds=1)
        rows = ROWS if name == "shuffled" else ("real-only", "all-real")
        run = trained(Run.start(folder / f"run {name}", own), models_of(rows).values(), None)
        found[name] = {row: balanced(run, row) for row in rows}
    return found


@pytest.mark.slow
@pytest.mark.parametrize("row", ["real-only", "all-real"])
def test_shuffled_labels_teach_nothing_by_themselves(accuracy, row):
    assert accuracy["true"][row] > 0.75, accuracy
    assert abs(accuracy["shuffled"][row] - 0.5) < 0.1, accuracy


@pytest.mark.slow
@pytest.mark.parametrize("row", ["two-encoder", "fine-tuned"])
def test_with_shuffled_labels_a_row_knows_what_the_simulation_taught(accuracy, row):
    found = accuracy["shuffled"]
    assert found[row] < max(found["randomised"], found["two-encoder@0"]) + 0.1, accuracy
