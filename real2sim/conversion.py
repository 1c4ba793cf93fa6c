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


@torch.no_grad()
def choose_style(
    model: TwoEncoderVAE, recogniser: Recogniser, train: Windows, validation: Windows, rng: np.random.Generator
) -> tuple[torch.Tensor, float]:
    """The one style that stands for the simulated domain, chosen with simulated data alone.

    A style must be one that the decoder knows, so the candidates are those of training windows. The best is the one
    under which the recogniser, trained on the same simulation, reads the validation windows' phases best.

    Args:
        model: Trained.
        recogniser: Trained on the same simulation.
        train, validation: Simulated windows.
        rng: Which training windows are candidates.

    Returns:
        The style (Zs,) and the accuracy under it.
    """
    chosen = rng.choice(len(train), size=min(CANDIDATES, len(train)), replace=False)
    styles = model.style(torch.as_tensor(train.values[chosen]))[0]
    some = rng.choice(len(validation), size=min(512, len(validation)), replace=False)
    content = model.content(torch.as_tensor(validation.values[some]))
    phase = torch.as_tensor(validation.phase[some])
    known = phase >= 0
    scores = []
    for style in styles:
        read = recogniser(model.decode(content, style.expand(len(content), -1))).argmax(-1)
        scores.append(float((read == phase)[known].float().mean()))
    best = int(np.argmax(scores))
    return styles[best], scores[best]


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
