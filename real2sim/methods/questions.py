"""Other questions than the phase, asked of networks that were trained on simulation alone.

A converter that has seen labels of phases should serve them all. The truth comes from the joints, by one rule for both
domains. Each question is answered from the test recordings in the `WAYS`. What a converter gives is a domain of its own
(one mounting, one wearer's build), so that whoever reads it best has learnt from the simulation *as converted*: the
simulation passes through the same converter, and its answers are as free as they were before.

Whether a squat was done correctly is judged by its depth: the thighs have to come down to the horizontal, as in the
back squat assessment of Myer et al. (Strength and Conditioning Journal 36, 2014). Of the simulation the joints say it;
people have a label of their own, which knows of faults that neither watch nor phone can feel.
"""

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from generators.store import Dataset
from real2sim.compute import reproducible
from real2sim.conversion import convert
from real2sim.material import Material, simulated_sequences
from real2sim.method import Model, Trained
from real2sim.methods.ours import OURS
from real2sim.methods.recognisers import FINE_TUNED
from real2sim.networks import Recogniser, Sizes
from real2sim.recordings import Recording
from real2sim.recordings.recording import LANDMARKS
from real2sim.sequences import Sequence
from real2sim.training import Batches, TrainingSettings, fit
from real2sim.views import aligned
from real2sim.windows import Statistics, Windows, cut_like, statistics_of

HIPS, KNEES = ((LANDMARKS.index(f"left_{joint}"), LANDMARKS.index(f"right_{joint}")) for joint in ("hip", "knee"))
NEAR = 0.1
"""Share of the drop within which a sample counts as stand or as bottom (assumed)."""

STAND, DESCENT, BOTTOM, ASCENT = range(4)
WAYS: Mapping[str, str] = {
    "raw": "the recordings as they are, by a network taught on the simulation",
    "aligned": "the same, with both sides turned to gravity and scaled",
    "converted": "converted recordings, by a network taught on the converted simulation",
    "unprepared": "converted recordings, by the network that was taught on the simulation as it is",
    "trunk": "the recordings as they are, by a head on the recogniser that was fine-tuned on the same labels of phases",
}
"""How a question is answered."""


@dataclass(frozen=True, kw_only=True)
class Movement:
    """What the joints say of some repetitions.

    Attributes:
        height: (T,) height of the pelvis, m.
        over_knees: (T,) height of the hips over the knees, m; 0 where the thighs are horizontal.
        repetition: (T,) number of the repetition, -1 between them.
        correct: (T,) 1 where the repetition was done as it should be, 0 where not, NaN unknown.
    """

    height: np.ndarray
    over_knees: np.ndarray
    repetition: np.ndarray
    correct: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Question:
    """Something to be read from every sample.

    Attributes:
        name: Of the question.
        classes: How many answers there are; 0 for a number.
        truth: (T,) float answers, NaN where there is none.
        once: It is asked whether a whole repetition was correct, which it is where a number up to 0 is read in it.
    """

    name: str
    classes: int
    truth: Callable[[Movement], np.ndarray]
    once: bool = False

    @property
    def verdicts(self) -> int:
        """How many answers are told apart when it is judged: correct or not, the classes, or 0 for a number."""
        return 2 if self.once else self.classes


def drop_below_standing(movement: Movement) -> np.ndarray:
    """How far the pelvis is below its highest point of the repetition, m."""
    return _by_repetition(movement)[0] - movement.height


def drop_of_repetition(movement: Movement) -> np.ndarray:
    """How far it goes in the repetition that a sample belongs to, m."""
    top, bottom, _ = _by_repetition(movement)
    return top - bottom


