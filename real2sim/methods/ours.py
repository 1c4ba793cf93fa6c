"""The two-encoder model at its best.

What is added to the paper's model, each for one reason:

- *Content* is learnt from all that the simulation knows of a movement (phase, height, four-part phase), so that it
  keeps what other recognisers will ask for, from devices turned anew in every window, and with channels along gravity
  beside those measured, which no mounting changes.
- *Labels* are learnt beside the simulation instead of after it, so that the few do not overwrite the many, and the
  unlabelled recordings teach through a slow average of the network (mean teacher).
- *Crossed mountings*: the decoder gets the content of a window and the style of another window of that repetition
  with the devices mounted otherwise, and is to give the first window in the second mounting. No style can carry
  content that way, and no content a mounting.
- *Kept content*: under the style of any other window, what is decoded must be read as the movement that it is, by
  recognisers trained on simulation alone.

References:
    Tarvainen and Valpola 2017, "Mean teachers are better role models", NeurIPS.
    Park et al. 2020, "Swapping Autoencoder for Deep Image Manipulation", NeurIPS.
"""

import copy
from collections.abc import Callable
from collections.abc import Sequence as ListLike
from dataclasses import dataclass, field
from functools import cache, partial

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from real2sim.conversion import choose_style
from real2sim.material import Material, Simulated
from real2sim.method import Model, Row, Trained
from real2sim.methods.recognisers import RANDOMISED
from real2sim.mountings import Mountings
from real2sim.networks import ContentEncoder, Recogniser, Sizes, TwoEncoderVAE, register, reproducible
from real2sim.training import (
    Batches,
    Curve,
    Independence,
    MineSettings,
    TrainingSettings,
    divergence,
    divergence_weight,
    fit,
    phase_loss,
    reconstruction_loss,
    sample,
)
from real2sim.windows import Statistics

CONTENT = TrainingSettings(epochs=14)
ADAPTATION = TrainingSettings(epochs=6, learning_rate=1e-3, patience=6)
CONVERTER = TrainingSettings(epochs=14, patience=14)
HEIGHT_WEIGHT = 20.0  # a height is within 0.4 to 1: its squared error is about as large as a phase loss then
FOUR_PART_WEIGHT = 0.5
FEW = 32  # labelled windows beside a batch of simulated ones
UNLABELLED = 64
SURE = 0.9  # how sure the teacher must be of a sample's phase
SLOWNESS = 0.99  # of the teacher, a step


Critic = Callable[[Tensor, Batches], Tensor]
"""How badly decoded windows (B, W, C) are read as the movement of a simulated batch."""


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
        labels: The content encoder learns from the labels.
        unlabelled: Weight of the mean teacher; 0 leaves the unlabelled recordings out.
        mine: The independence term.
        learn_weights: The decoder's weights of the two latents are learnt.
    """

    content: int = 8
    rich: bool = True
    turned: bool = True
    gravity: bool = True
    crossed: bool = True
    kept: float = 1.0
    labels: bool = True
    unlabelled: float = 0.5
    mine: MineSettings = field(default_factory=MineSettings)
    learn_weights: bool = True


@register
class MovementReader(nn.Module):
    """A content encoder with heads for what the simulation knows of a movement."""

    def __init__(self, sizes: Sizes):
        super().__init__()
        self.sizes = sizes
        self.encoder = ContentEncoder(sizes)
        self.height = nn.Linear(sizes.content, 1)
        self.four_part = nn.Linear(sizes.content, 4)

    def loss(self, values: Tensor, batch: Batches, *, rich: bool = True) -> Tensor:
        """How badly windows (B, W, C) are read as the movement of a simulated batch."""
        z_c = self.encoder(values)
        value = phase_loss(self.encoder.head(z_c), batch.phase)
        if not rich:
            return value
        known = batch.phase >= 0
        off = (self.height(z_c)[..., 0] - batch.truth["height"])[known].square().mean()
        four_part = torch.where(known, batch.truth["phase4"], -1.0).long()
        return value + HEIGHT_WEIGHT * off + FOUR_PART_WEIGHT * phase_loss(self.four_part(z_c), four_part)


def content(material: Material, *, plan: Plan) -> Trained:
    """Trains a movement reader on the simulation."""
    simulated = material.simulated()
    mountings = Mountings.of(simulated.statistics)
    with reproducible(material.seed):
        network = new_reader(simulated, plan)
        curve = fit(
            network,
            lambda batch: network.loss(_turned(network, mountings, batch, plan), batch, rich=plan.rich),
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


def adapted_content(material: Material, *, plan: Plan, start: str) -> Trained:
    """Trains a movement reader on, with simulation, labels and unlabelled recordings side by side."""
    simulated = material.simulated()
    mountings = Mountings.of(simulated.statistics)
    labelled = Batches.of(material.labelled(simulated.statistics).windows) if plan.labels else None
    recordings = Batches.of(material.recordings(simulated.statistics)) if plan.unlabelled else None
    settings = material.settings(ADAPTATION)
    with reproducible(material.seed):
        network = copy.deepcopy(material.network(start))
        assert isinstance(network, MovementReader)
        teacher = MeanTeacher(network)
        steps = settings.epochs * -(-len(simulated.train) // settings.batch)

        def loss(batch: Batches) -> Tensor:
            value = network.loss(_turned(network, mountings, batch, plan), batch, rich=plan.rich)
            if labelled is not None and len(labelled):
                few = _some(labelled, FEW)
                value = value + phase_loss(network.encoder.phases(_turned(network, mountings, few, plan)), few.phase)
            if recordings is not None:
                some = _some(recordings, UNLABELLED)
                read = network.encoder.phases(_turned(network, mountings, some, plan))
                weight = plan.unlabelled * min(1.0, 3.0 * float(teacher.step) / steps)
                value = value + weight * teacher.disagreement(some.values, read)
                teacher.follow(network)
            return value

        curve = fit(
            network,
            loss,
            Batches.of(simulated.train),
            None,
            settings,
            companions={"teacher": teacher},
            checkpoint=material.checkpoint,
        )
    return Trained(network=network, statistics=simulated.statistics, notes={"curve": curve, **simulated.notes})


class MeanTeacher(nn.Module):
    """A slow average of a network that tells it the phases of windows without labels."""

    step: Tensor

    def __init__(self, network: MovementReader):
        super().__init__()
        self.network = copy.deepcopy(network).requires_grad_(False).eval()
        self.register_buffer("step", torch.zeros(()))

    @torch.no_grad()
    def follow(self, network: MovementReader) -> None:
        """Moves a little towards the network."""
        self.step += 1
        for slow, fast in zip(self.network.parameters(), network.parameters(), strict=True):
            slow.lerp_(fast, 1.0 - SLOWNESS)

    def disagreement(self, values: Tensor, read: Tensor) -> Tensor:
        """Cross-entropy of logits (B, W, 2) against the teacher's phases of (B, W, C), where it is sure of them."""
        told = self.network.encoder.phases(values).softmax(-1)
        sure = told.max(-1).values > SURE
        return (-(told * functional.log_softmax(read, -1)).sum(-1) * sure).mean()


