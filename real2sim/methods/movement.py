"""Content: what a person does, learnt from the simulation; the plan of the model that it is part of."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from real2sim.autoencoding import MineSettings
from real2sim.compute import reproducible
from real2sim.material import Material, Simulated
from real2sim.method import Trained
from real2sim.mountings import Mountings
from real2sim.networks import ContentEncoder, Sizes, register
from real2sim.training import Batches, TrainingSettings, fit, in_parts, phase_loss

CONTENT = TrainingSettings(epochs=14)
HEIGHT_WEIGHT = 20.0  # a height is within 0.4 to 1: its squared error is about as large as a phase loss then
FOUR_PART_WEIGHT = 0.5


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How the model is trained; each field is an ablation.

    Attributes:
        content: Zc.
        rich: Content learns height and four-part phase too, not the phase alone.
        turned: Devices are turned anew in every window.
        gravity: The content encoder sees every device along gravity too.
        crossed: The style comes from another window of the repetition in another mounting.
        kept: Weight of the loss of content under other styles; 0 leaves it out.
        agreement: Weight of the loss by which decoded recordings are read as their content is; 0 leaves it out.
        gradual: These two weights grow from 0 over the first half of the training.
        features: Of content, which a bilinear decoder mixes into channels; 0 for a recurrent decoder.
        labels: Weight of the labels in what the content encoder learns; 0 leaves them out.
        unlabelled: Weight of the teachers; 0 leaves the unlabelled recordings out.
        correlation: Of the distance between the covariances of content in simulation and in recordings without labels,
            weighted, over the phases' loss when the adaptation starts; 0 leaves it out.
        remembered: Weight of the heights that the reader read in recordings before it was adapted, over the weight of
            those of the simulation; 0 leaves them out, and lets covariances stretch them.
        advised: A recogniser adapted to the recordings, with the same labels, is one of the teachers.
        mine: The independence term; crossed mountings leave little for it to do.
        learn_weights: The decoder's weights of the two latents are learnt.
    """

    content: int = 8
    rich: bool = True
    turned: bool = True
    gravity: bool = True
    crossed: bool = True
    kept: float = 0.1
    agreement: float = 0.5
    gradual: bool = True
    features: int = 16
    labels: float = 3.0
    unlabelled: float = 2.0
    correlation: float = 3.0
    remembered: float = 0.5
    advised: bool = True
    mine: MineSettings = MineSettings(weight=0.02, steps=3)
    learn_weights: bool = True

    @property
    def sees_recordings(self) -> bool:
        """The content encoder learns from recordings without labels."""
        return bool(self.unlabelled or self.correlation or self.remembers)

    @property
    def remembers(self) -> bool:
        """Heights go on being read in recordings as they were before the adaptation."""
        return bool(self.rich and self.remembered)


def sizes_of(simulated: Simulated, plan: Plan) -> Sizes:
    """Sizes of the networks of a plan."""
    return Sizes(
        channels=len(simulated.statistics.channels),
        content=plan.content,
        learn_weights=plan.learn_weights,
        features=plan.features,
        devices=Mountings.of(simulated.statistics).triads if plan.gravity else (),
    )


@register
class MovementReader(nn.Module):
    """A content encoder with heads for what the simulation knows of a movement."""

    def __init__(self, sizes: Sizes):
        super().__init__()
        self.sizes = sizes
        self.encoder = ContentEncoder(sizes)
        self.height = nn.Linear(sizes.content, 1)
        self.four_part = nn.Linear(sizes.content, 4)

    def loss(self, z_c: Tensor, batch: Batches, *, rich: bool = True) -> Tensor:
        """How badly content (B, W, Zc) is read as the movement of a simulated batch."""
        value = phase_loss(self.encoder.head(z_c), batch.phase)
        if not rich:
            return value
        known = batch.phase >= 0
        value = value + self.height_loss(z_c[known], batch.truth["height"][known])
        four_part = torch.where(known, batch.truth["phase4"], -1.0).long()
        return value + FOUR_PART_WEIGHT * phase_loss(self.four_part(z_c), four_part)

    def height_loss(self, z_c: Tensor, height: Tensor) -> Tensor:
        """How badly content (..., Zc) is read as these heights (...)."""
        return HEIGHT_WEIGHT * (self.height(z_c)[..., 0] - height).square().mean()

    def beyond_height(self, z_c: Tensor) -> Tensor:
        """Content (..., Zc) without its part along the direction that heights are read from."""
        along = functional.normalize(self.height.weight[0].detach(), dim=0)
        return z_c - (z_c @ along)[..., None] * along

    def heights(self, values: Tensor) -> Tensor:
        """Heights (N, W) read in windows (N, W, C), without a gradient."""
        return in_parts(lambda some: self.height(self.encoder(some))[..., 0], values)


def content(material: Material, *, plan: Plan) -> Trained:
    """Trains a movement reader on the simulation."""
    simulated = material.simulated()
    mountings = Mountings.of(simulated.statistics)
    with reproducible(material.seed):
        network = new_reader(simulated, plan)
        curve = fit(
            network,
            lambda batch: network.loss(network.encoder(turned(network, mountings, batch, plan)), batch, rich=plan.rich),
            Batches.of(simulated.train),
            Batches.of(simulated.validation),
            material.settings(CONTENT),
            checkpoint=material.checkpoint,
        )
    return Trained(network=network, statistics=simulated.statistics, notes={"curve": curve, **simulated.notes})


def new_reader(simulated: Simulated, plan: Plan) -> MovementReader:
    """A movement reader that knows the scale of what it reads."""
    network = MovementReader(sizes_of(simulated, plan))
    if network.encoder.seen is not None:
        network.encoder.seen.scale(Mountings.of(simulated.statistics))
    return network


def turned(network: nn.Module, mountings: Mountings, batch: Batches, plan: Plan) -> Tensor:
    """The values (B, W, C) of a batch, in training with every device turned."""
    if not (network.training and plan.turned):
        return batch.values
    return mountings.turned(batch.values, batch.present, mountings.draw(len(batch)))
