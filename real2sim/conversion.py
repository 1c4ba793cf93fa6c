"""Real sequences into the simulated domain: their own content, the simulation's style."""

from dataclasses import replace

import numpy as np
import torch
from torch import nn

from real2sim.networks import Recogniser, TwoEncoderVAE
from real2sim.sequences import Sequence
from real2sim.training import apply, recognise
from real2sim.windows import Statistics, Windows, cut, stitch, taper

CANDIDATES = 32  # styles that are tried for the simulated domain
READ = 512  # windows that each of them is judged by


@torch.no_grad()
def choose_style(
    model: TwoEncoderVAE,
    recogniser: Recogniser,
    train: Windows,
    validation: Windows,
    rng: np.random.Generator,
    *,
    recordings: torch.Tensor | None = None,
) -> tuple[torch.Tensor, float]:
    """The one style that stands for the simulated domain, chosen without a label of a recording.

    A style must be one that the decoder knows, so the candidates are those of training windows. The best is the one
    under which the recogniser, trained on the same simulation, reads the validation windows' phases best, and those
    that content has in recordings.

    Args:
        model: Trained.
        recogniser: Trained on the same simulation.
        train, validation: Simulated windows.
        rng: Which windows are candidates, and which are read.
        recordings: Windows (N, W, C) to be read like their content; without any the simulation alone has a say.

    Returns:
        The style (Zs,) and the accuracy on simulated windows under it.
    """

    def some(windows: Windows | torch.Tensor, number: int) -> np.ndarray:
        return rng.choice(len(windows), size=min(number, len(windows)), replace=False)

    def share_read(content: torch.Tensor, phase: torch.Tensor, style: torch.Tensor) -> float:
        read = recogniser(model.decode(content, style.expand(len(content), -1))).argmax(-1)
        return float((read == phase)[phase >= 0].float().mean())

    styles = model.style(torch.as_tensor(train.values[some(train, CANDIDATES)]))[0]
    seen = some(validation, READ)
    content, phase = model.content(torch.as_tensor(validation.values[seen])), torch.as_tensor(validation.phase[seen])
    accuracies = np.array([share_read(content, phase, style) for style in styles])
    scores = accuracies
    if recordings is not None and len(recordings):
        content = model.content(recordings[some(recordings, READ)])
        phase = model.content.head(content).argmax(-1)
        scores = accuracies + [share_read(content, phase, style) for style in styles]
    best = int(scores.argmax())
    return styles[best], float(accuracies[best])


def read_converted(
    model: nn.Module,
    recogniser: Recogniser,
    sequences: list[Sequence],
    statistics: Statistics,
    reading: Statistics,
    *,
    window: int,
    stride: int,
) -> list[np.ndarray]:
    """Lets a recogniser read sequences through a converter: windows are converted and read before they are joined.

    Two windows that share samples may be converted to different mountings of the same movement. Each reads well then,
    their mean is neither.

    Args:
        model: A network with `convert`, from windows (B, W, C) to the same, normalised.
        recogniser: What reads.
        sequences: Recordings, SI units.
        statistics: Those that the model was trained with.
        reading: Those that the recogniser was trained with.
        window, stride: Probabilities of overlapping windows are averaged [samples].

    Returns:
        (T,) probability of upright for each sequence.
    """
    windows, values = _converted_windows(model, sequences, statistics, window, stride)
    values = ((values - reading.mean) / reading.std).astype(np.float32)
    return stitch(recognise(recogniser, replace(windows, values=values)), windows, sequences)


def convert(
    model: nn.Module, sequences: list[Sequence], statistics: Statistics, *, window: int, stride: int
) -> list[Sequence]:
    """Converts whole sequences; phases, people and names stay theirs.

    Args:
        model: A network with `convert`, from windows (B, W, C) to the same, normalised.
        sequences: Recordings, SI units.
        statistics: Those that the model was trained with.
        window, stride: Overlapping windows pass into one another by `taper` [samples].

    Returns:
        Sequences in SI units; every channel has a value everywhere.
    """
    windows, output = _converted_windows(model, sequences, statistics, window, stride)
    return [
        replace(sequence, values=values.astype(np.float32))
        for sequence, values in zip(sequences, stitch(output, windows, sequences, taper(window)), strict=True)
    ]


def _converted_windows(
    model: nn.Module, sequences: list[Sequence], statistics: Statistics, window: int, stride: int
) -> tuple[Windows, np.ndarray]:
    """The windows of sequences, and what the model makes of them (N, W, C) in SI units."""
    function = getattr(model, "convert", None)
    if function is None:
        raise TypeError(f"model is a {type(model).__name__}, expected a network that converts")
    windows = cut(sequences, statistics, window=window, stride=stride)
    return windows, apply(function, windows.values) * statistics.std + statistics.mean
