"""The two-encoder model at its best, on windows with known answers."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from synthetic import sequences

from real2sim.compute import reproducible
from real2sim.labels import without_labels
from real2sim.methods.ablations import PLAN
from real2sim.methods.movement import MovementReader
from real2sim.methods.ours import Conversion, Critics, Growth, _other_window, two_encoder_model
from real2sim.methods.recognisers import RANDOMISED
from real2sim.mountings import Mountings
from real2sim.networks import REACH, Recogniser, Sizes, TwoEncoderVAE, load_network, save_network
from real2sim.sequences import channels_of, from_dataset
from real2sim.training import Batches, TrainingSettings
from real2sim.truths import TRUTHS, height
from real2sim.windows import cut, join, statistics_of, take

CHANNELS = channels_of(("watch", "range"))


def wearers(count: int, seed: int):
    """Sequences of seven channels, of which the first tells the phase, with a height and a four-part phase."""
    rng, result = np.random.default_rng(seed), []
    for made in sequences(count, seed):
        values = np.column_stack([made.values[:, 0], rng.normal(0.0, 1.0, (len(made), 5)), made.values[:, 2]])
        truth = {"height": 0.5 + 0.5 * made.phase.astype(np.float32), "phase4": 2.0 * (1 - made.phase)}
        result.append(replace(made, channels=CHANNELS, values=values.astype(np.float32), truth=truth))
    return result


WEARERS = wearers(12, 0)
STATISTICS = statistics_of(WEARERS)
WINDOWS = cut(WEARERS, STATISTICS)
BATCHES = Batches.of(WINDOWS)
PEOPLE = cut(without_labels(wearers(6, 1)), STATISTICS)
SIZES = Sizes(channels=len(CHANNELS), hidden=8, content=4, style=4)
SETTINGS = TrainingSettings(epochs=4, patience=4, batch=16)


def conversion(**changes) -> tuple[Conversion, MovementReader, Recogniser]:
    plan = replace(PLAN, content=4, **changes)
    network = TwoEncoderVAE(replace(SIZES, features=plan.features))
    critic, recogniser = MovementReader(SIZES), Recogniser(SIZES)
    network.content.requires_grad_(False)
    critics = Critics(judging=critic, recogniser=recogniser, rich=True)
    recordings = Batches.of(PEOPLE) if plan.agreement else BATCHES[:0]
    return Conversion(network, BATCHES, recordings, STATISTICS, plan, critics, SETTINGS), critic, recogniser


def test_truths_follow_their_windows():
    assert set(WINDOWS.truth) == {"height", "phase4"}
    known = WINDOWS.phase >= 0
    np.testing.assert_array_equal(WINDOWS.truth["height"][known], 0.5 + 0.5 * WINDOWS.phase[known])
    some = take(WINDOWS, np.array([3, 1]))
    np.testing.assert_array_equal(some.truth["phase4"][0], WINDOWS.truth["phase4"][3])
    assert not join(some, some).truth


class Squats:
    """Two sets of one repetition and a set of two; hips at these heights, nothing else."""

    recipe = {"rate_hz": 20.0}  # noqa: RUF012
    hips = np.array([0.9, 0.45, 0.9, 0.5, 1.0, 0.4, 1.0, 0.8, 0.4, 0.8])
    sets = np.array([0, 1, 1, 2])

    @property
    def fields(self):
        return dict.fromkeys(("landmarks", "phase4", "set", "time"))

    def __len__(self):
        return 4

    def offsets(self, group):
        return np.array([0, 3, 5, 7, 10])

    def read(self, name, start=0, stop=None, *, mounting=0):
        rows = slice(self.offsets("sample")[start], self.offsets("sample")[4 if stop is None else stop])
        if name == "landmarks":
            places = np.zeros((10, 17, 3))
            places[..., 2] = self.hips[:, None]
            return places[rows]
        if name == "set":
            return self.sets[start:stop]
        return np.arange(10)[rows]


def test_the_height_is_over_the_highest_of_the_set():
    np.testing.assert_allclose(height(Squats(), 0, 4), [1, 0.5, 1, 0.5, 1, 0.4, 1, 1, 0.5, 1])
    np.testing.assert_allclose(height(Squats(), 3, 4), [1, 0.5, 1])


def test_a_dataset_tells_its_truths():
    made = from_dataset(Squats(), ("watch",), truths=TRUTHS)
    assert [len(sequence) for sequence in made] == [3, 4, 3]
    np.testing.assert_allclose(made[1].truth["height"], [0.5, 1, 0.4, 1])
    np.testing.assert_array_equal(made[2].truth["phase4"], [7, 8, 9])


def test_the_other_window_is_of_the_same_repetition():
    other, of = _other_window(BATCHES.sequence), BATCHES.sequence.repeat(20)
    drawn = other(of)
    assert (BATCHES.sequence[drawn] == of).all()
    assert len(set(drawn.tolist())) == len(BATCHES)


def test_neither_content_nor_critics_get_a_gradient():
    made, critic, recogniser = conversion()
    made.loss(BATCHES).backward()
    trained = {name for name, p in made.network.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0}
    assert any(name.startswith("style") for name in trained)
    assert any(name.startswith("decoder") for name in trained)
    assert not any(name.startswith("content.") for name in trained)
    assert all(p.grad is None for frozen in (critic, recogniser) for p in frozen.parameters())


@pytest.mark.parametrize(
    "changes",
    [{"crossed": False}, {"turned": False}, {"kept": 0.0}, {"agreement": 0.0}, {"gradual": False}, {"features": 0}],
    ids=str,
)
def test_every_part_of_the_plan_changes_the_loss(changes):
    values = []
    for plan in ({}, changes):
        with reproducible(0):
            made = conversion(**plan)[0]
            made.growth()
            values.append(float(made.loss(BATCHES).detach()))
    assert abs(values[0] - values[1]) > 1e-3


def test_kept_content_is_read_as_what_it_is():
    def misread(kept: float) -> float:
        with reproducible(0):
            made, critic, _ = conversion(kept=kept)
            optimiser = torch.optim.Adam([p for p in made.network.parameters() if p.requires_grad], 5e-3)
            for _ in range(40):
                optimiser.zero_grad()
                made.loss(BATCHES).backward()
                optimiser.step()
        style = torch.zeros(len(BATCHES), 4)
        with torch.no_grad():
            decoded = made.network.decode(made.network.content(BATCHES.values), style)
            return float(critic.loss(critic.encoder(decoded), BATCHES))

    assert misread(PLAN.kept) < 0.9 * misread(0.0)


def test_decoded_recordings_are_read_as_their_content():
    def misread(made) -> float:
        windows, style = Batches.of(PEOPLE), torch.zeros(len(PEOPLE), 4)
        with torch.no_grad():
            content = made.network.content(windows.values)
            told = made.network.content.head(content).softmax(-1)
            shown = made.network.decode(content, style)
            return float(made.critics.misread(BATCHES.values, BATCHES, shown, told)[1])

    def trained(agreement: float) -> float:
        with reproducible(0):
            made = conversion(kept=0.0, agreement=agreement)[0]
            made.network.content.head.weight.data *= 10.0
            optimiser = torch.optim.Adam([p for p in made.network.parameters() if p.requires_grad], 5e-3)
            for _ in range(40):
                optimiser.zero_grad()
                made.loss(BATCHES).backward()
                optimiser.step()
        return misread(made)

    assert trained(1.0) < 0.95 * trained(0.0)


def test_kept_content_gains_weight_over_the_first_half():
    growth = Growth(8)
    assert [growth() for _ in range(6)] == [0.0, 0.25, 0.5, 0.75, 1.0, 1.0]


def test_a_conversion_that_was_stopped_goes_on_to_the_same_network(tmp_path):
    def trained(checkpoint, stop_at=None):
        with reproducible(0):
            made = conversion()[0]
            plain, calls = made.loss, []

            def loss(batch):
                calls.append(len(batch))
                if len(calls) == stop_at:
                    raise KeyboardInterrupt
                return plain(batch)

            made.loss = loss  # type: ignore[method-assign]
            made.fit(BATCHES, checkpoint)
        return made

    whole = trained(tmp_path / "whole")
    epoch = -(-len(BATCHES) // SETTINGS.batch)
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path / "stopped", stop_at=epoch + 2)
    resumed = trained(tmp_path / "stopped")
    assert float(resumed.growth.step) == 4 * epoch
    torch.testing.assert_close(resumed.network.state_dict(), whole.network.state_dict(), rtol=0, atol=0)


def test_windows_that_share_samples_are_decoded_alike_under_one_style():
    network = TwoEncoderVAE(replace(SIZES, features=5)).eval()
    content, style = torch.rand(1, 50, 4), torch.rand(2, 4)
    first, second = (network.decode(part, style[:1]) for part in (content[:, :40], content[:, 10:]))
    assert first.shape == (1, 40, len(CHANNELS))
    torch.testing.assert_close(first[:, 10 + REACH : 40 - REACH], second[:, REACH : 30 - REACH])
    assert (first - network.decode(content[:, :40], style[1:])).abs().max() > 1e-3


@pytest.mark.parametrize("features", [0, 5])
def test_one_content_is_decoded_under_several_styles_as_under_each(features):
    network = TwoEncoderVAE(replace(SIZES, features=features)).eval()
    content, styles = torch.rand(3, 40, 4), torch.rand(2, 3, 4)
    together = network.decode(content, styles)
    assert together.shape == (2, 3, 40, len(CHANNELS))
    torch.testing.assert_close(together, torch.stack([network.decode(content, style) for style in styles]))


def test_what_lies_beyond_heights_says_nothing_of_them():
    network, z_c = MovementReader(SIZES), torch.rand(3, 5, SIZES.content)
    beyond = network.beyond_height(z_c)
    torch.testing.assert_close(network.height(beyond), network.height.bias.expand(3, 5, 1))
    difference = (z_c - beyond).flatten(0, 1)
    assert torch.linalg.matrix_rank(difference, tol=1e-5) == 1


@pytest.mark.parametrize(
    ("changes", "adviser"),
    [({}, "recogniser-fine-tuned-coral"), ({"labels": 0.0}, "recogniser-coral"), ({"advised": False}, None)],
    ids=str,
)
def test_the_adviser_has_seen_what_the_content_encoder_may_see(changes, adviser):
    encoder = two_encoder_model("two-encoder-x", RANDOMISED, replace(PLAN, **changes)).needs[0]
    assert [need.name for need in encoder.needs[1:]] == ([adviser] if adviser else [])


@pytest.mark.parametrize("devices", [(), ((0, 3),)], ids=["measured", "along-gravity"])
def test_a_movement_reader_is_saved_with_its_heads_and_what_it_sees(tmp_path, devices):
    network = MovementReader(replace(SIZES, devices=devices))
    if network.encoder.seen is not None:
        network.encoder.seen.scale(Mountings.of(STATISTICS))
    save_network(tmp_path / "reader", network, STATISTICS)
    loaded, statistics, _ = load_network(tmp_path / "reader")
    assert statistics.channels == CHANNELS
    assert loaded.sizes == network.sizes
    torch.testing.assert_close(loaded.state_dict(), network.state_dict())
    torch.testing.assert_close(loaded.encoder(BATCHES.values), network.encoder(BATCHES.values))


@pytest.mark.parametrize(
    ("changes", "shared"),
    [
        ({"rich": False}, 0),
        ({"gravity": False}, 0),
        ({"unlabelled": 0.0}, 1),
        ({"correlation": 0.0}, 1),
        ({"remembered": 0.0}, 1),
        ({"kept": 0.0}, 2),
    ],
    ids=str,
)
def test_plans_share_the_networks_that_do_not_differ(changes, shared):
    ours = two_encoder_model("two-encoder", RANDOMISED, PLAN)
    other = two_encoder_model("two-encoder-x", RANDOMISED, replace(PLAN, **changes))
    assert len({need.name for need in ours.needs[:2]} & {need.name for need in other.needs[:2]}) == shared
    assert ours.needs[-1] is other.needs[-1] is RANDOMISED
