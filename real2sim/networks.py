"""The networks: who reads phases, who splits a window into content and style, who puts it together again.

Shapes: B windows, W samples, C channels, K phases, Zc content latent, Zs style latent, Z latent of a whole window.
Windows come normalised, with 0 where nothing was measured; see `real2sim.windows.Windows`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from real2sim.windows import Statistics

LOG_VAR_LIMIT = 6.0
"""Bound of every log-variance: a deviation stays between 0.05 and 20, so that no loss overflows."""


@dataclass(frozen=True, kw_only=True)
class NetworkSettings:
    """Sizes of the networks; each network reads those that concern it.

    Attributes:
        channels: Names of the C channels that go in and come out.
        hidden: Units of each direction of every GRU.
        layers: Layers of every GRU.
        classes: K, phases to tell apart.
        content_latent: Zc, numbers per sample.
        style_latent: Zs, numbers per window.
        window_latent: Z, numbers per window of the one-encoder VAE.
        learnable_weights: The decoder learns how much of content and style it takes; False fixes both at 1.
    """

    channels: tuple[str, ...]
    hidden: int = 64
    layers: int = 1
    classes: int = 2
    content_latent: int = 8
    style_latent: int = 8
    window_latent: int = 32
    learnable_weights: bool = True

    def __post_init__(self) -> None:
        sizes = {field.name: getattr(self, field.name) for field in fields(self) if field.type == "int"}
        if not self.channels or min(sizes.values()) < 1:
            raise ValueError(f"got {self.channels} and {sizes} for a network, expected channels and sizes of 1 or more")


def _gru(inputs: int, settings: NetworkSettings) -> nn.GRU:
    return nn.GRU(inputs, settings.hidden, settings.layers, batch_first=True, bidirectional=True)


class Recogniser(nn.Module):
    """Bi-GRU that reads the phase of every sample.

    It does not see which samples are missing: converted windows have no gaps and simulated ones hardly any, so that
    weights on a mask would stay untrained and then speak up on real recordings. A missing sample is the channel's mean.
    """

    def __init__(self, settings: NetworkSettings):
        super().__init__()
        self.settings = settings
        self.gru = _gru(len(settings.channels), settings)
        self.head = nn.Linear(2 * settings.hidden, settings.classes)

    def forward(self, values: Tensor) -> Tensor:
        """Return (B, W, K) logits of (B, W, C) values."""
        return self.head(self.gru(values)[0])

    logits = forward


class ContentEncoder(nn.Module):
    """Bi-GRU to one bounded latent per sample, and a head that reads phases from that latent alone.

    The latent ends in tanh: a real window may excite the GRU beyond anything simulated, but what the decoder receives
    stays in the cube that it was trained on.
    """

    def __init__(self, settings: NetworkSettings):
        super().__init__()
        self.settings = settings
        self.gru = _gru(len(settings.channels), settings)
        self.latent = nn.Linear(2 * settings.hidden, settings.content_latent)
        self.head = nn.Linear(settings.content_latent, settings.classes)

    def forward(self, values: Tensor) -> Tensor:
        """Return z_c, (B, W, Zc) in [-1, 1], of (B, W, C) values."""
        return torch.tanh(self.latent(self.gru(values)[0]))

    def logits(self, values: Tensor) -> Tensor:
        """Return (B, W, K) logits of (B, W, C) values."""
        return self.head(self(values))


class StyleEncoder(nn.Module):
    """Bi-GRU, averaged over the window, to mean and log-variance of one latent per window."""

    def __init__(self, settings: NetworkSettings, *, latent: int | None = None):
        super().__init__()
        self.gru = _gru(len(settings.channels), settings)
        self.latent = nn.Linear(2 * settings.hidden, 2 * (latent or settings.style_latent))

    def forward(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Return mu and log_var, both (B, Zs), of (B, W, C) values."""
        mu, unbounded = self.latent(self.gru(values)[0].mean(dim=1)).chunk(2, dim=-1)
        return mu, LOG_VAR_LIMIT * torch.tanh(unbounded / LOG_VAR_LIMIT)


class Decoder(nn.Module):
    """Bi-GRU from both latents, each scaled by one weight, to a window."""

    def __init__(self, settings: NetworkSettings):
        super().__init__()
        learnable = settings.learnable_weights
        self.content_weight = nn.Parameter(torch.ones(()), requires_grad=learnable)
        self.style_weight = nn.Parameter(torch.ones(()), requires_grad=learnable)
        self.gru = _gru(settings.content_latent + settings.style_latent, settings)
        self.head = nn.Linear(2 * settings.hidden, len(settings.channels))

    def forward(self, z_c: Tensor, z_s: Tensor) -> Tensor:
        """Return (B, W, C) values of z_c (B, W, Zc) and z_s (B, Zs), which is repeated along time."""
        style = z_s.unsqueeze(1).expand(-1, z_c.shape[1], -1)
        both = torch.cat([self.content_weight * z_c, self.style_weight * style], dim=-1)
        return self.head(self.gru(both)[0])


class TwoEncoderVAE(nn.Module):
    """Content encoder, style encoder and the decoder that joins what they say."""

    def __init__(self, settings: NetworkSettings):
        super().__init__()
        self.settings = settings
        self.content = ContentEncoder(settings)
        self.style = StyleEncoder(settings)
        self.decoder = Decoder(settings)

    def forward(self, values: Tensor) -> Tensor:
        """Return the (B, W, C) reconstruction of (B, W, C) values, with z_s = mu."""
        return self.decoder(self.content(values), self.style(values)[0])


