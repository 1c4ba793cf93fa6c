"""How the two VAEs of the source paper are trained, and the term that keeps style independent of content.

References:
    Nam, Han and Ko, "Multi-Encoder VAE based Real-to-Sim Framework by Utilizing Health Training Data".
"""

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from real2sim.checkpoints import Part
from real2sim.compute import reproducible
from real2sim.mutual_information import StatisticNetwork, donsker_varadhan, statistic_loss
from real2sim.networks import ContentEncoder, OneEncoderVAE, Sizes, TwoEncoderVAE
from real2sim.training import Batches, Curve, TrainingSettings, fit
from real2sim.windows import Windows

AUTOENCODER = TrainingSettings(epochs=16, patience=5)


@dataclass(frozen=True, kw_only=True)
class MineSettings:
    """The term that keeps style independent of content.

    Attributes:
        sign: "sound" trains the style encoder to lower the bound on the mutual information; "literal" is the paper's
            formula read as it is printed, which raises it; "off" leaves the term out.
        weight: Lambda, times the bound [nat]; the paper names none. With this one the style tells less of the phase
            (`benchmarks/run.py independence`), and converted simulation is read as well as without the term.
        steps: Steps of the statistic network for one of the encoder.
        moments: Samples of the content sequence that are paired with the style of their window.
        learning_rate: Of the statistic network.
    """

    sign: Literal["sound", "literal", "off"] = "sound"
    weight: float = 0.2
    steps: int = 6
    moments: int = 8
    learning_rate: float = 1e-3


def reconstruction_loss(output: Tensor, windows: Batches) -> Tensor:
    """Mean squared error over the values that are present."""
    return ((output - windows.values) ** 2 * windows.present).sum() / windows.present.sum().clamp(min=1)


def divergence(mu: Tensor, log_var: Tensor) -> Tensor:
    """Kullback-Leibler divergence of N(mu, exp(log_var)) from N(0, I), mean over the batch [nat]."""
    return 0.5 * (mu**2 + log_var.exp() - 1 - log_var).sum(1).mean()


def sample(mu: Tensor, log_var: Tensor) -> Tensor:
    """mu + eps * sigma."""
    return mu + torch.randn_like(mu) * (0.5 * log_var).exp()


def divergence_weight(windows: Batches) -> float:
    """Divides the evidence bound of unit variance by half the number of values, as `reconstruction_loss` does."""
    return 2.0 / (windows.values.shape[1] * windows.values.shape[2])


def train_one_encoder(
    train: Windows,
    validation: Windows,
    *,
    seed: int,
    settings: TrainingSettings = AUTOENCODER,
    checkpoint: Path | None = None,
) -> tuple[OneEncoderVAE, Curve]:
    """Trains the ordinary VAE."""
    with reproducible(seed):
        network = OneEncoderVAE(Sizes(channels=len(train.channels)))
        windows = Batches.of(train)
        weight = divergence_weight(windows)

        def loss(batch: Batches) -> Tensor:
            mu, log_var = network.encoder(batch.values)
            output = network.decode(sample(mu, log_var), batch.values.shape[1])
            return reconstruction_loss(output, batch) + weight * divergence(mu, log_var)

        curve = fit(network, loss, windows, Batches.of(validation), settings, checkpoint=checkpoint)
    return network, curve


