"""Networks and their training on a problem with known answers."""

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from synthetic import CHANNELS, sequences, windows
from torch.distributions import Normal, kl_divergence

from real2sim import autoencoding, training
from real2sim.autoencoding import MineSettings
from real2sim.conversion import choose_style, convert
from real2sim.networks import (
    ContentEncoder,
    OneEncoderVAE,
    Recogniser,
    Sizes,
    TwoEncoderVAE,
    WindowEncoder,
    load_network,
    save_network,
)
from real2sim.training import Batches, TrainingError, TrainingSettings
from real2sim.windows import Statistics, cut, statistics_of

SIZES = Sizes(channels=3, hidden=16, content=4, style=4)
QUICK = TrainingSettings(epochs=6, batch=32, learning_rate=5e-3)


@pytest.fixture(scope="module")
def content() -> ContentEncoder:
    return training.train_content_encoder(windows(60, 0), windows(20, 1), seed=0, settings=QUICK)[0]


@pytest.fixture(scope="module")
def two_encoder(content):
    return autoencoding.train_style_and_decoder(content, windows(60, 0), windows(20, 1), seed=0, settings=QUICK)


def accuracy(network: Recogniser, seed: int, **options) -> float:
    test = windows(30, seed, **options)
    return float(((training.recognise(network, test) > 0.5) == test.phase)[test.phase >= 0].mean())


def test_the_recogniser_learns_the_phases():
    network, curve = training.train_recogniser(windows(60, 0), windows(20, 1), seed=0, settings=QUICK)
    assert accuracy(network, 2) > 0.95
    assert curve[-1]["validation_loss"] < curve[0]["validation_loss"]


def test_shuffled_labels_teach_nothing():
    rng = np.random.default_rng(0)

    def shuffled(made):
        return replace(made, phase=rng.permutation(made.phase.ravel()).reshape(made.phase.shape))

    network, _ = training.train_recogniser(shuffled(windows(60, 0)), shuffled(windows(20, 1)), seed=0, settings=QUICK)
    probability = training.recognise(network, windows(30, 2))
    assert np.abs(probability - 0.5).mean() < 0.1


def test_unlabelled_samples_do_not_count():
    logits = torch.randn(2, 5, 2)
    phase = torch.tensor([[0, 1, -1, -1, -1], [-1] * 5])
    expected = torch.nn.functional.cross_entropy(logits[0, :2], phase[0, :2])
    assert torch.allclose(training.phase_loss(logits, phase), expected)
    assert training.phase_loss(logits, torch.full((2, 5), -1)) == 0


def test_masked_values_do_not_count_in_the_reconstruction():
    batch = Batches.of(windows(4, 0))
    present = batch.present.clone()
    present[:, :, 2] = 0
    masked = replace(batch, present=present)
    output = torch.zeros_like(batch.values)
    spoilt = output.clone()
    spoilt[:, :, 2] = 1e3
    assert autoencoding.reconstruction_loss(spoilt, masked) == autoencoding.reconstruction_loss(output, masked)
    assert autoencoding.reconstruction_loss(spoilt, batch) > autoencoding.reconstruction_loss(output, batch)


def test_divergence_is_that_of_normal_distributions():
    mu, log_var = torch.randn(2, 6, 3)
    known = kl_divergence(Normal(mu, (0.5 * log_var).exp()), Normal(0.0, 1.0)).sum(1).mean()
    assert torch.allclose(autoencoding.divergence(mu, log_var), known, atol=1e-6)


def test_log_variance_is_bounded_for_absurd_inputs():
    encoder = WindowEncoder(3, 8, 4)
    torch.nn.init.constant_(encoder.log_var.bias, 1e6)
    mu, log_var = encoder(torch.full((2, 10, 3), 1e6))
    assert torch.isfinite(autoencoding.divergence(mu, log_var))


def test_stage_two_leaves_the_content_encoder_as_it_is(content, two_encoder):
    network, _ = two_encoder
    for name, weight in content.state_dict().items():
        assert torch.equal(weight, network.content.state_dict()[name]), name
    assert all(not parameter.requires_grad for parameter in network.content.parameters())


def test_the_weights_of_the_latents_are_learnt_or_fixed(content, two_encoder):
    network, curve = two_encoder
    assert network.content_weight != 1.0
    assert network.style_weight != 1.0
    assert {"content_weight", "style_weight", "mutual_information"} <= set(curve[0])
    fixed, _ = autoencoding.train_style_and_decoder(
        content,
        windows(20, 0),
        windows(5, 1),
        seed=0,
        settings=QUICK,
        sizes=replace(content.sizes, learn_weights=False),
    )
    assert fixed.content_weight == fixed.style_weight == 1.0


