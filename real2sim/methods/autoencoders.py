"""Converters that are autoencoders of the simulation: with one encoder, and with two."""

from functools import partial

import torch

from real2sim import autoencoding, training
from real2sim.autoencoding import AUTOENCODER
from real2sim.material import Material
from real2sim.method import Model, Row, Trained
from real2sim.methods.recognisers import RANDOMISED, RAW
from real2sim.networks import ContentEncoder
from real2sim.training import FINE_TUNING, TrainingSettings


def one_encoder(material: Material) -> Trained:
    """Trains the ordinary VAE on the simulation."""
    simulated = material.simulated()
    network, curve = autoencoding.train_one_encoder(
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


def two_encoder(material: Material, *, encoder: str) -> Trained:
    """Trains the paper's style encoder and decoder on the simulation, behind a content encoder that stays as it is."""
    simulated = material.simulated()
    frozen = material.network(encoder)
    assert isinstance(frozen, ContentEncoder)
    network, curve = autoencoding.train_style_and_decoder(
        frozen,
        simulated.train,
        simulated.validation,
        seed=material.seed,
        settings=material.settings(AUTOENCODER),
        checkpoint=material.checkpoint,
    )
    styles = training.apply(lambda x: network.style(x)[0], simulated.train.values)
    network.fixed_style.copy_(torch.as_tensor(styles.mean(axis=0)))
    return Trained(network=network, statistics=simulated.statistics, notes={"curve": curve, **simulated.notes})


def two_encoder_model(name: str, simulation: str) -> Model:
    """The paper's two-encoder model of a simulation, its content encoder fine-tuned on the labels."""
    start = Model(name=f"content-{simulation}", train=content, simulation=simulation)
    tuned = Model(
        name=f"content-{simulation}-tuned",
        train=partial(tuned_content, start=start.name),
        uses="labels",
        simulation=simulation,
        needs=(start,),
    )
    train = partial(two_encoder, encoder=tuned.base)
    return Model(name=name, train=train, uses="labels", simulation=simulation, needs=(tuned,))


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
        meaning="the recordings pass through an ordinary VAE of a simulation of the paper's kind, as the paper has it",
        paper=0.5977,
    ),
    Row(
        name="two-encoder-paper",
        recogniser=RAW,
        converter=two_encoder_model("two-encoder-paper", RAW.simulation),
        meaning="the paper's two-encoder VAE with a simulation of the paper's kind, nothing added",
        paper=0.7490,
    ),
    Row(
        name="two-encoder-paper-randomised",
        recogniser=RANDOMISED,
        converter=two_encoder_model("two-encoder-paper-randomised", RANDOMISED.simulation),
        meaning="the paper's two-encoder VAE, nothing added but the randomised simulation",
        paper=0.7490,
    ),
)