def _some(windows: Batches, number: int) -> Batches:
    return windows[torch.randint(len(windows), (number,))]


class Conversion:
    """The loss of style encoder and decoder on simulated windows."""

    def __init__(
        self, network: TwoEncoderVAE, windows: Batches, statistics: Statistics, plan: Plan, critics: ListLike[Critic]
    ):
        self.network, self.windows, self.plan, self.critics = network, windows, plan, critics
        self.mountings = Mountings.of(statistics)
        self.independence = Independence(network, plan.mine, windows)
        self._other = _other_window(windows.sequence)

    def loss(self, batch: Batches) -> Tensor:
        """L_recon + L_KLD + lambda * L_MINE, and how badly content is kept under other styles."""
        source, target, example = self._crossing(batch)
        z_c = self.network.content(source)
        mu, log_var = self.network.style(example)
        z_s = sample(mu, log_var)
        error = (self.network.decode(z_c, z_s) - target).square() * batch.present
        value = error.sum() / batch.present.sum() + divergence_weight(batch) * divergence(mu, log_var)
        value = value + self.independence(z_c, z_s)
        if not self.plan.kept:
            return value
        decoded = self.network.decode(z_c, z_s[torch.randperm(len(z_s))])
        return value + self.plan.kept * torch.stack([critic(decoded, batch) for critic in self.critics]).sum()

    def _crossing(self, batch: Batches) -> tuple[Tensor, Tensor, Tensor]:
        """What content is read from, what is to be decoded, and what style is read from, each (B, W, C)."""
        if not self.plan.crossed:
            return batch.values, batch.values, batch.values
        example = self.windows[self._other(batch.sequence)]
        if not self.plan.turned:
            return batch.values, batch.values, example.values
        here, there = self.mountings.draw(len(batch)), self.mountings.draw(len(batch))
        return (
            self.mountings.turned(batch.values, batch.present, here),
            self.mountings.turned(batch.values, batch.present, there),
            self.mountings.turned(example.values, example.present, there),
        )

    @torch.no_grad()
    def watch(self, held_out: Batches) -> dict[str, float]:
        """Figures for the training's curve."""
        return {
            "reconstruction": float(reconstruction_loss(self.network.reconstruct(held_out.values), held_out)),
            "mutual_information": self.independence.estimate(held_out),
            "content_weight": float(self.network.content_weight),
            "style_weight": float(self.network.style_weight),
        }


def _other_window(sequence: Tensor) -> Callable[[Tensor], Tensor]:
    """Draws, for the numbers of sequences (B,), a window of each."""
    order = torch.argsort(sequence, stable=True)
    count = torch.bincount(sequence)
    before = torch.cumsum(count, 0) - count
    return lambda of: order[before[of] + (torch.rand(len(of)) * count[of]).long()]