class OneEncoderVAE(nn.Module):
    """Ordinary recurrent VAE: one latent per window, repeated along time for the decoder."""

    def __init__(self, settings: NetworkSettings):
        super().__init__()
        self.settings = settings
        self.encoder = StyleEncoder(settings, latent=settings.window_latent)
        self.gru = _gru(settings.window_latent, settings)
        self.head = nn.Linear(2 * settings.hidden, len(settings.channels))

    def decode(self, z: Tensor, samples: int) -> Tensor:
        """Return (B, samples, C) values of z (B, Z)."""
        return self.head(self.gru(z.unsqueeze(1).expand(-1, samples, -1))[0])

    def forward(self, values: Tensor) -> Tensor:
        """Return the (B, W, C) reconstruction of (B, W, C) values, with z = mu."""
        return self.decode(self.encoder(values)[0], values.shape[1])


Network = Recogniser | ContentEncoder | TwoEncoderVAE | OneEncoderVAE
"""What can be trained, saved and loaded on its own."""

KINDS: Mapping[str, type[Network]] = {
    kind.__name__: kind for kind in (Recogniser, ContentEncoder, TwoEncoderVAE, OneEncoderVAE)
}


@contextmanager
def reproducible(seed: int) -> Iterator[None]:
    """Draw from torch's CPU generator as seeded inside, and leave it as it was found outside."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield


def device_of(network: nn.Module) -> torch.device:
    """Return the device that holds the weights."""
    return next(network.parameters()).device


def in_batches(
    function: Callable[..., Tensor], *arrays: np.ndarray, device: torch.device | str = "cpu", batch: int = 1024
) -> np.ndarray:
    """Apply a network's function to arrays, batch by batch and without gradients.

    Args:
        function: From tensors of B rows each to one tensor of B rows.
        *arrays: Of N rows each.
        device: Where the function computes.
        batch: B.

    Returns:
        (N, ...) array.
    """
    rows = range(0, max(1, len(arrays[0])), batch)
    with torch.no_grad():
        parts = [function(*(torch.from_numpy(array[i : i + batch]).to(device) for array in arrays)).cpu() for i in rows]
    return torch.cat(parts).numpy()


def phase_probabilities(reader: Recogniser | ContentEncoder, values: np.ndarray) -> np.ndarray:
    """Return (N, W, K) probabilities of the phases of (N, W, C) normalised values."""
    return in_batches(lambda x: reader.logits(x).softmax(dim=-1), values, device=device_of(reader))


def save_network(
    path: Path,
    network: Network,
    *,
    statistics: Statistics | None = None,
    provenance: Mapping[str, Any] | None = None,
) -> None:
    """Save a network as `path`.safetensors (weights) and `path`.json (everything else).

    Args:
        path: Without suffix; its folder is made.
        network: The network.
        statistics: Scale of the channels it was trained on, which its inputs need again.
        provenance: What else a reader should know, such as digests of the datasets; anything that JSON holds.
    """
    description = {
        "format": 1,
        "kind": type(network).__name__,
        "settings": asdict(network.settings),
        "statistics": None,
        "provenance": dict(provenance or {}),
    }
    if statistics is not None:
        description["statistics"] = {
            "channels": list(statistics.channels),
            "mean": [float(mean) for mean in statistics.mean],
            "std": [float(std) for std in statistics.std],
        }
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(Path(f"{path}.safetensors")) as file:
        save_file(plain_tensors(network.state_dict()), file)
    with whole_file(Path(f"{path}.json")) as file:
        file.write_text(json.dumps(description, indent=1) + "\n", encoding="utf-8")


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path that becomes `path` in one move, unless something fails before."""
    temporary = path.with_name(f".{path.name}-{os.getpid()}")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def plain_tensors(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return contiguous copies on the CPU that share no memory, as safetensors needs them."""
    return {name: tensor.detach().cpu().clone().contiguous() for name, tensor in tensors.items()}


def load_network(path: Path, *, device: torch.device | str = "cpu") -> tuple[Network, Statistics | None]:
    """Load what `save_network` wrote, ready for use.

    Args:
        path: Without suffix.
        device: Where to put the weights.

    Returns:
        The network in eval mode, and the scale of its channels if it was saved with one.

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If the files do not hold one of the networks in `KINDS`.
    """
    try:
        description = json.loads(Path(f"{path}.json").read_text(encoding="utf-8"))
        settings = description["settings"]
        network = KINDS[description["kind"]](NetworkSettings(**{**settings, "channels": tuple(settings["channels"])}))
        network.load_state_dict(load_file(f"{path}.safetensors"))
        statistics = _statistics(description["statistics"])
    except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(
            f"{path}.json and .safetensors hold no network ({reason}), expected what save_network wrote; train again"
        ) from error
    return network.to(device).eval(), statistics


def _statistics(description: Mapping[str, Any] | None) -> Statistics | None:
    if description is None:
        return None
    mean, std = np.array(description["mean"]), np.array(description["std"])
    return Statistics(channels=tuple(description["channels"]), mean=mean, std=std)
