"""Content adapted to recordings: learnt on with simulation, labels and unlabelled recordings side by side."""

import copy
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from real2sim.compute import reproducible
from real2sim.correlation import calibrated, covariance_distance
from real2sim.material import Material
from real2sim.method import Trained
from real2sim.methods.movement import MovementReader, Plan, turned
from real2sim.mountings import Mountings
from real2sim.training import Batches, Curve, TrainingSettings, fit, phase_loss
from real2sim.windows import Statistics

ADAPTATION = TrainingSettings(epochs=6, learning_rate=1e-3, patience=6)
FEW = 32  # labelled windows beside a batch of simulated ones
UNLABELLED = 64
SURE = 0.95  # how sure the teachers must be together of a sample's phase
SLOWNESS = 0.99  # of the slow average, a step


def adapted_content(material: Material, *, plan: Plan, start: str, adviser: str = "") -> Trained:
    """Trains a movement reader on, with simulation, labels and unlabelled recordings side by side.

    Args:
        material: Of the adapted reader.
        plan: How.
        start: The movement reader of the simulation.
        adviser: A recogniser that teaches too, if there is one.
    """
    simulated = material.simulated()
    train = Batches.of(simulated.train)
    labelled = Batches.of(material.labelled(simulated.statistics).windows) if plan.labels else train[:0]
    recordings = Batches.of(material.recordings(simulated.statistics)) if plan.sees_recordings else train[:0]
    with reproducible(material.seed):
        network = copy.deepcopy(material.network(start))
        assert isinstance(network, MovementReader)
        adaptation = Adaptation(
            network,
            train,
            labelled,
            recordings,
            simulated.statistics,
            plan,
            Teachers(network, material.network(adviser) if adviser else None),
            material.settings(ADAPTATION),
        )
        curve = adaptation.fit(material.checkpoint)
    return Trained(network=network, statistics=simulated.statistics, notes={"curve": curve, **simulated.notes})


class Adaptation:
    """The loss of a movement reader on simulated windows, on labelled ones, and on recordings without labels.

    Args:
        network: What is adapted; as it comes, it has seen simulation alone.
        windows: Simulated, to train on.
        labelled: Windows of recordings with their phases; there may be none.
        recordings: Windows without labels; there may be none.
        statistics: Scale of them all.
        plan: How.
        teachers: Tell the phases of recordings.
        settings: Of the training.
    """

    def __init__(
        self,
        network: MovementReader,
        windows: Batches,
        labelled: Batches,
        recordings: Batches,
        statistics: Statistics,
        plan: Plan,
        teachers: "Teachers",
        settings: TrainingSettings = ADAPTATION,
    ):
        self.network, self.windows, self.labelled, self.recordings = network, windows, labelled, recordings
        self.plan, self.teachers, self.settings = plan, teachers, settings
        self.mountings = Mountings.of(statistics)
        if plan.remembers:
            self.recordings = replace(recordings, truth={"height": network.heights(recordings.values)})
        self.correlation = calibrated(self._untaught, windows, plan.correlation) if plan.correlation else 0.0

    def loss(self, batch: Batches) -> Tensor:
        """How badly a simulated batch is read, beside some labelled windows and some without labels."""
        few, some = self.labelled.some(FEW), self.recordings.some(UNLABELLED)
        parts = batch, few, some
        encoder = self.network.encoder
        shown = torch.cat([turned(self.network, self.mountings, part, self.plan) for part in parts])
        z_c, named, unnamed = encoder(shown).split([len(part) for part in parts])
        value = self.network.loss(z_c, batch, rich=self.plan.rich)
        value = value + self.plan.labels * phase_loss(encoder.head(named), few.phase)
        return value + self._taught(z_c, unnamed, some) if len(some) else value

    def fit(self, checkpoint: Path) -> Curve:
        """Trains the network."""
        return fit(
            self.network,
            self.loss,
            self.windows,
            None,
            self.settings,
            companions={"teacher": self.teachers},
            checkpoint=checkpoint,
        )

    def _taught(self, z_c: Tensor, unnamed: Tensor, some: Batches) -> Tensor:
        """What recordings teach: z_c is content of the simulation, unnamed that of some recordings, (B, W, Zc)."""
        grown = min(1.0, 3.0 * float(self.teachers.step) / self.settings.steps(len(self.windows)))
        told = self.teachers.disagreement(some.values, self.network.encoder.head(unnamed))
        value = self.plan.unlabelled * grown * told + self.correlation * self._apart(z_c, unnamed)
        if self.plan.remembers:
            value = value + self.plan.remembered * self.network.height_loss(unnamed, some.truth["height"])
        self.teachers.follow(self.network)
        return value

    def _apart(self, z_c: Tensor, foreign: Tensor) -> Tensor:
        """Distance of the covariances of content; heights that are remembered take no part."""
        if self.plan.remembers:
            z_c, foreign = self.network.beyond_height(z_c), self.network.beyond_height(foreign)
        return covariance_distance(z_c, foreign)

    def _untaught(self, batch: Batches) -> tuple[Tensor, Tensor]:
        """Phases' loss and distance before the adaptation."""
        encoder = self.network.encoder
        z_c, foreign = encoder(torch.cat([batch.values, self.recordings.some(len(batch)).values])).chunk(2)
        return phase_loss(encoder.head(z_c), batch.phase), self._apart(z_c, foreign)


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
