"""A run in use on recordings of any plain folder: convert them, read their phases, hand the networks on."""

import io
import json
import os
import warnings
from collections.abc import Iterator
from dataclasses import asdict, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from real2sim.conversion import read_converted
from real2sim.converter import ConvertAndRecognise, Converter, converting_row, fold_of, trained_network
from real2sim.material import simulated_sequences
from real2sim.method import as_measured
from real2sim.networks import Recogniser
from real2sim.parties import on_grid
from real2sim.recordings import Recording, Stream
from real2sim.recordings.plain import COLUMNS, UNITS, read_folder
from real2sim.repetitions import Reading, calibrate, counted_wrong, overconfidence, tempered
from real2sim.rows import OURS
from real2sim.run import Run, RunError, write_text
from real2sim.sequences import GROUPS, Sequence

EQUAL_WITHIN = 1e-5  # of the channels' SI values and of probabilities: float32 sums in another order


def converted_recordings(
    run: Run, folder: Path, *, row: str = OURS, seed: int | None = None, fold: int | None = None
) -> Iterator[Recording]:
    """The recordings of a folder in the simulated domain, at the run's rate; their labels and joints stay.

    Raises:
        RunError: The run cannot convert them.
        RecordingError: They cannot be read.
    """
    converter = lru_cache(maxsize=None)(lambda of: Converter.load(run, row=row, seed=seed, fold=of))
    if converting_row(row).converter.view is not as_measured:  # type: ignore[union-attr]
        raise RunError(f"row {row} gives signals without units, expected one that keeps them; choose {OURS}")
    for recording in read_folder(folder, labels="optional"):
        sequence = sequence_of(run, recording)
        yield as_recording(recording, converter(fold_of(run, folder, recording.subject, fold))(sequence))


def sequence_of(run: Run, recording: Recording) -> Sequence:
    """A recording on the run's grid.

    Raises:
        RunError: It lacks a stream that the run has.
    """
    if missing := [group for group in run.groups() if group not in recording.streams()]:
        raise RunError(
            f"recording {recording.name!r} lacks {', '.join(missing)}, expected {', '.join(run.groups())}; choose a "
            "run on the streams that it has"
        )
    return on_grid(run.config, [recording], run.groups())[0]


def as_recording(measured: Recording, converted: Sequence) -> Recording:
    """A recording with the streams of a converted sequence in place of its own; a distance is at least 0."""
    time = converted.start_s + np.arange(len(converted)) / converted.rate_hz
    streams: dict[str, Stream | None] = dict.fromkeys(GROUPS)
    for group, channels in GROUPS.items():
        if channels[0] in converted.channels:
            values = converted.values[:, [converted.channels.index(channel) for channel in channels]].astype(float)
            values = np.maximum(values, 0.0) if group == "range" else values
            streams[group] = Stream(t=time, values=values, columns=COLUMNS[group], units=UNITS[group])
    return replace(measured, **streams)


def upright_probabilities(
    run: Run, recording: Recording, folder: Path, *, row: str = OURS, seed: int | None = None, fold: int | None = None
) -> np.ndarray:
    """Probability (S, T) of upright on the run's grid: by the networks of every seed, or of one.

    Raises:
        RunError: The run cannot read the recording.
    """
    converting_row(row)
    fold, sequence = fold_of(run, folder, recording.subject, fold), sequence_of(run, recording)
    seeds = run.seeds if seed is None else (seed,)
    return np.stack([_read(run, [sequence], row, one, fold)[0] for one in seeds])


def _read(run: Run, sequences: list[Sequence], row: str, seed: int, fold: int | None) -> list[np.ndarray]:
    """Probability (T,) of upright for each sequence, converted by a row's converter, by its recogniser."""
    plan, sizes = converting_row(row), {"window": run.config.window, "stride": run.config.stride}
    assert plan.converter is not None
    network, scale = trained_network(run, plan.converter, seed, fold)
    recogniser, statistics = trained_network(run, plan.recogniser, seed, fold)
    assert isinstance(recogniser, Recogniser)
    return read_converted(network, recogniser, plan.converter.view(sequences), scale, statistics, **sizes)