def four_parts(movement: Movement) -> np.ndarray:
    """Stand, descent, bottom or ascent, from the height of the pelvis between its extremes in the repetition."""
    top, bottom, turn = _by_repetition(movement)
    share = (top - movement.height) / np.maximum(top - bottom, 1e-6)
    moving = np.where(np.arange(len(share)) < turn, DESCENT, ASCENT)
    part = np.where(share < NEAR, STAND, np.where(share > 1 - NEAR, BOTTOM, moving))
    return np.where(np.isfinite(share), part, np.nan)


def hips_over_knees(movement: Movement) -> np.ndarray:
    """Height of the hips over the knees, m."""
    return np.where(movement.repetition >= 0, movement.over_knees, np.nan)


def _by_repetition(movement: Movement) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For every sample the highest and lowest point of its repetition, and the index of the lowest; NaN outside."""
    top, bottom, turn = (np.full(len(movement.height), np.nan) for _ in range(3))
    edges = np.flatnonzero(np.diff(movement.repetition, prepend=-2, append=-2))
    for start, stop in itertools.pairwise(edges):
        if movement.repetition[start] >= 0:
            height = movement.height[start:stop]
            top[start:stop], bottom[start:stop] = height.max(), height.min()
            turn[start:stop] = start + int(height.argmin())
    return top, bottom, turn


SIMULATION = "randomised"
QUESTIONS = (
    Question(name="depth", classes=0, truth=drop_below_standing),
    Question(name="four-parts", classes=4, truth=four_parts),
    Question(name="correct", classes=0, truth=hips_over_knees, once=True),
)


def movement_of_dataset(dataset: Dataset) -> Movement:
    """What the joints of all repetitions say, one after the other."""
    starts = dataset.offsets("sample")
    landmarks = dataset.read("landmarks").reshape(-1, len(LANDMARKS), 3)
    hips, knees = (landmarks[:, joint, 2].mean(axis=1) for joint in (HIPS, KNEES))
    lengths = np.diff(starts)
    correct = np.minimum.reduceat(hips - knees, starts[:-1]) <= 0.0
    return Movement(
        height=hips,
        over_knees=hips - knees,
        repetition=np.repeat(np.arange(len(lengths)), lengths),
        correct=np.repeat(correct.astype(float), lengths),
    )


def movements_of_sequences(dataset: Dataset, sequences: list[Sequence]) -> list[Movement]:
    """What the joints say at the samples of sequences of a dataset."""
    whole, before = movement_of_dataset(dataset), dataset.offsets("sample")
    starts = [int(before[sequence.repetition[0]]) for sequence in sequences]
    return [
        Movement(**{name: values[start : start + len(sequence)] for name, values in vars(whole).items()})
        for start, sequence in zip(starts, sequences, strict=True)
    ]


def movement_of_recording(recording: Recording, sequence: Sequence) -> Movement:
    """What the joints of a recording, and its label, say at the samples of its sequence."""
    assert recording.landmarks is not None
    time = sequence.start_s + np.arange(len(sequence)) / sequence.rate_hz
    columns = [[3 * k + 2 for k in joint] for joint in (HIPS, KNEES)]
    joints = (recording.landmarks.values[:, pair].mean(axis=1) for pair in columns)
    hips, knees = (np.interp(time, recording.landmarks.t, height) for height in joints)
    correct = np.nan if recording.correct is None else float(recording.correct)
    return Movement(
        height=hips, over_knees=hips - knees, repetition=sequence.repetition, correct=np.full(len(sequence), correct)
    )


def teach(material: Material, *, question: Question, trunk: str = "", converter: str = "") -> Trained:
    """Trains a network to answer a question, on simulation alone.

    Args:
        material: Of the question's simulation.
        question: What is asked.
        trunk: A recogniser that the model needs, whose recurrent layer is taken and left as it is.
        converter: A converter that the model needs, which the simulation passes through first.
    """
    start = material.trained(trunk) if trunk else None
    parts, statistics = _simulation(material, material.trained(converter) if converter else None)
    statistics = start.statistics if start else statistics
    dataset = Dataset(material.run.simulation(material.model.simulation))
    answers = question.truth(movement_of_dataset(dataset))
    before = dataset.offsets("sample")
    train, validation = (
        _with_answers(
            material.cut(part, statistics), [answers[before[s.repetition[0]] :][: len(s)] for s in part], question
        )
        for part in parts
    )
    with reproducible(material.seed):
        network = Recogniser(Sizes(channels=len(statistics.channels), phases=max(1, question.classes)))
        if start:
            assert isinstance(start.network, Recogniser)
            network.rnn.load_state_dict(start.network.rnn.state_dict())
            network.rnn.requires_grad_(False)
        loss = partial(_loss, network, question, _rarity(train, question))
        settings = material.settings(TrainingSettings())
        curve = fit(network, loss, train, validation, settings, checkpoint=material.checkpoint)
    notes = {"curve": curve, "simulation": material.model.simulation, "digest": dataset.digest}
    return Trained(network=network, statistics=statistics, notes=notes)


def _simulation(material: Material, via: Trained | None) -> tuple[list[list[Sequence]], Statistics]:
    """Training and validation part of the simulation, converted where there is a converter, and their scale."""
    parts = [material.model.view(part) for part in simulated_sequences(material.run, material.model.simulation)[:2]]
    if via is None:
        return parts, statistics_of(parts[0])
    sizes = {"window": material.run.config.window, "stride": material.run.config.stride}
    return [convert(via.network, part, via.statistics, **sizes) for part in parts], via.statistics


def _with_answers(windows: Windows, answers: list[np.ndarray], question: Question) -> Batches:
    """Windows with answers where phases stand otherwise: whole numbers, -1 unknown, or numbers, NaN unknown."""
    told = torch.as_tensor(cut_like(answers, windows), dtype=torch.float32)
    if question.classes:
        told = torch.where(told.isnan(), -1.0, told).long()
    return replace(Batches.of(windows), phase=told)


def _rarity(train: Batches, question: Question) -> Tensor | None:
    """Weights of the answers that make all of them count alike, as they do in balanced accuracy."""
    if not question.classes:
        return None
    number = torch.bincount(train.phase[train.phase >= 0], minlength=question.classes).clamp(min=1)
    return number.sum() / (question.classes * number)


def _loss(network: Recogniser, question: Question, rarity: Tensor | None, batch: Batches) -> Tensor:
    answer = network(batch.values)
    if question.classes:
        apart = functional.cross_entropy(
            answer.flatten(0, 1), batch.phase.flatten(), weight=rarity, ignore_index=-1, reduction="sum"
        )
        return apart / (batch.phase >= 0).sum().clamp(min=1)
    known = batch.phase.isfinite()
    apart = functional.smooth_l1_loss(answer[..., 0], batch.phase.nan_to_num(), beta=0.05, reduction="none")
    return 100 * (apart * known).sum() / known.sum().clamp(min=1)


def model_of(question: Question, way: str) -> Model:
    """The model that answers a question in one of `WAYS`."""
    train, converter = partial(teach, question=question), OURS.converter
    assert converter is not None
    if way == "trunk":
        return Model(
            name=f"{question.name}-trunk",
            train=partial(train, trunk=FINE_TUNED.name),
            uses="labels",
            simulation=SIMULATION,
            needs=(FINE_TUNED,),
        )
    if way == "converted":
        return Model(
            name=f"{question.name}-converted",
            train=partial(train, converter=converter.base),
            uses="labels",
            simulation=SIMULATION,
            needs=(converter,),
            view=converter.view,
        )
    if way == "aligned" or (way == "unprepared" and converter.view is aligned):
        return Model(name=f"{question.name}-aligned", train=train, simulation=SIMULATION, view=aligned)
    return Model(name=question.name, train=train, simulation=SIMULATION)


MODELS = {model.name: model for question in QUESTIONS for way in WAYS for model in (model_of(question, way),)}
