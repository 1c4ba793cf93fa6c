"""Converters that are autoencoders of the simulation: with one encoder, and with two."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

import numpy as np
import torch

from real2sim import training
from real2sim.conversion import choose_style
from real2sim.material import Material, Simulated
from real2sim.method import Model, Row, Trained
from real2sim.methods.recognisers import RANDOMISED, RAW
from real2sim.networks import ContentEncoder, Recogniser, Sizes, TwoEncoderVAE
from real2sim.training import AUTOENCODER, FINE_TUNING, MineSettings, TrainingSettings


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How a two-encoder model is trained.

    Attributes:
        style: What stands for the simulated domain: the mean style of its windows, or the one of some windows under
            which simulated phases are read best.
        mine: The independence term.
        learn_weights: The decoder's weights of the two latents are learnt.
        fine_tuned: The content encoder is fine-tuned on the labels.
    """

    style: Literal["mean", "best"] = "best"
    mine: MineSettings = field(default_factory=MineSettings)
    learn_weights: bool = True
    fine_tuned: bool = True


def one_encoder(material: Material) -> Trained:
    """Trains the ordinary VAE on the simulation."""
    simulated = material.simulated()
    network, curve = training.train_one_encoder(
        simulated.train,
        simulated.validation,
        seed=material.seed,
        settings=material.settings(AUTOENCODER),
        checkpoint=material.checkpoint,
    )
    return Trained(network=network, statistics=simulated.statistics, notes={"curve": curve, **simulated.notes})


def content(material: Material) -> Trained:
    """Trains a content encoder on simulated phases."""
    simulated = material.simulated()
    network, curve = training.train_content_encoder(
        simulated.train,
        simulated.validation,
        seed=material.seed,
        settings=material.settings(TrainingSettings()),
        checkpoint=material.checkpoint,
    )
    return Trained(network=network, statistics=simulated.statistics, notes={"curve": curve, **simulated.notes})


def tuned_content(material: Material, *, start: str) -> Trained:
    """Trains on from the content encoder of the simulation, with the budget's labels; without any it stays."""
    simulated = material.simulated()
    network, curve = material.network(start), []
    assert isinstance(network, ContentEncoder)
    labelled = material.labelled(simulated.statistics)
    if len(labelled.windows):
        train = partial(_tune, material.seed, network)
        network, curve = training.train_on_few(train, labelled.windows, labelled.parts, material.settings(FINE_TUNING))
    return Trained(network=network, statistics=simulated.statistics, notes={"curve": curve, **simulated.notes})


def _tune(seed: int, start: ContentEncoder, some, held, settings):
    return training.train_content_encoder(some, held, seed=seed, settings=settings, start=start)


def two_encoder(material: Material, *, plan: Plan, encoder: str, reader: str) -> Trained:
    """Trains style encoder and decoder on the simulation, behind a content encoder that stays as it is."""
    simulated = material.simulated()
    frozen = material.network(encoder)
    assert isinstance(frozen, ContentEncoder)
    network, curve = training.train_style_and_decoder(
        frozen,
        simulated.train,
        simulated.validation,
        seed=material.seed,
        settings=material.settings(AUTOENCODER),
        mine=plan.mine,
        sizes=Sizes(channels=len(simulated.statistics.channels), learn_weights=plan.learn_weights),
        checkpoint=material.checkpoint,
    )
    notes = {"curve": curve, **fix_style(network, material, simulated, plan, reader), **simulated.notes}
    return Trained(network=network, statistics=simulated.statistics, notes=notes)


@torch.no_grad()
def fix_style(network: TwoEncoderVAE, material: Material, simulated: Simulated, plan: Plan, reader: str) -> dict:
    """Chooses the style that stands for the simulated domain, with simulated data alone; gives notes about it."""
    if plan.style == "mean":
        styles = training.apply(lambda x: network.style(x)[0], simulated.train.values)
        network.fixed_style.copy_(torch.as_tensor(styles.mean(axis=0)))
        return {}
    recogniser = material.network(reader)
    assert isinstance(recogniser, Recogniser)
    rng = np.random.default_rng(material.seed)
    style, accuracy = choose_style(network, recogniser, simulated.train, simulated.validation, rng)
    network.fixed_style.copy_(style)
    return {"style_accuracy": accuracy}


def content_model(simulation: str) -> Model:
    """The content encoder of a simulation."""
    return Model(name=f"content-{simulation}", train=content, simulation=simulation)


def tuned_model(simulation: str) -> Model:
    """The same, fine-tuned on the labels."""
    start = content_model(simulation)
    train = partial(tuned_content, start=start.name)
    return Model(name=f"content-{simulation}-tuned", train=train, uses="labels", simulation=simulation, needs=(start,))


def two_encoder_model(
    name: str, reader: Model, plan: Plan, *, train: Callable[..., Trained] = two_encoder, need_content: bool = True
) -> Model:
    """A two-encoder model of the simulation that its reader, a recogniser, was trained on."""
    encoder = (tuned_model if plan.fine_tuned else content_model)(reader.simulation)
    return Model(
        name=name,
        train=partial(train, plan=plan, encoder=encoder.base, reader=reader.base),
        uses=encoder.uses if need_content else "labels",
        simulation=reader.simulation,
        needs=(encoder, reader) if need_content else (reader,),
    )


PAPER_PLAN = Plan(style="mean")

ROWS = (
    Row(
        name="one-encoder",
        recogniser=RANDOMISED,
        converter=Model(name="one-encoder", train=one_encoder, simulation="randomised"),
        meaning="the recordings pass through an ordinary VAE of the simulation first",
        paper=0.5977,
    ),
    Row(
        name="one-encoder-paper",
        recogniser=RAW,
        converter=Model(name="one-encoder-paper", train=one_encoder, simulation="paper"),
        meaning="the same with a simulation of the paper's kind, as the paper has it",
        paper=0.5977,
    ),
    Row(
        name="two-encoder-paper",
        recogniser=RAW,
        converter=two_encoder_model("two-encoder-paper", RAW, PAPER_PLAN),
        meaning="the paper's two-encoder VAE with a simulation of the paper's kind, nothing added",
        paper=0.7490,
    ),
    Row(
        name="two-encoder-paper-randomised",
        recogniser=RANDOMISED,
        converter=two_encoder_model("two-encoder-paper-randomised", RANDOMISED, PAPER_PLAN),
        meaning="the paper's two-encoder VAE, nothing added but the randomised simulation",
        paper=0.7490,
    ),
)
