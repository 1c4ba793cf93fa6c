"""Recognisers adapted to the recordings without labels: deep CORAL and DANN.

Both go on from a recogniser of the simulation. Their weights were chosen by the accuracy on simulated
validation windows and by what they reach in their own terms, never by labels of recordings (docs/real2sim.md).

References:
    Ganin et al. 2016, "Domain-Adversarial Training of Neural Networks", JMLR 17(59), section 5.2.2 (schedule).
"""

import copy
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from real2sim.compute import reproducible
from real2sim.correlation import calibrated, covariance_distance
from real2sim.material import Material, Simulated
from real2sim.method import Model, Row, Trained
from real2sim.methods.recognisers import RANDOMISED, going_on
from real2sim.networks import Recogniser
from real2sim.training import Batches, TrainingSettings, fit, phase_loss

SETTINGS = TrainingSettings(epochs=7, learning_rate=1e-3)
CORAL_SHARE = 3.0  # of the term over the phases' loss, at the start; it ends at .4, and larger unlearns phases
STRENGTH = 0.3  # of the reversed gradient at the end
STEEPNESS = 10.0  # of the schedule by which the adversary gains weight


def coral(material: Material, *, start: str) -> Trained:
    """Trains on with simulated phases while the features' covariances are held equal in both domains.

    The authors ask for a weight with which both losses are about equal in the end. It is calibrated on the features
    that the training starts from, which makes it the same whatever their scale.
    """
    simulated, recordings, network = _parts(material, start)
    with reproducible(material.seed):
        train = Batches.of(simulated.train)

        def losses(batch: Batches) -> tuple[Tensor, Tensor]:
            features, foreign = _features(network, batch, recordings)
            return phase_loss(network.head(features), batch.phase), covariance_distance(features, foreign)

        weight = calibrated(losses, train, CORAL_SHARE)

        def loss(batch: Batches) -> Tensor:
            phases, distance = losses(batch)
            return phases + weight * distance

        curve = fit(network, loss, train, None, material.settings(SETTINGS), checkpoint=material.checkpoint)
    notes = {"curve": curve, "weight": weight, **simulated.notes}
    return Trained(network=network, statistics=simulated.statistics, notes=notes)


class Adversarial(nn.Module):
    """A recogniser whose features a second head tries to tell the domain from, through a reversed gradient."""

    step: Tensor

    def __init__(self, recogniser: Recogniser):
        super().__init__()
        hidden = recogniser.sizes.hidden
        self.recogniser = recogniser
        self.domain = nn.Sequential(nn.Linear(2 * hidden, hidden), nn.ReLU(), nn.Linear(hidden, 1))
        self.register_buffer("step", torch.zeros(()))

    def domain_loss(self, simulated: Tensor, foreign: Tensor, strength: float) -> Tensor:
        """How badly the domain is told from the features of every sample of windows (B, W, 2H)."""
        told = self.domain(_Reversed.apply(torch.cat([simulated, foreign]), strength))[..., 0]
        truth = torch.cat([torch.zeros(len(simulated)), torch.ones(len(foreign))])[:, None].expand_as(told)
        return functional.binary_cross_entropy_with_logits(told, truth)


class _Reversed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, strength: float) -> Tensor:
        ctx.strength = strength
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *gradient: Tensor) -> Any:
        return -ctx.strength * gradient[0], None


def dann(material: Material, *, start: str) -> Trained:
    """Trains on with simulated phases while an adversary cannot tell the domain from the features of a sample.

    The adversary gains weight along the schedule of the authors, so the last weights are kept: an early stop by
    simulated phases would stop before it weighs anything.
    """
    simulated, recordings, recogniser = _parts(material, start)
    settings = material.settings(SETTINGS)
    with reproducible(material.seed):
        network = Adversarial(recogniser)
        steps = settings.epochs * -(-len(simulated.train) // settings.batch)

        def loss(batch: Batches) -> Tensor:
            strength = STRENGTH * (2 / (1 + torch.exp(-STEEPNESS * network.step / steps)) - 1)
            network.step += 1
            features, foreign = _features(recogniser, batch, recordings)
            phases = phase_loss(recogniser.head(features), batch.phase)
            return phases + network.domain_loss(features, foreign, float(strength))

        curve = fit(network, loss, Batches.of(simulated.train), None, settings, checkpoint=material.checkpoint)
    return Trained(network=recogniser, statistics=simulated.statistics, notes={"curve": curve, **simulated.notes})


def _parts(material: Material, start: str) -> tuple[Simulated, Batches, Recogniser]:
    """The simulation, the recordings, and the recogniser of that simulation to go on from."""
    simulated, network = material.simulated(), copy.deepcopy(material.network(start))
    assert isinstance(network, Recogniser)
    return simulated, Batches.of(material.recordings(simulated.statistics)), network


def _features(network: Recogniser, batch: Batches, recordings: Batches) -> tuple[Tensor, ...]:
    """Features (B, W, 2H) of a simulated batch, and of as many windows of recordings."""
    return network.rnn(torch.cat([batch.values, recordings.some(len(batch)).values]))[0].chunk(2)


@cache
def correlated(start: Model) -> Model:
    """A recogniser of a simulation, adapted by CORAL."""
    return going_on("coral", coral, start, "recordings")


ROWS = tuple(
    Row(name=name, recogniser=model, meaning=f"recogniser trained on the randomised simulation, {meaning}")
    for name, model, meaning in (
        ("coral", correlated(RANDOMISED), "its features' covariances held equal on recordings without labels"),
        (
            "dann",
            going_on("dann", dann, RANDOMISED, "recordings"),
            "its features hiding from an adversary whether a sample is of a recording",
        ),
    )
)
