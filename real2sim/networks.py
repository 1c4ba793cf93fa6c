"""The networks: recogniser, content encoder, style encoder, decoder, and the two autoencoders made of them.

Sizes: B windows, W samples, C channels, Zc content latent a sample, Zs style latent a window. Inputs are normalised
windows in which a missing value is 0, the channel's mean.

References:
    Tenenbaum and Freeman 2000, "Separating Style and Content with Bilinear Models", Neural Computation (the bilinear
    decoder).
"""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from safetensors.torch import load_file, save
from torch import Tensor, nn
from torch.nn import functional

from real2sim.mountings import AlongGravity
from real2sim.windows import Statistics

REACH = 4  # samples to either side that the bilinear decoder sees: .2 s at 20 Hz
LOG_VAR_BOUND = 8.0  # standard deviations from 0.02 to 55; an unbounded log-variance ends in NaN


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """Sizes of a network.

    Attributes:
        channels: C.
        hidden: Units of every recurrent layer and direction.
        content: Zc. Small, or it carries the mounting of the devices past the style.
        style: Zs; the one-encoder VAE's whole latent has `content + style`.
        phases: Classes of the recogniser.
        learn_weights: The decoder's weights of the two latents are learnt; otherwise both are 1.
        features: Of content, which the bilinear decoder mixes into channels; 0 for a recurrent decoder.
        devices: Of devices that the content encoder sees along gravity too, the first columns of accelerometer and
            gyroscope.
    """

    channels: int
    hidden: int = 64
    content: int = 2
    style: int = 16
    phases: int = 2
    learn_weights: bool = True
    features: int = 0
    devices: tuple[tuple[int, ...], ...] = ()


class Recogniser(nn.Module):
    """Bidirectional GRU that reads the phase of every sample."""

    def __init__(self, sizes: Sizes):
        super().__init__()
        self.sizes = sizes
        self.rnn = nn.GRU(sizes.channels, sizes.hidden, batch_first=True, bidirectional=True)
        self.head = nn.Linear(2 * sizes.hidden, sizes.phases)

    def forward(self, x: Tensor) -> Tensor:
        """(B, W, C) to logits (B, W, phases)."""
        return self.head(self.rnn(x)[0])


class ContentEncoder(nn.Module):
    """What the person does: a latent for every sample, supervised through a phase head."""

    def __init__(self, sizes: Sizes):
        super().__init__()
        self.sizes = sizes
        self.seen = AlongGravity(sizes.channels, sizes.devices) if sizes.devices else None
        channels = self.seen.channels if self.seen else sizes.channels
        self.rnn = nn.GRU(channels, sizes.hidden, batch_first=True, bidirectional=True)
        self.latent = nn.Linear(2 * sizes.hidden, sizes.content)
        self.head = nn.Linear(sizes.content, sizes.phases)

    def forward(self, x: Tensor) -> Tensor:
        """(B, W, C) to z_c (B, W, Zc) within [-1, 1]."""
        return torch.tanh(self.latent(self.rnn(self.seen(x) if self.seen else x)[0]))

    def phases(self, x: Tensor) -> Tensor:
        """(B, W, C) to logits (B, W, phases)."""
        return self.head(self(x))