def critics_of(material: Material, plan: Plan, critic: str, reader: str) -> tuple[Critic, Critic]:
    """A movement reader and a recogniser of the simulation alone, saying how badly they read what is decoded."""
    judging, recogniser = material.network(critic), material.network(reader)
    assert isinstance(judging, MovementReader)
    assert isinstance(recogniser, Recogniser)
    for frozen in (judging, recogniser):
        frozen.requires_grad_(False)
    return (
        lambda decoded, batch: judging.loss(decoded, batch, rich=plan.rich),
        lambda decoded, batch: phase_loss(recogniser(decoded), batch.phase),
    )


def converter(material: Material, *, plan: Plan, encoder: str, critic: str, reader: str) -> Trained:
    """Trains style encoder and decoder on the simulation, behind a content encoder that stays as it is."""
    simulated = material.simulated()
    reading = material.network(encoder)
    assert isinstance(reading, MovementReader)
    with reproducible(material.seed):
        network = TwoEncoderVAE(sizes_of(simulated, plan))
        network.content = copy.deepcopy(reading.encoder).requires_grad_(False)
        windows, held_out = Batches.of(simulated.train), Batches.of(simulated.validation)
        critics = critics_of(material, plan, critic, reader)
        conversion = Conversion(network, windows, simulated.statistics, plan, critics)
        curve = fit(
            network,
            conversion.loss,
            windows,
            None,
            material.settings(CONVERTER),
            watch=lambda: conversion.watch(held_out),
            companions=conversion.independence.parts,
            checkpoint=material.checkpoint,
        )
    return finished(material, simulated, network, curve, reader)


def sizes_of(simulated: Simulated, plan: Plan) -> Sizes:
    """Sizes of the networks of a plan."""
    return Sizes(
        channels=len(simulated.statistics.channels),
        content=plan.content,
        learn_weights=plan.learn_weights,
        devices=Mountings.of(simulated.statistics).triads if plan.gravity else (),
    )


def finished(material: Material, simulated: Simulated, network: TwoEncoderVAE, curve: Curve, reader: str) -> Trained:
    """Fixes the style under which the reader reads simulated phases best, of those of some training windows."""
    recogniser, rng = material.network(reader), np.random.default_rng(material.seed)
    assert isinstance(recogniser, Recogniser)
    style, accuracy = choose_style(network, recogniser, simulated.train, simulated.validation, rng)
    network.fixed_style.copy_(style)
    notes = {"curve": curve, "style_accuracy": accuracy, **simulated.notes}
    return Trained(network=network, statistics=simulated.statistics, notes=notes)


START = ("content", "rich", "turned", "gravity")  # what of a plan the content encoder of the simulation depends on
ADAPTED = (*START, "labels", "unlabelled")  # and those that the adapted one does


def two_encoder_model(name: str, reader: Model, plan: Plan) -> Model:
    """The model on the simulation that its reader, a recogniser, was trained on."""
    start, encoder = _start(reader.simulation, name, _only(plan, START)), _adapted(reader.simulation, name, plan)
    return Model(
        name=name,
        train=partial(converter, plan=plan, encoder=encoder.base, critic=start.base, reader=reader.base),
        uses="labels",
        simulation=reader.simulation,
        needs=(encoder, start, reader),
    )


def _start(simulation: str, name: str, plan: Plan) -> Model:
    """The content encoder of a simulation; models whose plans do not differ in it share it."""
    return _start_model(simulation, plan, "" if plan == Plan() else f"-for-{name}")


def _adapted(simulation: str, name: str, plan: Plan) -> Model:
    """The same, adapted to the recordings."""
    plan = _only(plan, ADAPTED)
    start = _start(simulation, name, _only(plan, START))
    return _adapted_model(simulation, plan, start, "" if plan == Plan() else f"-for-{name}")


@cache
def _start_model(simulation: str, plan: Plan, suffix: str) -> Model:
    return Model(name=f"movement-{simulation}{suffix}", train=partial(content, plan=plan), simulation=simulation)


@cache
def _adapted_model(simulation: str, plan: Plan, start: Model, suffix: str) -> Model:
    return Model(
        name=f"movement-{simulation}-adapted{suffix}",
        train=partial(adapted_content, plan=plan, start=start.base),
        uses="labels",
        simulation=simulation,
        needs=(start,),
    )


def _only(plan: Plan, fields: tuple[str, ...]) -> Plan:
    """The plan that is ours but for these fields."""
    return Plan(**{name: getattr(plan, name) for name in fields})


OURS = Row(
    name="two-encoder",
    recogniser=RANDOMISED,
    converter=two_encoder_model("two-encoder", RANDOMISED, Plan()),
    meaning="the recordings are converted by the two-encoder VAE first",
    paper=0.7490,
)

ROWS = (OURS,)
