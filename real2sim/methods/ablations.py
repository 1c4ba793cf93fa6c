"""The two-encoder model with one thing left out or done otherwise."""

from dataclasses import replace
from functools import partial

import torch
from torch import Tensor, nn

from real2sim.compute import reproducible
from real2sim.material import Material
from real2sim.method import Model, Row, Trained
from real2sim.methods.adapted_content import FEW
from real2sim.methods.movement import MovementReader, Plan, new_reader, sizes_of
from real2sim.methods.ours import conversion_of, finished, two_encoder_model
from real2sim.methods.recognisers import RANDOMISED, on_simulation
from real2sim.networks import Sizes, TwoEncoderVAE
from real2sim.training import Batches, phase_loss

PLAN = Plan()


class Joint(nn.Module):
    """A two-encoder model and the heads that its content learns through."""

    def __init__(self, sizes: Sizes, reader: MovementReader):
        super().__init__()
        self.converter, self.reader = TwoEncoderVAE(sizes), reader
        self.converter.content = self.reader.encoder


def joint(material: Material, *, plan: Plan, critic: str, reader: str) -> Trained:
    """Trains content encoder, style encoder and decoder in one go, the labels' phases among the losses."""
    simulated = material.simulated()
    labelled = Batches.of(material.labelled(simulated.statistics).windows)
    with reproducible(material.seed):
        network = Joint(sizes_of(simulated, plan), new_reader(simulated, plan))
        conversion = conversion_of(material, simulated, network.converter, plan=plan, critic=critic, reader=reader)

        def content_loss(batch: Batches) -> Tensor:
            few = labelled.some(FEW)
            parts = [len(batch), len(few)]
            simulated_content, named = network.reader.encoder(torch.cat([batch.values, few.values])).split(parts)
            told = plan.labels * phase_loss(network.reader.encoder.head(named), few.phase)
            return network.reader.loss(simulated_content, batch) + told

        held_out = Batches.of(simulated.validation)
        curve = conversion.fit(held_out, material.checkpoint, whole=network, beside=content_loss)
    return finished(material, simulated, conversion, curve)


def _joint_model() -> Model:
    critic = two_encoder_model("two-encoder", RANDOMISED, PLAN).needs[1]
    return Model(
        name="two-encoder-joint",
        train=partial(joint, plan=PLAN, critic=critic.base, reader=RANDOMISED.base),
        uses="labels",
        simulation=RANDOMISED.simulation,
        needs=(critic, RANDOMISED),
    )


def _without(part: str, meaning: str, **changes: object) -> Row:
    name = f"two-encoder-{part}"
    model = two_encoder_model(name, RANDOMISED, replace(PLAN, **changes))  # type: ignore[arg-type]
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
    _without("without-mine", "without the independence term", mine=replace(PLAN.mine, sign="off")),
    _without("literal-sign", "with its sign as printed", mine=replace(PLAN.mine, sign="literal")),
    _without("fixed-weights", "the two latents weighing the same", learn_weights=False),
    Row(
        name="two-encoder-joint",
        recogniser=RANDOMISED,
        converter=_joint_model(),
        meaning="ours, everything trained in one go",
    ),
    _without("without-fine-tuning", "the content encoder never sees a label", labels=0.0),
    _without(
        "without-unlabelled",
        "the content encoder sees labelled windows alone",
        unlabelled=0.0,
        correlation=0.0,
        remembered=0.0,
    ),
    _without(
        "without-correlation", "covariances of content may differ between simulation and recordings", correlation=0.0
    ),
    _without("without-remembering", "heights in recordings may be read otherwise than before", remembered=0.0),
    _without("without-adviser", "no adapted recogniser among the teachers", advised=False),
    _without("phase-content", "content learnt from the phase alone", rich=False),
    _without("without-gravity", "content read from the measured channels alone", gravity=False),
    _without("without-turning", "devices never turned in training", turned=False),
    _without("without-crossing", "style read from the very window that is decoded", crossed=False),
    _without("without-keeping", "nothing said about content under other styles", kept=0.0),
    _without("without-agreement", "recordings need not be read as their content once decoded", agreement=0.0),
    _without("at-once", "all losses at full weight from the start", gradual=False),
    _without("recurrent", "a recurrent decoder that sees the whole window", features=0),
    *_simulated_otherwise("fixed-mounting", "in which the devices are mounted one way"),
    *_simulated_otherwise("ideal-devices", "in which the devices make no errors"),
)