def test_the_sound_sign_lowers_mutual_information_and_the_literal_one_raises_it(content):
    found = {}
    for sign in ("sound", "off", "literal"):
        mine = MineSettings(sign=sign, weight=0.3, steps=3)  # more learn so few windows by heart
        settings = replace(QUICK, epochs=12, patience=99)
        _, curve = autoencoding.train_style_and_decoder(
            content, windows(60, 0), windows(40, 1), seed=0, settings=settings, mine=mine
        )
        found[sign] = np.mean([epoch["mutual_information"] for epoch in curve[-4:]])
    assert found["sound"] < found["off"] + 0.1, found  # there is next to nothing to lower in this problem
    assert found["literal"] > max(found["sound"], found["off"]) + 0.2, found


def test_training_is_reproducible_and_leaves_the_global_generator_alone(content):
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    one, curve = autoencoding.train_one_encoder(windows(20, 0), windows(5, 1), seed=3, settings=QUICK)
    assert torch.equal(before, torch.random.get_rng_state())
    other, again = autoencoding.train_one_encoder(windows(20, 0), windows(5, 1), seed=3, settings=QUICK)
    assert curve == again
    assert all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_loss_that_is_no_number_is_refused(value):
    train = windows(20, 0)
    train.values[3, 5, 1] = value
    with pytest.raises(TrainingError, match="loss of Recogniser is nan in epoch 1"):
        training.train_recogniser(train, windows(5, 1), seed=0, settings=QUICK)


TRAININGS = {
    "recogniser": "training.train_recogniser("
    "windows(80, 0), windows(20, 1), seed=3, settings=settings, checkpoint=path)",
    "two encoders": "autoencoding.train_style_and_decoder("
    "ContentEncoder(Sizes(channels=3)), windows(80, 0), windows(20, 1), seed=3, settings=settings, checkpoint=path)",
}


@pytest.mark.fault
@pytest.mark.parametrize("call", TRAININGS.values(), ids=TRAININGS)
def test_a_killed_training_resumes_to_the_same_curve(call, tmp_path):
    script = f"""
import json, sys, torch
sys.path.insert(0, {str(Path(__file__).parent)!r})
from pathlib import Path
from synthetic import windows
from real2sim import autoencoding, training
from real2sim.networks import ContentEncoder, Sizes
path = Path(sys.argv[1])
settings = training.TrainingSettings(epochs=12, batch=16, patience=99)
torch.manual_seed(1)
torch.set_num_threads(1)
network, curve = {call}
print(json.dumps([curve, float(sum(weight.double().sum() for weight in network.state_dict().values()))]))
"""

    def start(name: str) -> subprocess.Popen:
        command = [sys.executable, "-c", script, str(tmp_path / name)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    whole = json.loads(start("whole").communicate()[0])
    rng = np.random.default_rng()
    killed = start("killed")
    deadline = time.monotonic() + 60
    while not (tmp_path / "killed").exists() and time.monotonic() < deadline:
        time.sleep(0.002)
    time.sleep(rng.uniform(0.0, 0.3))
    killed.kill()
    killed.communicate()
    assert killed.returncode == -signal.SIGKILL, "it was too quick to be killed"
    assert json.loads(start("killed").communicate()[0]) == whole


def test_a_checkpoint_of_another_training_is_not_gone_on_with(tmp_path):
    plain = training.train_recogniser(windows(20, 0), windows(5, 1), seed=0, settings=QUICK)[1]
    longer = replace(QUICK, batch=8)
    training.train_recogniser(windows(20, 0), windows(5, 1), seed=0, settings=longer, checkpoint=tmp_path / "state")
    again = training.train_recogniser(
        windows(20, 0), windows(5, 1), seed=0, settings=QUICK, checkpoint=tmp_path / "state"
    )[1]
    assert again == plain


def test_few_labels_are_all_trained_on_for_as_long_as_served_where_some_were_held_out():
    asked = []

    def train(some, held, settings):
        asked.append((len(some), held and len(held), settings.epochs))
        losses = [0.9, 0.5, 0.7] if held else [0.0] * settings.epochs
        return "network", [{"validation_loss": loss} for loss in losses]

    every, parts = windows(6, 0), [(windows(4, 0), windows(2, 0)), (windows(3, 0), windows(3, 0))]
    network, curve = training.train_on_few(train, every, parts, QUICK)
    assert network == "network"
    assert asked[-1] == (len(every), None, 2)
    assert [epoch["held_out_loss"] for epoch in curve] == [0.9, 0.5]


def test_fine_tuning_leaves_the_start_as_it_is():
    start, _ = training.train_recogniser(windows(20, 0), windows(5, 1), seed=0, settings=QUICK)
    before = {name: weight.clone() for name, weight in start.state_dict().items()}
    tuned, _ = training.train_recogniser(windows(20, 2), windows(5, 3), seed=0, settings=QUICK, start=start)
    assert all(torch.equal(before[name], weight) for name, weight in start.state_dict().items())
    assert any(not torch.equal(before[name], weight) for name, weight in tuned.state_dict().items())


@pytest.mark.parametrize("kind", [Recogniser, ContentEncoder, OneEncoderVAE, TwoEncoderVAE])
def test_what_is_saved_comes_back(kind, tmp_path):
    network = kind(SIZES).eval()
    statistics = Statistics(channels=CHANNELS, mean=np.arange(3.0), std=np.ones(3))
    save_network(tmp_path / "net", network, statistics, {"seed": 1})
    back, statistics_back, notes = load_network(tmp_path / "net")
    x = torch.randn(2, 40, 3)
    function = "reconstruct" if hasattr(network, "reconstruct") else "forward"
    assert torch.equal(getattr(network, function)(x), getattr(back, function)(x))
    assert np.array_equal(statistics.mean, statistics_back.mean)
    assert notes == {"seed": 1}
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".json", ".safetensors"]


