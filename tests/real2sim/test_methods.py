"""What the methods share: names, what they may see, and the terms that they are made of."""

from dataclasses import replace

import pytest
import torch

from real2sim.method import AMOUNT, Model
from real2sim.methods.adapted import Adversarial
from real2sim.methods.cyclegan import CycleTranslator
from real2sim.methods.ours import OURS
from real2sim.networks import Recogniser, Sizes
from real2sim.rows import (
    ABLATIONS,
    DEFAULT,
    PAPER,
    ROW,
    TABLE,
    asked,
    budgets_of,
    compared,
    curve,
    in_order,
    model_named,
    models_of,
    row_named,
)

SIZES = Sizes(channels=3, hidden=8)


@pytest.mark.parametrize("name", [*ROW, "two-encoder@0", "fine-tuned@5", "real-only@all"])
def test_a_row_is_found_with_its_models_which_need_no_more_than_it_says(name):
    row = row_named(name)
    assert row.name == name
    assert row.meaning
    for model in models_of([name]).values():
        assert model_named(model.name) == model
        assert AMOUNT.index(model.uses) <= AMOUNT.index(row.uses)


def test_tables_name_rows():
    assert set(DEFAULT) < set(TABLE)
    for name in (*TABLE, *PAPER, *ABLATIONS, *curve(20, 80)):
        row_named(name)


@pytest.mark.parametrize("name", ["nothing", "raw@5", "two-encoder@", "two-encoder@-3", "real-only@0", "all-real@5"])
def test_names_of_no_row(name):
    with pytest.raises(KeyError):
        row_named(name)


def test_a_budget_reaches_all_that_uses_labels_and_nothing_else():
    models = models_of(["two-encoder@5"])
    assert "recogniser-randomised" in models
    assert "movement-randomised" in models
    assert {name: model.labels for name, model in models.items() if model.labels is not None} == {
        f"{name}@5": 5 for name, model in models_of(["two-encoder"]).items() if model.uses == "labels"
    }


def test_the_curve_ends_where_the_labels_do_and_is_the_row_itself_at_the_budget():
    names = curve(20, 30)
    assert "two-encoder" in names
    assert "two-encoder@20" not in names
    assert "two-encoder@50" not in names
    assert {"two-encoder@0", "fine-tuned@all", "real-only@1"} <= set(names)
    assert "real-only@0" not in names
    assert set(budgets_of(names)) == {0, 1, 5, 10}


def test_rows_are_put_in_the_order_of_the_table():
    rows = asked(["all", "two-encoder@5"], paper=True, ablations=False, budget=20, labels_there_are=None)
    ordered = in_order(reversed(rows))
    assert [name for name in ordered if name in TABLE] == list(TABLE)
    assert ordered.index("two-encoder@5") == ordered.index("two-encoder@0") + 1


def test_ours_is_compared_with_all_and_without_labels_with_those_that_see_none_either():
    rows = ("raw", "dann", "two-encoder", "two-encoder@0", "fine-tuned", "fine-tuned@0", "all-real")
    assert [worse for better, worse in compared(rows) if better == "two-encoder"] == [
        name for name in rows if name != "two-encoder"
    ]
    assert [worse for better, worse in compared(rows) if better == "two-encoder@0"] == ["raw", "dann", "fine-tuned@0"]
    assert compared(("raw", "dann")) == []


def test_a_model_cannot_see_more_than_it_says():
    with pytest.raises(ValueError, match=r"uses nothing, yet needs two-encoder: labels"):
        Model(name="liar", train=lambda material: None, needs=(OURS.converter,))  # type: ignore[arg-type]


def test_the_adversary_learns_to_tell_and_the_features_to_hide():
    torch.manual_seed(0)
    network = Adversarial(Recogniser(SIZES))
    features = [torch.randn(6, 5, 16, requires_grad=True) for _ in range(2)]
    gradient = {}
    for strength in (-1.0, 0.5):
        loss = network.domain_loss(features[0], features[1], strength)
        gradient[strength] = torch.autograd.grad(loss, [features[0], network.domain[0].weight])
    torch.testing.assert_close(gradient[0.5][0], -0.5 * gradient[-1.0][0])
    torch.testing.assert_close(gradient[0.5][1], gradient[-1.0][1])


@pytest.mark.parametrize("samples", [40, 41, 7])
def test_translators_keep_the_shape_of_windows_of_any_length(samples):
    x = torch.randn(2, samples, 3)
    assert CycleTranslator(replace(SIZES, hidden=4)).convert(x).shape == x.shape
