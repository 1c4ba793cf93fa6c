"""What the joints say of a movement, and that errors are averaged as the table's accuracy is."""

import numpy as np
import pytest
import torch

from generators.engines import Sequential
from generators.produce import produce
from generators.recipe import randomised
from generators.repetition import make_repetitions
from real2sim import answers
from real2sim.evaluation import Amounts, amount_difference, amount_mean
from real2sim.material import place
from real2sim.methods.ours import OURS
from real2sim.methods.questions import (
    ASCENT,
    BOTTOM,
    DESCENT,
    QUESTIONS,
    STAND,
    Movement,
    _rarity,
    drop_below_standing,
    drop_of_repetition,
    four_parts,
    hips_over_knees,
    model_of,
    movement_of_dataset,
)
from real2sim.networks import Recogniser, Sizes, save_network
from real2sim.run import Config, Run, RunError
from real2sim.training import Batches
from real2sim.windows import Statistics
from squat_env.faults import FaultRanges


def movement(repetitions: int = 2, samples: int = 60, correct: float = 1.0) -> Movement:
    """Cosine dips of 0.4 m, the second from 0.1 m higher, with ten samples between that belong to none."""
    dip = 0.2 * (1 - np.cos(2 * np.pi * np.arange(samples) / samples))
    height, number = [], []
    for k in range(repetitions):
        height += [np.full(10, 1.0), 1.0 + 0.1 * k - dip]
        number += [np.full(10, -1), np.full(samples, k + 1)]
    length = repetitions * (samples + 10)
    return Movement(
        height=np.concatenate(height),
        over_knees=np.concatenate(height) - 0.7,
        repetition=np.concatenate(number),
        correct=np.full(length, correct),
    )


def test_depth_is_counted_from_the_highest_point_of_each_repetition():
    made = movement()
    depth, drop = drop_below_standing(made), drop_of_repetition(made)
    assert np.isnan(depth[:10]).all()
    for start in (10, 80):
        assert depth[start] == pytest.approx(0.0)
        assert depth[start + 30] == pytest.approx(0.4)
        assert drop[start : start + 60] == pytest.approx(0.4)


def test_four_parts_follow_each_other():
    part = four_parts(movement())
    for start in (10, 80):
        order = part[start : start + 60]
        changes = order[np.flatnonzero(np.diff(order, prepend=-1))]
        assert changes.tolist() == [STAND, DESCENT, BOTTOM, ASCENT, STAND]
    assert np.isnan(part[70:80]).all()


def test_thighs_are_asked_within_repetitions_alone():
    told = hips_over_knees(movement())
    assert np.isnan(told[:10]).all()
    assert told[10] == pytest.approx(0.3)
    assert told[40] == pytest.approx(-0.1)


@pytest.mark.parametrize(("fault", "correct"), [("too_deep", 1.0), ("shallow", 0.0)])
def test_a_simulated_squat_is_correct_where_the_thighs_come_down_to_the_horizontal(tmp_path, fault, correct):
    faults = FaultRanges(correct=0.0, at_once=((1, 1.0),), severity=(0.7, 1.0), names=(fault,))
    recipe = randomised(repetitions=3, faults=faults)
    dataset = produce(recipe, tmp_path, make=make_repetitions, engine=Sequential())
    assert set(movement_of_dataset(dataset).correct) == {correct}


def amounts(row: str, errors: np.ndarray) -> Amounts:
    number = np.full(errors.shape, 50.0)
    return Amounts(row=row, people=tuple(range(errors.shape[1])), total=errors * number, number=number)


def test_errors_are_averaged_over_people_and_seeds_and_paired():
    errors = np.random.default_rng(0).uniform(5, 30, (3, 8))
    worse, better = amounts("worse", errors + 2.0), amounts("better", errors)
    value, interval = amount_mean(better, np.random.default_rng(0))
    assert value == pytest.approx(errors.mean())
    assert interval[0] < value < interval[1]
    gain, gained = amount_difference(worse, better, np.random.default_rng(0))
    assert gain == pytest.approx(2.0)
    assert gained == pytest.approx((2.0, 2.0))
    with pytest.raises(ValueError, match="same people"):
        amount_difference(worse, amounts("few", errors[:, :4]), np.random.default_rng(0))


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.name)
def test_who_reads_converted_recordings_was_taught_on_the_converted_simulation(question):
    model = model_of(question, "converted")
    assert OURS.converter in model.needs
    assert model.view is OURS.converter.view
    assert model.uses == OURS.converter.uses
    assert model_of(question, "unprepared").uses == model_of(question, "raw").uses == "nothing"


def test_a_repetition_is_asked_once_and_a_sample_each_time():
    made = movement(correct=0.0)
    parts, correct = QUESTIONS[1:]
    assert answers._units(correct, made).tolist() == [0, 0]
    assert answers._units(correct, movement(correct=np.nan)).tolist() == [-1, -1]
    read = np.ones(140)
    read[[5, 40, 75]] = -0.1  # the first and last are between repetitions
    assert answers._decided(correct, made, read).tolist() == [1, 0]
    assert len(answers._units(parts, made)) == 140
    assert answers._units(parts, made)[:10].tolist() == [-1] * 10


def test_a_network_of_another_version_is_not_read_as_something_else(tmp_path):
    run, correct = Run(tmp_path, Config(real="", test="")), QUESTIONS[2]
    model = model_of(correct, "raw")
    statistics = Statistics(channels=("range",), mean=np.zeros(1), std=np.ones(1))
    save_network(place(run, model, 0, None), Recogniser(Sizes(channels=1, phases=2)), statistics)
    with pytest.raises(RunError, match=r"correct gives 2 numbers a sample, expected 1.*remove"):
        answers._read(run, correct, model, [], 0, None)


def test_rare_answers_count_as_much_as_frequent_ones():
    parts = next(question for question in QUESTIONS if question.classes == 4)
    phase = torch.tensor([[0] * 6 + [1, 1, 2, 3, -1, -1]])
    empty = torch.zeros(1, 12, 1)
    batch = Batches(empty, empty, phase, torch.zeros(1, dtype=torch.long), {})
    weights = _rarity(batch, parts)
    assert weights is not None
    number = torch.tensor([6.0, 2.0, 1.0, 1.0])
    assert torch.allclose(weights * number, torch.full((4,), 2.5))
    assert _rarity(batch, QUESTIONS[0]) is None