def reading_of(
    run: Run, *, row: str = OURS, seed: int | None = None, fold: int | None = None
) -> tuple[Reading, dict[str, Any]]:
    """How the probabilities of a row become phases and confidences, calibrated once on its simulation and kept.

    The simulated repetitions that were held out for validation pass through the row's converter and recogniser. A run
    whose simulation is not there any more is read with the defaults.

    Returns:
        The reading, and what it was calibrated with: repetitions counted wrong in `sequences` before and after, and
        how far confidence was from the share of samples that is right; empty without a simulation.

    Raises:
        RunError: The networks are not trained.
    """
    path, simulation = run.reading(row, seed, fold), converting_row(row).recogniser.simulation
    if path.exists():
        document = json.loads(path.read_text())
        return Reading(**document["reading"]), document["calibration"]
    if not (run.simulation(simulation) / "manifest.json").exists():
        return Reading(), {}
    sequences = simulated_sequences(run, simulation)[1]
    seeds = run.seeds if seed is None else (seed,)
    of_seeds = [_read(run, sequences, row, one, fold) for one in seeds]
    read = [np.mean(told, axis=0) for told in zip(*of_seeds, strict=True)]
    phase = [sequence.phase for sequence in sequences]
    reading = calibrate(read, phase, run.config.rate_hz)
    calibration: dict[str, float] = {"sequences": len(sequences)}
    for name, one in (("before", Reading()), ("after", reading)):
        told = np.concatenate([tempered(p, one.temperature) for p in read])
        calibration[f"counted_wrong_{name}"] = counted_wrong(read, phase, one)
        calibration[f"confidence_off_{name}"] = overconfidence(told, np.concatenate(phase))
    write_text(path, json.dumps({"reading": asdict(reading), "calibration": calibration}, indent=1))
    return reading, calibration


def export_model(
    run: Run, path: Path, *, row: str = OURS, seed: int | None = None, fold: int | None = None
) -> dict[str, float]:
    """Writes converter and recogniser as one `torch.export` program, when it gives what they give.

    The program takes windows (B, W, C) in SI units, NaN where nothing was measured, and gives converted windows and
    the probability of upright. The file `squat.json` in it tells channels, rate, window and stride.

    Returns:
        Largest differences of the program that was read back, "converted" and "upright".

    Raises:
        RunError: The run lacks the networks, or the program gives something else.
    """
    converter, plan = Converter.load(run, row=row, seed=seed, fold=fold), converting_row(row)
    if converter.model.view is not as_measured:
        raise RunError(f"row {row} turns and scales whole recordings, expected a row that does not; choose {OURS}")
    recogniser, statistics = trained_network(run, plan.recogniser, seed, fold)
    whole = (
        ConvertAndRecognise(converter.network, converter.statistics, recogniser, statistics)
        .eval()
        .requires_grad_(False)
    )
    facts = {
        "channels": converter.statistics.channels,
        **{name: getattr(run.config, name) for name in ("rate_hz", "window", "stride")},
        "row": row,
    }
    content = _program(whole, (2, run.config.window, len(statistics.channels)), json.dumps(facts))
    differences = _differences(whole, content, converter)
    if not max(differences.values()) <= EQUAL_WITHIN:
        raise RunError(f"the exported program differs by {differences}, expected at most {EQUAL_WITHIN}; report it")
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}-{os.getpid()}")
    temporary.write_bytes(content)
    temporary.replace(path)
    return differences


def _program(network: ConvertAndRecognise, shape: tuple[int, ...], facts: str) -> bytes:
    file = io.BytesIO()
    with warnings.catch_warnings():
        # a GRU keeps its weights in a list too, which tracing takes for attributes that were assigned
        warnings.filterwarnings("ignore", "The tensor attributes .*_flat_weights", UserWarning)
        dynamic = ({0: torch.export.Dim.DYNAMIC},)
        program = torch.export.export(network, (torch.zeros(shape),), dynamic_shapes=dynamic)
    torch.export.save(program, file, extra_files={"squat.json": facts})
    return file.getvalue()


@torch.no_grad()
def _differences(network: ConvertAndRecognise, content: bytes, converter: Converter) -> dict[str, float]:
    """Largest differences of both outputs over random windows with missing values, in batches of several sizes."""
    program = torch.export.load(io.BytesIO(content)).module()
    rng, scale = np.random.default_rng(0), converter.statistics
    largest = {"converted": 0.0, "upright": 0.0}
    for batch in (1, 3, 16):
        values = scale.mean + scale.std * rng.normal(size=(batch, converter.window, len(scale.channels)))
        values[rng.random(values.shape) < 0.1] = np.nan
        x = torch.as_tensor(values, dtype=torch.float32)
        for name, ours, theirs in zip(largest, network(x), program(x), strict=True):
            largest[name] = max(largest[name], float((ours - theirs).abs().max()))
            if not torch.isfinite(theirs).all():
                largest[name] = float("inf")
    return largest