def train_style_and_decoder(
    content: ContentEncoder,
    train: Windows,
    validation: Windows,
    *,
    seed: int,
    settings: TrainingSettings = AUTOENCODER,
    mine: MineSettings | None = None,
    sizes: Sizes | None = None,
    checkpoint: Path | None = None,
) -> tuple[TwoEncoderVAE, Curve]:
    """Trains style encoder and decoder on simulated windows; the content encoder is frozen and gets no gradient.

    The loss is L_recon + L_KLD + lambda * L_MINE. A statistic network is trained in alternating steps to raise the
    Donsker-Varadhan bound on I(z_c; z_s), the style encoder to lower it (see `MineSettings.sign`).

    Args:
        content: The trained content encoder; copied.
        train, validation: Simulated windows.
        seed: Of initialisation, order and noise.
        settings: How.
        mine: The independence term.
        sizes: Of the network; by default those of the content encoder.
        checkpoint: File for the state after each epoch, see `fit`.

    Returns:
        The model, and the curve with the estimate of the mutual information (`mutual_information`, nat).
    """
    mine = mine or MineSettings()
    with reproducible(seed):
        network = TwoEncoderVAE(sizes or content.sizes)
        network.content = copy.deepcopy(content).requires_grad_(False)
        windows, held_out = Batches.of(train), Batches.of(validation)
        independence = Independence(network, mine, windows)

        def loss(batch: Batches) -> Tensor:
            base, z_c, z_s = autoencoder_loss(network, batch)
            return base + independence(z_c, z_s) if network.training else base

        def watch() -> dict[str, float]:
            return {
                "mutual_information": independence.estimate(held_out),
                "content_weight": float(network.content_weight.detach()),
                "style_weight": float(network.style_weight.detach()),
            }

        curve = fit(
            network,
            loss,
            windows,
            held_out,
            settings,
            watch=watch,
            companions=independence.parts,
            checkpoint=checkpoint,
        )
    return network, curve


def autoencoder_loss(network: TwoEncoderVAE, batch: Batches) -> tuple[Tensor, Tensor, Tensor]:
    """L_recon + L_KLD of a batch, and the latents behind them: content (B, W, Zc) and a drawn style (B, Zs)."""
    z_c = network.content(batch.values)
    mu, log_var = network.style(batch.values)
    z_s = sample(mu, log_var)
    loss = reconstruction_loss(network.decode(z_c, z_s), batch) + divergence_weight(batch) * divergence(mu, log_var)
    return loss, z_c, z_s


class Independence:
    """lambda * L_MINE and the statistic network behind it."""

    def __init__(self, network: TwoEncoderVAE, settings: MineSettings, windows: Batches):
        self.network, self.settings = network, settings
        samples = windows.values.shape[1]
        self.moments = torch.linspace(0, samples - 1, min(settings.moments, samples)).round().long()
        size = len(self.moments) * network.sizes.content
        self.statistic = StatisticNetwork(size, network.sizes.style)
        self.optimiser = torch.optim.Adam(self.statistic.parameters(), lr=settings.learning_rate, fused=True)
        self.sign = {"sound": 1.0, "literal": -1.0, "off": 0.0}[settings.sign]

    @property
    def parts(self) -> dict[str, Part]:
        """What is trained here, for a checkpoint."""
        return {"statistic": self.statistic, "statistic_optimiser": self.optimiser}

    def __call__(self, z_c: Tensor, z_s: Tensor) -> Tensor:
        """Trains the statistic network on these latents, then gives the term for the style encoder."""
        if len(z_s) < 2:
            return torch.zeros(())
        content = self._content(z_c)
        for _ in range(self.settings.steps):
            self.optimiser.zero_grad()
            statistic_loss(self.statistic, content.detach(), z_s.detach()).backward()
            nn.utils.clip_grad_norm_(self.statistic.parameters(), 1.0)
            self.optimiser.step()
        if self.sign == 0.0:
            return torch.zeros(())
        self.statistic.requires_grad_(False)
        bound = donsker_varadhan(self.statistic(content, z_s))
        self.statistic.requires_grad_(True)
        return self.sign * self.settings.weight * bound

    @torch.no_grad()
    def estimate(self, windows: Batches) -> float:
        """The bound on held-out windows [nat]."""
        part = windows[torch.arange(min(len(windows), 1024))]
        z_s = sample(*self.network.style(part.values))
        return float(donsker_varadhan(self.statistic(self._content(self.network.content(part.values)), z_s)))

    def _content(self, z_c: Tensor) -> Tensor:
        return z_c[:, self.moments].flatten(1)
