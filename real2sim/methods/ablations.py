"""The two-encoder model with one thing left out or done otherwise."""

from dataclasses import replace

import torch
from torch import Tensor

from real2sim.material import Material
from real2sim.method import Model, Row, Trained
from real2sim.methods.autoencoders import Plan, fix_style, two_encoder_model
from real2sim.methods.ours import PLAN
from real2sim.methods.recognisers import RANDOMISED, on_simulation
from real2sim.networks import Sizes, TwoEncoderVAE, reproducible
from real2sim.training import (
    AUTOENCODER,
    Batches,
    Independence,
    autoencoder_loss,
    fit,
    phase_loss,
)


def joint(material: Material, *, plan: Plan, encoder: str, reader: str) -> Trained:
    """Trains content encoder, style encoder and decoder in one go, the labels' phases among the losses."""
    simulated = material.simulated()
    labelled = Batches.of(material.labelled(simulated.statistics).windows)
    with reproducible(material.seed):
        network = TwoEncoderVAE(Sizes(channels=len(simulated.statistics.channels)))
        windows, validation = Batches.of(simulated.train), Batches.of(simulated.validation)
        independence = Independence(network, plan.mine, windows)

        def phases(batch: Batches) -> Tensor:
            return phase_loss(network.content.phases(batch.values), batch.phase)

        def held_out(batch: Batches) -> Tensor:
            return autoencoder_loss(network, batch)[0] + phases(batch)

        def loss(batch: Batches) -> Tensor:
            value, z_c, z_s = autoencoder_loss(network, batch)
            value = value + phases(batch) + independence(z_c, z_s)
            if not len(labelled):
                return value
            return value + phases(labelled[torch.randint(len(labelled), (min(32, len(labelled)),))])

        curve = fit(
            network,
            loss,
            windows,
            validation,
            material.settings(AUTOENCODER),
            validation_loss=held_out,
            watch=lambda: {"mutual_information": independence.estimate(validation)},
            companions=independence.parts,
            checkpoint=material.checkpoint,
        )
    notes = {"curve": curve, **fix_style(network, material, simulated, plan, reader), **simulated.notes}
    return Trained(network=network, statistics=simulated.statistics, notes=notes)


def _without(part: str, plan: Plan, meaning: str) -> Row:
    name = f"two-encoder-{part}"
    model = two_encoder_model(name, RANDOMISED, plan)
    return Row(name=name, recogniser=RANDOMISED, converter=model, meaning=f"ours, {meaning}")


def _simulated_otherwise(simulation: str, meaning: str) -> tuple[Row, Row]:
    reader = Model(name=f"recogniser-{simulation}", train=on_simulation, simulation=simulation)
    name = f"two-encoder-{simulation}"
    return (
        Row(name=simulation, recogniser=reader, meaning=f"recogniser trained on a simulation {meaning}"),
        Row(
            name=name,
            recogniser=reader,
            converter=two_encoder_model(name, reader, PLAN),
            meaning=f"ours, with a simulation {meaning}",
        ),
    )


ROWS = (
    _without("without-mine", replace(PLAN, mine=replace(PLAN.mine, sign="off")), "without the independence term"),
    _without("literal-sign", replace(PLAN, mine=replace(PLAN.mine, sign="literal")), "with its sign as printed"),
    _without("fixed-weights", replace(PLAN, learn_weights=False), "the two latents weighing the same"),
    Row(
        name="two-encoder-joint",
        recogniser=RANDOMISED,
        converter=two_encoder_model("two-encoder-joint", RANDOMISED, PLAN, train=joint, need_content=False),
        meaning="ours, everything trained in one go",
    ),
    _without("without-fine-tuning", replace(PLAN, fine_tuned=False), "the content encoder never fine-tuned"),
    *_simulated_otherwise("fixed-mounting", "in which the devices are mounted one way"),
    *_simulated_otherwise("ideal-devices", "in which the devices make no errors"),
)