class WindowEncoder(nn.Module):
    """A Gaussian for a whole window, from the mean of a bidirectional GRU's outputs."""

    def __init__(self, channels: int, hidden: int, latent: int):
        super().__init__()
        self.rnn = nn.GRU(channels, hidden, batch_first=True, bidirectional=True)
        self.mu = nn.Linear(2 * hidden, latent)
        self.log_var = nn.Linear(2 * hidden, latent)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(B, W, C) to mean and log-variance, each (B, Z)."""
        summary = self.rnn(x)[0].mean(1)
        return self.mu(summary), LOG_VAR_BOUND * torch.tanh(self.log_var(summary) / LOG_VAR_BOUND)


class SequenceDecoder(nn.Module):
    """A latent for every sample to a window."""

    def __init__(self, latent: int, hidden: int, channels: int):
        super().__init__()
        self.rnn = nn.GRU(latent, hidden, batch_first=True, bidirectional=True)
        self.head = nn.Linear(2 * hidden, channels)

    def forward(self, z: Tensor) -> Tensor:
        """(B, W, Z) to (B, W, C)."""
        return self.head(self.rnn(z)[0])


class BilinearDecoder(nn.Module):
    """Features of the content around each sample, mixed into channels as the style says.

    A turned device measures another linear mixture of the same movement, so the style gives the mixture. A sample
    depends on the content `REACH` samples around it and on the style alone: windows with the same content there and the
    same style agree there, which a decoder that sees the whole window need not let them.
    """

    def __init__(self, sizes: Sizes):
        super().__init__()
        kernel = REACH + 1  # two layers, each with half the reach
        self.around = nn.Sequential(
            nn.Conv1d(sizes.content, sizes.hidden, kernel),
            nn.ELU(),
            nn.Conv1d(sizes.hidden, sizes.features, kernel),
        )
        self.mixture = nn.Sequential(
            nn.Linear(sizes.style, sizes.hidden),
            nn.ELU(),
            nn.Linear(sizes.hidden, (sizes.features + 1) * sizes.channels),
        )

    def forward(self, z_c: Tensor, z_s: Tensor) -> Tensor:
        """Content (B, W, Zc) and style (..., B, Zs) to (..., B, W, C)."""
        content = functional.pad(z_c.transpose(1, 2), (REACH, REACH), mode="replicate")
        features = functional.pad(self.around(content).transpose(1, 2), (0, 1), value=1.0)
        mixture = self.mixture(z_s).unflatten(-1, (features.shape[-1], -1))
        return torch.einsum("bwf,...bfc->...bwc", features, mixture)


class OneEncoderVAE(nn.Module):
    """The ordinary VAE: one latent for the whole window."""

    def __init__(self, sizes: Sizes):
        super().__init__()
        self.sizes = sizes
        latent = sizes.content + sizes.style
        self.encoder = WindowEncoder(sizes.channels, sizes.hidden, latent)
        self.decoder = SequenceDecoder(latent, sizes.hidden, sizes.channels)

    def decode(self, z: Tensor, samples: int) -> Tensor:
        """(B, Z) to windows (B, samples, C)."""
        return self.decoder(z[:, None].expand(-1, samples, -1))

    def reconstruct(self, x: Tensor) -> Tensor:
        """A window through the mean of its latent, (B, W, C)."""
        return self.decode(self.encoder(x)[0], x.shape[1])

    def convert(self, x: Tensor) -> Tensor:
        """The same: conversion by an ordinary VAE is its reconstruction."""
        return self.reconstruct(x)


class TwoEncoderVAE(nn.Module):
    """Content a sample and style a window; the decoder weighs the two with weights that it learns."""

    def __init__(self, sizes: Sizes):
        super().__init__()
        self.sizes = sizes
        self.content = ContentEncoder(sizes)
        self.style = WindowEncoder(sizes.channels, sizes.hidden, sizes.style)
        self.decoder = (
            BilinearDecoder(sizes)
            if sizes.features
            else SequenceDecoder(sizes.content + sizes.style, sizes.hidden, sizes.channels)
        )
        self.content_weight = nn.Parameter(torch.ones(()), requires_grad=sizes.learn_weights)
        self.style_weight = nn.Parameter(torch.ones(()), requires_grad=sizes.learn_weights)
        # the style that stands for the simulated domain; set when the training is finished
        self.fixed_style: Tensor
        self.register_buffer("fixed_style", torch.zeros(sizes.style))

    def decode(self, z_c: Tensor, z_s: Tensor) -> Tensor:
        """Content (B, W, Zc) and style (..., B, Zs), several styles where there are more axes, to (..., B, W, C)."""
        z_c, z_s = self.content_weight * z_c, self.style_weight * z_s
        if isinstance(self.decoder, BilinearDecoder):
            return self.decoder(z_c, z_s)
        windows, samples = z_s.shape[:-1], z_c.shape[1]
        style = z_s[..., None, :].expand(*windows, samples, -1)
        both = torch.cat([z_c.expand(*windows, samples, -1), style], dim=-1)
        return self.decoder(both.flatten(0, -3)).unflatten(0, windows)

    def reconstruct(self, x: Tensor) -> Tensor:
        """A window through its own content and the mean of its own style, (B, W, C)."""
        return self.decode(self.content(x), self.style(x)[0])

    def convert(self, x: Tensor) -> Tensor:
        """A window through its own content and the fixed style of the simulated domain, (B, W, C)."""
        return self.decode(self.content(x), self.fixed_style.expand(x.shape[0], -1))


Kind = TypeVar("Kind", bound=nn.Module)

KINDS: dict[str, type[nn.Module]] = {
    kind.__name__: kind for kind in (Recogniser, ContentEncoder, OneEncoderVAE, TwoEncoderVAE)
}


def register(kind: type[Kind]) -> type[Kind]:
    """Lets a kind of network that a method brings along be saved and loaded; it is made from `Sizes` alone."""
    KINDS[kind.__name__] = kind
    return kind


def save_network(path: Path, network: nn.Module, statistics: Statistics, notes: dict | None = None) -> None:
    """Writes `path`.safetensors, then `path`.json with kind, sizes, channels, statistics and notes; both atomically."""
    description = {
        "kind": type(network).__name__,
        "sizes": asdict(network.sizes),  # type: ignore[arg-type]
        "channels": list(statistics.channels),
        "mean": statistics.mean.tolist(),
        "std": statistics.std.tolist(),
        "notes": notes or {},
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    _replace(path.with_suffix(".safetensors"), save(network.state_dict()))
    _replace(path.with_suffix(".json"), json.dumps(description, indent=1).encode())


def _replace(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}-{os.getpid()}")
    temporary.write_bytes(content)
    temporary.replace(path)


def load_network(path: Path) -> tuple[nn.Module, Statistics, dict]:
    """Reads what `save_network` wrote: the network in evaluation mode, its statistics, its notes."""
    description = json.loads(path.with_suffix(".json").read_text())
    sizes = description["sizes"]
    sizes |= {"devices": tuple(map(tuple, sizes.get("devices", ())))}
    network = KINDS[description["kind"]](Sizes(**sizes))
    network.load_state_dict(load_file(path.with_suffix(".safetensors")))
    statistics = Statistics(
        channels=tuple(description["channels"]),
        mean=np.array(description["mean"]),
        std=np.array(description["std"]),
    )
    return network.eval(), statistics, description["notes"]


def is_saved(path: Path) -> bool:
    """Whether a network was written completely."""
    return path.with_suffix(".json").exists()
