"""Content adapted to recordings: what teaches it, and what it keeps."""

import copy
from dataclasses import replace

import pytest
import torch
from small_run import FOLD

from real2sim.material import Material
from real2sim.methods.ablations import PLAN
from real2sim.methods.adapted_content import Teachers, adapted_content
from real2sim.methods.movement import MovementReader
from real2sim.methods.ours import two_encoder_model
from real2sim.methods.recognisers import RANDOMISED
from real2sim.networks import Recogniser, Sizes
from real2sim.training import Batches

SIZES = Sizes(channels=7, hidden=8, content=4, style=4)
VALUES = torch.rand(6, 40, 7, generator=torch.Generator().manual_seed(0))


def test_an_adaptation_leaves_heights_in_recordings_as_they_were(trained_run):
    adapted, start = two_encoder_model("two-encoder", RANDOMISED, PLAN).needs[:2]
    longer = replace(trained_run, config=replace(trained_run.config, effort=1.0))
    material = Material(run=longer, model=adapted, seed=longer.config.seed, fold=FOLD)
    before = material.network(start.base)
    windows = Batches.of(material.recordings(material.trained(start.base).statistics)).values

    def moved(remembered: float) -> float:
        plan = replace(PLAN, remembered=remembered)
        network = adapted_content(material, plan=plan, start=start.base).network
        material.checkpoint.unlink()
        return float((network.heights(windows) - before.heights(windows)).abs().mean())

    assert moved(30.0) < 0.5 * moved(0.0)  # a weight at which so few steps tell


def test_the_teacher_follows_slowly_and_says_only_what_it_is_sure_of():
    network = MovementReader(SIZES)
    teacher, before = Teachers(network), copy.deepcopy(network.height.weight)
    with torch.no_grad():
        network.height.weight += 1.0
    teacher.follow(network)
    torch.testing.assert_close(teacher.network.height.weight, before + 0.01)
    with torch.no_grad():
        teacher.network.encoder.head.weight.zero_()
        teacher.network.encoder.head.bias.zero_()
    read = network.encoder.phases(VALUES)
    assert teacher.disagreement(VALUES, read).item() == 0.0
    with torch.no_grad():
        teacher.network.encoder.head.bias[1] = 20.0
    assert teacher.disagreement(VALUES, read).item() > 0.1


@pytest.mark.parametrize(
    ("own", "advice", "told"),
    [
        ([0.0, 20.0], [0.0, 20.0], True),
        ([0.0, 20.0], [20.0, 0.0], False),
        ([0.0, 20.0], [0.0, 0.0], True),
        ([0.0, 2.0], [0.0, 2.0], True),
        ([0.0, 2.0], [0.0, 0.0], False),
    ],
)
def test_teachers_say_what_they_are_sure_of_together(own, advice, told):
    teachers = Teachers(MovementReader(SIZES), Recogniser(SIZES))
    with torch.no_grad():
        for head, bias in ((teachers.network.encoder.head, own), (teachers.adviser.head, advice)):
            head.weight.zero_()
            head.bias.copy_(torch.tensor(bias))
    read = torch.zeros(*VALUES.shape[:2], 2)
    assert (teachers.disagreement(VALUES, read).item() > 0.1) is told
