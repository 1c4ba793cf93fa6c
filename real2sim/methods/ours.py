"""The two-encoder model at its best.

What is added to the paper's model, each for one reason:

- *Content* is learnt from all that the simulation knows of a movement (phase, height, four-part phase), so that it
  keeps what other recognisers will ask for, from devices turned anew in every window, and with channels along gravity
  beside those measured, which no mounting changes.
- *Labels* are learnt beside the simulation instead of after it, so that the few do not overwrite the many, and the
  unlabelled recordings teach through a slow average of the network (mean teacher) and a recogniser that CORAL has
  adapted to them and that was fine-tuned on the same labels: two that have learnt differently are seldom sure of the
  same mistake, and each is heard as much as it is sure.
- *Correlation*: contents of recordings and of simulation have the same covariance (CORAL, of the latents).
- *Remembered heights*: all that recordings teach is phases, so heights go on being read in recordings as they were by
  the reader that has seen simulation alone, and the direction they are read from takes no part in the correlation.
  Nothing else keeps an adaptation to phases from moving them.
- *Crossed mountings*: the decoder gets the content of a window and the style of another window of that repetition
  with the devices mounted otherwise, and is to give the first window in the second mounting. No style can carry
  content that way, and no content a mounting.
- *Kept content*: under the style of any other window, what is decoded must be read as the movement that it is, by
  recognisers trained on simulation alone. Their gradients are larger than that of the reconstruction, so they gain
  weight only while the decoder learns to follow the style; at full weight from the start it may never learn to, and
  invents signals for the recognisers that differ from window to window.
- *Agreement*: what is decoded from recordings without labels must be read as the phases that their content has. The
  decoder learns to speak of people, too, whose content is not quite that of the simulation. The style in which it
  finally speaks is chosen by that as well.
- *A bilinear decoder* sees the content around a sample and the style, not the window: windows of equal content agree.

References:
    Li and Hoiem 2018, "Learning without Forgetting", IEEE TPAMI (the remembered heights).
    Tarvainen and Valpola 2017, "Mean teachers are better role models", NeurIPS.
    Park et al. 2020, "Swapping Autoencoder for Deep Image Manipulation", NeurIPS.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from real2sim.autoencoding import Independence, divergence, divergence_weight, reconstruction_loss, sample
from real2sim.compute import reproducible
from real2sim.conversion import choose_style
from real2sim.material import Material, Simulated
from real2sim.method import Model, Row, Trained
from real2sim.methods.adapted import correlated
from real2sim.methods.adapted_content import adapted_content
from real2sim.methods.movement import MovementReader, Plan, content, sizes_of
from real2sim.methods.recognisers import RANDOMISED, tuned
from real2sim.mountings import Mountings
from real2sim.networks import Recogniser, TwoEncoderVAE
from real2sim.training import Batches, Curve, Loss, TrainingSettings, fit, in_parts, phase_loss
from real2sim.windows import Statistics

CONVERTER = TrainingSettings(epochs=7)


@dataclass(frozen=True, kw_only=True)
class Critics:
    """Networks that simulation alone has taught, and that learn no more; they read decoded windows (B, W, C).

    Attributes:
        judging: Reads movements.
        recogniser: Reads phases.
        rich: Movements are phase, height and four-part phase, not the phase alone.
    """

    judging: MovementReader
    recogniser: Recogniser
    rich: bool

    def __post_init__(self):
        for network in (self.judging, self.recogniser):
            network.requires_grad_(False)

    def misread(self, kept: Tensor, batch: Batches, shown: Tensor, told: Tensor) -> tuple[Tensor, Tensor]:
        """How badly they read the movement of a simulated batch, and phases that have these probabilities (N, W, 2)."""
        of_kept, of_shown = self.recogniser(torch.cat([kept, shown])).split([len(kept), len(shown)])
        movement = self.judging.loss(self.judging.encoder(kept), batch, rich=self.rich)
        disagreement = -(told * of_shown.log_softmax(-1)).sum() / max(1, told[..., 0].numel())
        return movement + phase_loss(of_kept, batch.phase), disagreement


class Growth(nn.Module):
    """A weight that grows to 1 over the first half of a training's steps, and goes on where the training goes on."""

    step: Tensor

    def __init__(self, steps: int):
        super().__init__()
        self.over = max(1, steps // 2)
        self.register_buffer("step", torch.zeros(()))

    def forward(self) -> float:
        """The weight, from 0 at the first call."""
        weight = min(1.0, float(self.step) / self.over)
        self.step += 1
        return weight


class Conversion:
    """The loss of style encoder and decoder on simulated windows, and on recordings without labels.

    Args:
        network: Its content encoder is left alone.
        windows: Simulated, to train on.
        recordings: Windows without labels; there may be none.
        statistics: Scale of both.
        plan: How.
        critics: Say how badly decoded windows are read.
        settings: Of the training.
    """

    def __init__(
        self,
        network: TwoEncoderVAE,
        windows: Batches,
        recordings: Batches,
        statistics: Statistics,
        plan: Plan,
        critics: Critics,
        settings: TrainingSettings = CONVERTER,
    ):
        self.network, self.windows, self.recordings = network, windows, recordings
        self.plan, self.critics = plan, critics
        self.settings, self.growth = settings, Growth(settings.steps(len(windows)))
        self.mountings = Mountings.of(statistics)
        self.independence = Independence(network, plan.mine, windows)
        self._other = _other_window(windows.sequence)
        self._content_stays = not any(weights.requires_grad for weights in network.content.parameters())
        self._people = recordings
        if self._content_stays:
            self._people = replace(recordings, values=in_parts(network.content, recordings.values))

    def loss(self, batch: Batches) -> Tensor:
        """L_recon + L_KLD + lambda * L_MINE, and how badly content is kept under other styles and in recordings."""
        source, target, example = self._crossing(batch)
        z_c, of_people = self.network.content(source), self._content_of_people(len(batch))
        mu, log_var = self.network.style(example)
        z_s = sample(mu, log_var)
        own, kept = self.network.decode(z_c, torch.stack([z_s, z_s[torch.randperm(len(z_s))]]))
        error = (own - target).square() * batch.present
        value = error.sum() / batch.present.sum() + divergence_weight(batch) * divergence(mu, log_var)
        value = value + self.independence(z_c, z_s)
        shown = self.network.decode(of_people, z_s.detach()[: len(of_people)])
        told = self.network.content.head(of_people).softmax(-1).detach()
        misread, disagreement = self.critics.misread(kept, batch, shown, told)
        grown = self.growth() if self.plan.gradual else 1.0
        return value + grown * (self.plan.kept * misread + self.plan.agreement * disagreement)

    def _content_of_people(self, number: int) -> Tensor:
        """Content (number, W, Zc) of windows of recordings; read once where the encoder learns no more."""
        people = self._people.some(number).values
        return people if self._content_stays else self.network.content(people)

    def fit(
        self, held_out: Batches, checkpoint: Path, *, whole: nn.Module | None = None, beside: Loss | None = None
    ) -> Curve:
        """Trains the network.

        Args:
            held_out: What the curve's figures are of.
            checkpoint: See `training.fit`.
            whole: A network that holds it and is trained with it.
            beside: A further loss.
        """
        return fit(
            whole or self.network,
            lambda batch: self.loss(batch) + (beside(batch) if beside else 0.0),
            self.windows,
            None,
            self.settings,
            watch=lambda: self.watch(held_out),
            companions={**self.independence.parts, "growth": self.growth},
            checkpoint=checkpoint,
        )

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


def conversion_of(
    material: Material, simulated: Simulated, network: TwoEncoderVAE, *, plan: Plan, critic: str, reader: str
) -> Conversion:
    """How a network learns from a simulation, with a movement reader and a recogniser of it as critics."""
    judging, recogniser = material.network(critic), material.network(reader)
    assert isinstance(judging, MovementReader)
    assert isinstance(recogniser, Recogniser)
    train = Batches.of(simulated.train)
    return Conversion(
        network,
        train,
        Batches.of(material.recordings(simulated.statistics)) if plan.agreement else train[:0],
        simulated.statistics,
        plan,
        Critics(judging=judging, recogniser=recogniser, rich=plan.rich),
        material.settings(CONVERTER),
    )


def converter(material: Material, *, plan: Plan, encoder: str, critic: str, reader: str) -> Trained:
    """Trains style encoder and decoder behind a content encoder that stays as it is."""
    simulated = material.simulated()
    reading = material.network(encoder)
    assert isinstance(reading, MovementReader)
    with reproducible(material.seed):
        network = TwoEncoderVAE(sizes_of(simulated, plan))
        network.content = copy.deepcopy(reading.encoder).requires_grad_(False)
        conversion = conversion_of(material, simulated, network, plan=plan, critic=critic, reader=reader)
        curve = conversion.fit(Batches.of(simulated.validation), material.checkpoint)
    return finished(material, simulated, conversion, curve)


def finished(material: Material, simulated: Simulated, conversion: Conversion, curve: Curve) -> Trained:
    """Fixes the style under which simulated phases and the content of recordings are read best."""
    network, rng = conversion.network, np.random.default_rng(material.seed)
    style, accuracy = choose_style(
        network,
        conversion.critics.recogniser,
        simulated.train,
        simulated.validation,
        rng,
        recordings=conversion.recordings.values,
    )
    network.fixed_style.copy_(style)
    notes = {"curve": curve, "style_accuracy": accuracy, **simulated.notes}
    return Trained(network=network, statistics=simulated.statistics, notes=notes)


# what of a plan the content encoder of the simulation depends on, and what the adapted one does
START = ("content", "rich", "turned", "gravity")
ADAPTED = (*START, "labels", "unlabelled", "correlation", "remembered", "advised")


def two_encoder_model(name: str, reader: Model, plan: Plan) -> Model:
    """The model on the simulation that its reader, a recogniser, was trained on."""
    start, encoder = _start(reader.simulation, name, _only(plan, START)), _adapted(reader, name, plan)
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


def _adapted(reader: Model, name: str, plan: Plan) -> Model:
    """The same, adapted to the recordings."""
    plan = _only(plan, ADAPTED)
    start = _start(reader.simulation, name, _only(plan, START))
    return _adapted_model(plan, start, _adviser(reader, plan), "" if plan == Plan() else f"-for-{name}")


def _adviser(reader: Model, plan: Plan) -> Model | None:
    """The recogniser that teaches: adapted to the recordings, and fine-tuned where labels are learnt at all."""
    if not (plan.unlabelled and plan.advised):
        return None
    return tuned(correlated(reader)) if plan.labels else correlated(reader)


@cache
def _start_model(simulation: str, plan: Plan, suffix: str) -> Model:
    return Model(name=f"movement-{simulation}{suffix}", train=partial(content, plan=plan), simulation=simulation)


@cache
def _adapted_model(plan: Plan, start: Model, adviser: Model | None, suffix: str) -> Model:
    return Model(
        name=f"movement-{start.simulation}-adapted{suffix}",
        train=partial(adapted_content, plan=plan, start=start.base, adviser=adviser.base if adviser else ""),
        uses="labels",
        simulation=start.simulation,
        needs=(start, adviser) if adviser else (start,),
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
