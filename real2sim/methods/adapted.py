"""Recognisers adapted to the recordings without labels: deep CORAL and DANN.

References:
    Sun and Saenko 2016, "Deep CORAL: Correlation Alignment for Deep Domain Adaptation", ECCV workshops.
    Ganin et al. 2016, "Domain-Adversarial Training of Neural Networks", JMLR 17(59), section 5.2.2 (schedule).
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from real2sim.material import Material, Simulated
from real2sim.method import Model, Row, Trained
from real2sim.methods.recognisers import RANDOMISED
from real2sim.networks import Recogniser, Sizes, reproducible
from real2sim.training import Batches, TrainingSettings, fit, phase_loss

CORAL_WEIGHT = 30.0  # not tuned: the term ends at a 500th of the phase loss, where the authors advise one as large
STEEPNESS = 10.0  # of the schedule by which the adversary gains weight


def covariance_distance(one: Tensor, other: Tensor) -> Tensor:
    """Squared distance of the covariances of (N, d) and (M, d) features, over 4 d."""
    difference = torch.cov(one.T) - torch.cov(other.T)
    return (difference**2).sum() / (4 * one.shape[1])


def coral(material: Material) -> Trained:
    """Trains on simulated phases while the features' covariances are held equal in both domains."""
    simulated, recordings, settings = _parts(material)
    with reproducible(material.seed):
        network = Recogniser(Sizes(channels=len(simulated.statistics.channels)))

        def loss(batch: Batches) -> Tensor:
            features, foreign = network.rnn(batch.values)[0], network.rnn(_some(recordings, len(batch)))[0]
            distance = covariance_distance(features.flatten(0, 1), foreign.flatten(0, 1))
            return phase_loss(network.head(features), batch.phase) + CORAL_WEIGHT * distance

        validation = Batches.of(simulated.validation)
        curve = fit(network, loss, Batches.of(simulated.train), validation, settings, checkpoint=material.checkpoint)
    return Trained(network=network, statistics=simulated.statistics, notes={"curve": curve, **simulated.notes})


class Adversarial(nn.Module):
    """A recogniser whose features a second head tries to tell the domain from, through a reversed gradient."""

    step: Tensor

    def __init__(self, sizes: Sizes):
        super().__init__()
        self.recogniser = Recogniser(sizes)
        self.domain = nn.Sequential(nn.Linear(2 * sizes.hidden, sizes.hidden), nn.ReLU(), nn.Linear(sizes.hidden, 1))
        self.register_buffer("step", torch.zeros(()))

    def domain_loss(self, simulated: Tensor, foreign: Tensor, strength: float) -> Tensor:
        """How badly the domain is told from the mean features of windows (B, W, 2H)."""
        windows = torch.cat([simulated.mean(1), foreign.mean(1)])
        told = self.domain(_Reversed.apply(windows, strength))[:, 0]
        truth = torch.cat([torch.zeros(len(simulated)), torch.ones(len(foreign))]).to(told)
        return functional.binary_cross_entropy_with_logits(told, truth)


class _Reversed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, strength: float) -> Tensor:
        ctx.strength = strength
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *gradient: Tensor) -> Any:
        return -ctx.strength * gradient[0], None


def dann(material: Material) -> Trained:
    """Trains on simulated phases while an adversary cannot tell the domain from a window's features.

    The adversary gains weight along the schedule of the authors, so the last weights are kept: an early stop by
    simulated phases would stop before it weighs anything.
    """
    simulated, recordings, settings = _parts(material)
    with reproducible(material.seed):
        network = Adversarial(Sizes(channels=len(simulated.statistics.channels)))
        steps = settings.epochs * -(-len(simulated.train) // settings.batch)

        def loss(batch: Batches) -> Tensor:
            strength = 2 / (1 + torch.exp(-STEEPNESS * network.step / steps)) - 1
            network.step += 1
            features = network.recogniser.rnn(batch.values)[0]
            foreign = network.recogniser.rnn(_some(recordings, len(batch)))[0]
            phases = phase_loss(network.recogniser.head(features), batch.phase)
            return phases + network.domain_loss(features, foreign, float(strength))

        curve = fit(network, loss, Batches.of(simulated.train), None, settings, checkpoint=material.checkpoint)
    recogniser = network.recogniser.eval()
    return Trained(network=recogniser, statistics=simulated.statistics, notes={"curve": curve, **simulated.notes})


def _parts(material: Material) -> tuple[Simulated, Batches, TrainingSettings]:
    simulated = material.simulated()
    recordings = Batches.of(material.recordings(simulated.statistics))
    return simulated, recordings, material.settings(TrainingSettings())


def _some(windows: Batches, number: int) -> Tensor:
    return windows.values[torch.randint(len(windows), (number,))]


ROWS = tuple(
    Row(
        name=name,
        recogniser=Model(name=f"recogniser-{name}", train=train, uses="recordings", simulation=RANDOMISED.simulation),
        meaning=f"recogniser trained on the randomised simulation, {meaning}",
    )
    for name, train, meaning in (
        ("coral", coral, "its features' covariances held equal on recordings without labels"),
        ("dann", dann, "its features hiding from an adversary whether a window is a recording"),
    )
)
