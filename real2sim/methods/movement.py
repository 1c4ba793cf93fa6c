"""Content: what a person does, learnt from the simulation, then beside labels and unlabelled recordings."""

import copy
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn
from torch.nn import functional

from real2sim.autoencoding import MineSettings
from real2sim.compute import reproducible
from real2sim.correlation import calibrated, covariance_distance
from real2sim.material import Material, Simulated
from real2sim.method import Trained
from real2sim.mountings import Mountings
from real2sim.networks import ContentEncoder, Sizes, register
from real2sim.training import Batches, TrainingSettings, fit, in_parts, phase_loss

CONTENT = TrainingSettings(epochs=14)
ADAPTATION = TrainingSettings(epochs=6, learning_rate=1e-3, patience=6)
HEIGHT_WEIGHT = 20.0  # a height is within 0.4 to 1: its squared error is about as large as a phase loss then
FOUR_PART_WEIGHT = 0.5
FEW = 32  # labelled windows beside a batch of simulated ones
UNLABELLED = 64
SURE = 0.95  # how sure the teachers must be together of a sample's phase
SLOWNESS = 0.99  # of the slow average, a step


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
        mine: The independence term.
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
    mine: MineSettings = field(default_factory=MineSettings)
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
            lambda batch: network.loss(
                network.encoder(_turned(network, mountings, batch, plan)), batch, rich=plan.rich
            ),
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


def _turned(network: nn.Module, mountings: Mountings, batch: Batches, plan: Plan) -> Tensor:
    """The values of a batch, in training with every device turned."""
    if not (network.training and plan.turned):
        return batch.values
    return mountings.turned(batch.values, batch.present, mountings.draw(len(batch)))


def adapted_content(material: Material, *, plan: Plan, start: str, adviser: str = "") -> Trained:
    """Trains a movement reader on, with simulation, labels and unlabelled recordings side by side.

    Args:
        material: Of the adapted reader.
        plan: How.
        start: The movement reader of the simulation.
        adviser: A recogniser that teaches too, if there is one.
    """
    simulated = material.simulated()
    mountings = Mountings.of(simulated.statistics)
    train = Batches.of(simulated.train)
    labelled = Batches.of(material.labelled(simulated.statistics).windows) if plan.labels else train[:0]
    recordings = Batches.of(material.recordings(simulated.statistics)) if plan.sees_recordings else train[:0]
    settings = material.settings(ADAPTATION)
    with reproducible(material.seed):
        network = copy.deepcopy(material.network(start))
        assert isinstance(network, MovementReader)
        encoder = network.encoder
        if plan.remembers:
            recordings = replace(recordings, truth={"height": network.heights(recordings.values)})
        teachers = Teachers(network, material.network(adviser) if adviser else None)
        steps = settings.steps(len(train))

        held_equal = network.beyond_height if plan.remembers else nn.Identity()

        def apart(one: Tensor, other: Tensor) -> Tensor:
            return covariance_distance(held_equal(one), held_equal(other))

        def untaught(batch: Batches) -> tuple[Tensor, Tensor]:
            z_c, foreign = encoder(torch.cat([batch.values, recordings.some(len(batch)).values])).chunk(2)
            return phase_loss(encoder.head(z_c), batch.phase), apart(z_c, foreign)

        correlation = calibrated(untaught, train, plan.correlation) if plan.correlation else 0.0

        def loss(batch: Batches) -> Tensor:
            few, some = labelled.some(FEW), recordings.some(UNLABELLED)
            parts = batch, few, some
            shown = torch.cat([_turned(network, mountings, part, plan) for part in parts])
            z_c, named, unnamed = encoder(shown).split([len(part) for part in parts])
            value = network.loss(z_c, batch, rich=plan.rich)
            value = value + plan.labels * phase_loss(encoder.head(named), few.phase)
            if len(recordings):
                weight = plan.unlabelled * min(1.0, 3.0 * float(teachers.step) / steps)
                value = value + weight * teachers.disagreement(some.values, encoder.head(unnamed))
                value = value + correlation * apart(z_c, unnamed)
                if plan.remembers:
                    value = value + plan.remembered * network.height_loss(unnamed, some.truth["height"])
                teachers.follow(network)
            return value

        curve = fit(
            network,
            loss,
            train,
            None,
            settings,
            companions={"teacher": teachers},
            checkpoint=material.checkpoint,
        )
    return Trained(network=network, statistics=simulated.statistics, notes={"curve": curve, **simulated.notes})


class Teachers(nn.Module):
    """Tell a network the phases of windows without labels: its own slow average, and an adviser that stays as it is.

    Args:
        network: Who is taught.
        adviser: Reads the phases of (B, W, C) as logits (B, W, 2), on the network's scale; learns no more.
    """

    step: Tensor

    def __init__(self, network: MovementReader, adviser: nn.Module | None = None):
        super().__init__()
        self.network = copy.deepcopy(network).requires_grad_(False).eval()
        self.adviser = adviser and adviser.requires_grad_(False).eval()
        self.register_buffer("step", torch.zeros(()))

    @torch.no_grad()
    def follow(self, network: MovementReader) -> None:
        """Moves the slow average a little towards the network."""
        self.step += 1
        for slow, fast in zip(self.network.parameters(), network.parameters(), strict=True):
            slow.lerp_(fast, 1.0 - SLOWNESS)

    def disagreement(self, values: Tensor, read: Tensor) -> Tensor:
        """Cross-entropy of logits (B, W, 2) against the teachers' reading of (B, W, C), where that is sure.

        Their probabilities are multiplied, so that each says as much as it is sure.
        """
        told = self.network.encoder.phases(values).log_softmax(-1)
        if self.adviser is not None:
            told = told + self.adviser(values).log_softmax(-1)
        told = told.softmax(-1)
        sure = told.max(-1).values > SURE
        return (-(told * functional.log_softmax(read, -1)).sum(-1) * sure).mean()