class Offset(torch.nn.Module):
    """A converter whose content is the first channel and whose style, added to it, is the mean; 0 parts the phases."""

    def __init__(self):
        super().__init__()
        self.content = torch.nn.Identity()
        self.content.head = both_signs

    def style(self, x: torch.Tensor) -> tuple[torch.Tensor]:
        return (x.mean(1)[:, :1],)

    def decode(self, z_c: torch.Tensor, z_s: torch.Tensor) -> torch.Tensor:
        return z_c + z_s[:, None]


def both_signs(x: torch.Tensor) -> torch.Tensor:
    return torch.stack([-x[..., 0], x[..., 0]], -1)


def test_the_style_is_one_in_which_recordings_are_read_like_their_content():
    many = windows(60, 0)
    train = replace(many, values=np.where(np.arange(len(many.values))[:, None, None] % 4, 3.0, 0.1) + 0 * many.values)
    clear = replace(many, values=np.where(many.phase[..., None] == 1, 5.0, -5.0) + 0 * many.values)
    people = torch.as_tensor(0.1 * clear.values)
    alone, accuracy = choose_style(Offset(), both_signs, train, clear, np.random.default_rng(0))  # type: ignore[arg-type]
    heard, as_good = choose_style(
        Offset(),  # type: ignore[arg-type]
        both_signs,  # type: ignore[arg-type]
        train,
        clear,
        np.random.default_rng(0),
        recordings=people,
    )
    assert accuracy == as_good == 1.0
    assert float(alone) == pytest.approx(3.0)
    assert float(heard) == pytest.approx(0.1)


def test_conversion_keeps_phases_and_takes_the_simulated_style(two_encoder):
    model, _ = two_encoder
    recogniser, _ = training.train_recogniser(windows(60, 0), windows(20, 1), seed=0, settings=QUICK)
    style, score = choose_style(model, recogniser, windows(60, 0), windows(20, 1), np.random.default_rng(0))
    model.fixed_style.copy_(style)
    assert score > 0.9
    simulated = sequences(60, 0)
    statistics = statistics_of(simulated)
    real = sequences(10, 7, shift=3.0, subject=4)
    converted = convert(model, real, statistics, window=40, stride=10)
    spread = [np.std([s.values[:, 1].mean() for s in part]) for part in (real, converted)]
    assert spread[1] < 0.5 * spread[0]
    assert abs(np.mean([s.values[:, 1].mean() for s in converted])) < 2.0
    read = training.recognise(recogniser, cut(converted, statistics)) > 0.5
    assert (read == cut(real, statistics).phase).mean() > 0.9
    assert [s.subject for s in converted] == [4] * 10
    assert all(np.isfinite(s.values).all() for s in converted)


def test_conversion_refuses_a_network_that_converts_nothing():
    made = sequences(2, 0)
    with pytest.raises(TypeError, match="Recogniser"):
        convert(Recogniser(SIZES), made, statistics_of(made), window=40, stride=10)
