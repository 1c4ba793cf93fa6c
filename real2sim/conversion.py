"""Real windows into simulated-domain windows: the content of the one under a fixed style of the other."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from torch import Tensor

from real2sim.networks import OneEncoderVAE, Recogniser, TwoEncoderVAE, device_of, in_batches, phase_probabilities
from real2sim.training import take
from real2sim.windows import Statistics, Windows

StyleChoice = Literal["mean", "nearest", "validated"]

VALIDATION_WINDOWS = 512
"""Validation windows that every candidate style decodes."""

NEAREST_ROWS = 256
"""Windows whose distances to all simulated windows are held in memory at a time."""


def convert_windows(vae: TwoEncoderVAE, windows: Windows, style: np.ndarray) -> np.ndarray:
    """Decode the content of windows under a style.

    Args:
        vae: Trained on the simulated domain.
        windows: N windows of any domain, normalised with the statistics of the simulated one.
        style: (Zs,) one fixed vector for all windows, or (N, Zs) one each.

    Returns:
        (N, W, C) float32, normalised, without gaps. `windows.stitch` joins it to whole sequences.

    Raises:
        ValueError: If the channels or the size of the style are not the network's.
    """
    _refuse_other_channels(vae, windows)
    styles = np.broadcast_to(style, (len(windows), np.shape(style)[-1])).astype(np.float32)
    if styles.shape[1] != vae.settings.style_latent:
        raise ValueError(f"got a style of {styles.shape[1]} numbers, expected {vae.settings.style_latent}")
    return in_batches(lambda x, z_s: vae.decoder(vae.content(x), z_s), windows.values, styles, device=device_of(vae))


def reconstruct(vae: TwoEncoderVAE | OneEncoderVAE, windows: Windows) -> np.ndarray:
    """Pass windows through a VAE with every latent at its mean; for a one-encoder VAE this is its conversion.

    Args:
        vae: Trained on the simulated domain.
        windows: N windows, normalised with the statistics of the simulated domain.

    Returns:
        (N, W, C) float32, normalised, without gaps.

    Raises:
        ValueError: If the channels are not the network's.
    """
    _refuse_other_channels(vae, windows)
    return in_batches(vae, windows.values, device=device_of(vae))


def denormalise(values: np.ndarray, statistics: Statistics) -> np.ndarray:
    """Return (..., C) normalised values in SI units, float32."""
    return (values * statistics.std + statistics.mean).astype(np.float32)


def styles_of(vae: TwoEncoderVAE, windows: Windows) -> np.ndarray:
    """Return (N, Zs) styles of windows: mu of each."""
    _refuse_other_channels(vae, windows)
    return in_batches(lambda x: vae.style(x)[0], windows.values, device=device_of(vae))


def simulated_style(
    vae: TwoEncoderVAE,
    simulated: Windows,
    *,
    choice: StyleChoice = "validated",
    windows: Windows | None = None,
    recogniser: Recogniser | None = None,
    validation: Windows | None = None,
    candidates: int = 32,
    rng: np.random.Generator | None = None,
) -> np.ndarray:
    """Return the style that stands for the simulated domain.

    Args:
        vae: Trained on the simulated domain.
        simulated: Windows that it was trained on.
        choice: "validated": the style of one simulated window, see `validated_style`; "mean": the mean of all styles,
            which need not be a style that the decoder knows; "nearest": for each window the style of the simulated
            window with the nearest content, so not a fixed one.
        windows: To convert; for "nearest".
        recogniser: Trained on simulation alone; for "validated".
        validation: Simulated windows with labels, apart from those trained on; for "validated".
        candidates: How many styles to try; for "validated".
        rng: Draws the candidates; for "validated".

    Returns:
        (Zs,) one style, or (N, Zs) for "nearest".

    Raises:
        ValueError: If the choice is unknown, or an argument that it needs is missing.
    """
    if choice == "mean":
        return styles_of(vae, simulated).mean(axis=0)
    if choice == "nearest" and windows is not None:
        return nearest_style(vae, simulated, windows)
    if choice == "validated" and recogniser is not None and validation is not None and rng is not None:
        return validated_style(vae, recogniser, simulated, validation, candidates=candidates, rng=rng)
    raise ValueError(
        f"got choice={choice!r} without all it needs, expected 'mean', 'nearest' with windows,"
        " or 'validated' with recogniser, validation and rng"
    )


def nearest_style(vae: TwoEncoderVAE, simulated: Windows, windows: Windows) -> np.ndarray:
    """Return (N, Zs): for each window, the style of the simulated window whose content is nearest to its own.

    Contents are compared over the whole window, by squared distance.
    """
    known = torch.from_numpy(_contents(vae, simulated))

    def nearest(content: Tensor) -> Tensor:
        # |a - b|^2 without |a|^2, which is the same for every candidate.
        return (known.square().sum(dim=1) - 2 * content @ known.T).argmin(dim=1)

    index = in_batches(nearest, _contents(vae, windows), batch=NEAREST_ROWS)
    return styles_of(vae, simulated)[index]


def _contents(vae: TwoEncoderVAE, windows: Windows) -> np.ndarray:
    """Return (N, W * Zc)."""
    _refuse_other_channels(vae, windows)
    return in_batches(lambda x: vae.content(x).flatten(1), windows.values, device=device_of(vae))


def validated_style(
    vae: TwoEncoderVAE,
    recogniser: Recogniser,
    simulated: Windows,
    validation: Windows,
    *,
    candidates: int = 32,
    rng: np.random.Generator,
) -> np.ndarray:
    """Return the one style under which simulated validation windows are read best. It sees no real window.

    The candidates are styles of single windows that the decoder was trained on. Each decodes the same validation
    windows, a recogniser reads them, and the highest accuracy wins.

    Args:
        vae: Trained on the simulated domain.
        recogniser: Trained on simulation alone.
        simulated: Windows that both were trained on; the source of the candidates.
        validation: Simulated windows with labels; at most `VALIDATION_WINDOWS`, evenly spaced, are used.
        candidates: How many styles to try.
        rng: Draws the candidates.

    Returns:
        (Zs,) style.

    Raises:
        ValueError: If there is no simulated window or no label to choose by.
    """
    if not len(simulated) or not (validation.phase >= 0).any():
        raise ValueError(
            f"got {len(simulated)} simulated windows and {(validation.phase >= 0).sum()} labels, expected some of both"
        )
    drawn = rng.permutation(len(simulated))[:candidates]
    styles = styles_of(vae, take(simulated, drawn))
    asked = take(validation, np.linspace(0, len(validation) - 1, min(VALIDATION_WINDOWS, len(validation))).astype(int))
    return styles[np.argmax([_accuracy_under(style, vae, recogniser, asked) for style in styles])]


def _accuracy_under(style: np.ndarray, vae: TwoEncoderVAE, recogniser: Recogniser, windows: Windows) -> float:
    read = phase_probabilities(recogniser, convert_windows(vae, windows, style)).argmax(axis=-1)
    return float((read == windows.phase)[windows.phase >= 0].mean())


def _refuse_other_channels(network: TwoEncoderVAE | OneEncoderVAE, windows: Windows) -> None:
    if windows.channels != network.settings.channels:
        raise ValueError(
            f"got windows of {windows.channels}, expected the network's channels {network.settings.channels}"
        )
