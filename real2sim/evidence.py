"""What a converter does to recordings, in figures: domains told apart, what style knows of the phase, spectra."""

import itertools
from collections.abc import Sequence as ListLike
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from torch import Tensor

from real2sim import stages
from real2sim.compute import reproducible
from real2sim.conversion import convert
from real2sim.material import place, simulated_sequences
from real2sim.mutual_information import FEWEST_PAIRS, estimate_mutual_information
from real2sim.networks import Recogniser, Sizes, TwoEncoderVAE, load_network
from real2sim.rows import OURS, row_named
from real2sim.run import Run
from real2sim.sequences import Sequence
from real2sim.training import Batches, TrainingSettings, apply, fit, phase_loss
from real2sim.windows import Statistics, Windows, cut, join, take

TELLER = TrainingSettings(epochs=8, batch=32, learning_rate=3e-3)
TELLER_UNITS = 16
MOST_WINDOWS = 500  # of a domain; people are few, more simulation would not help to tell them
MOMENTS = 8  # samples of the content of a window that are paired with its style
RIDGE = 1e-2


@dataclass(frozen=True, kw_only=True, eq=False)
class Domains:
    """The same movements in three domains, cut without overlap and normalised alike.

    Attributes:
        simulated, real: Held-out simulated repetitions, and the test recordings.
        converted_simulated, converted_real: The same after conversion.
        statistics: Of the windows.
        network: The converter.
    """

    simulated: Windows
    real: Windows
    converted_simulated: Windows
    converted_real: Windows
    statistics: Statistics
    network: TwoEncoderVAE


def domains(run: Run, seed: int, fold: int | None) -> Domains:
    """The domains of a run's two-encoder row."""
    model = row_named(OURS).converter
    assert model is not None
    network, statistics, _ = load_network(place(run, model, seed, fold))
    assert isinstance(network, TwoEncoderVAE)
    simulated = model.view(simulated_sequences(run, model.simulation)[2])
    real = model.view(stages.unseen_sequences(run, fold))
    sizes = {"window": run.config.window, "stride": run.config.stride}
    through = partial(convert, network, statistics=statistics, **sizes)
    made = (cut_apart(run, some, statistics) for some in (simulated, real, through(simulated), through(real)))
    return Domains(
        **dict(zip(("simulated", "real", "converted_simulated", "converted_real"), made, strict=True)),
        statistics=statistics,
        network=network,
    )


def cut_apart(run: Run, sequences: list[Sequence], statistics: Statistics) -> Windows:
    """Windows that share no sample but for the last of a sequence, at most `MOST_WINDOWS` of them."""
    windows = cut(sequences, statistics, window=run.config.window, stride=run.config.window)
    return take(windows, np.linspace(0, len(windows) - 1, min(MOST_WINDOWS, len(windows))).round().astype(int))


def told_apart(one: Windows, other: Windows, *, seed: int) -> float:
    """Balanced accuracy with which a small recogniser tells windows of two domains apart; 0.5 is by chance.

    It is trained on one half of the sequences of each and asked about the other, both ways round.
    """
    both = join(one, other)
    domain = np.repeat([0, 1], [len(one), len(other)])
    half = both.sequence % 2
    right = np.zeros(len(both), dtype=bool)
    for trained in (0, 1):
        part, asked = np.flatnonzero(half == trained), np.flatnonzero(half != trained)
        told = _told(take(both, _balanced(part, domain)), domain[_balanced(part, domain)], both.values[asked], seed)
        right[asked] = told == domain[asked]
    return float(np.mean([right[domain == k].mean() for k in (0, 1)]))


def _balanced(part: np.ndarray, domain: np.ndarray) -> np.ndarray:
    """The windows of a part, those of the rarer domain repeated until there are as many as of the other."""
    numbers = [part[domain[part] == k] for k in (0, 1)]
    most = max(map(len, numbers))
    return np.concatenate([np.resize(some, most) for some in numbers])


def _told(windows: Windows, domain: np.ndarray, asked: np.ndarray, seed: int) -> np.ndarray:
    """The domains (M,) of the windows (M, W, C) asked about, told by who was trained on others (N,)."""
    phase = np.repeat(domain[:, None], windows.phase.shape[1], axis=1)
    with reproducible(seed):
        network = Recogniser(Sizes(channels=windows.values.shape[2], hidden=TELLER_UNITS))

        def loss(batch: Batches) -> Tensor:
            return phase_loss(network(batch.values), batch.phase)

        fit(network, loss, Batches.of(replace(windows, phase=phase)), None, TELLER)
    return apply(lambda x: network(x).softmax(-1)[..., 1].mean(1), asked) > 0.5


def probe(latent: np.ndarray, phase: np.ndarray, half: np.ndarray) -> float:
    """Balanced accuracy with which a linear probe reads a phase from a latent; 0.5 is by chance.

    Args:
        latent: (N, Z).
        phase: (N,) 0 or 1.
        half: (N,) 0 or 1: the probe is fitted on either half and asked about the other.
    """
    known = np.column_stack([(latent - latent.mean(0)) / np.maximum(latent.std(0), 1e-6), np.ones(len(latent))])
    read = np.zeros(len(phase))
    for fitted in (0, 1):
        x, y = known[half == fitted], 2.0 * phase[half == fitted] - 1.0
        weight = np.where(y > 0, 1 / max((y > 0).sum(), 1), 1 / max((y < 0).sum(), 1))[:, None]
        solution = np.linalg.solve(x.T @ (weight * x) + RIDGE * np.eye(x.shape[1]), x.T @ (weight[:, 0] * y))
        read[half != fitted] = known[half != fitted] @ solution
    return float(np.mean([((read > 0) == k)[phase == k].mean() for k in (0, 1)]))


def leaks(network: TwoEncoderVAE, windows: Windows, seed: int) -> dict[str, float]:
    """What the style of windows knows of their movement.

    Args:
        network: Trained.
        windows: Held out.
        seed: Of the estimator.

    Returns:
        "style_probe" and "content_probe": how well a linear probe reads the phase in the middle of a window from its
        style, and from the content there; "independent_nats": I(content; style) by an estimator of its own, where
        there are windows enough.
    """
    content = apply(network.content, windows.values)
    style = apply(lambda x: network.style(x)[0], windows.values)
    middle = windows.phase.shape[1] // 2
    known = windows.phase[:, middle] >= 0
    phase, half = windows.phase[known, middle], windows.sequence[known] % 2
    told = {
        "style_probe": probe(style[known], phase, half),
        "content_probe": probe(content[known, middle], phase, half),
    }
    if len(content) < FEWEST_PAIRS:
        return told
    moments = np.linspace(0, content.shape[1] - 1, MOMENTS).round().astype(int)
    pairs = content[:, moments].reshape(len(content), -1), style
    return told | {
        "independent_nats": estimate_mutual_information(*pairs, generator=torch.Generator().manual_seed(seed))
    }


def distances(found: Domains, seed: int) -> dict[str, float]:
    """How well domains are told apart (`told_apart`)."""
    return {
        "real from simulated": told_apart(found.simulated, found.real, seed=seed),
        "converted recordings from simulated": told_apart(found.simulated, found.converted_real, seed=seed),
        "converted recordings from converted simulated": told_apart(
            found.converted_simulated, found.converted_real, seed=seed
        ),
    }


def spectrum(windows: Windows, statistics: Statistics, channels: ListLike[str]) -> np.ndarray:
    """Amplitude (F,) of each frequency: the root of the mean power over windows, added over channels, SI units."""
    columns = [windows.channels.index(channel) for channel in channels]
    values = windows.values[:, :, columns] * statistics.std[columns]
    values = (values - values.mean(1, keepdims=True)) * np.hanning(values.shape[1])[:, None]
    power = np.abs(np.fft.rfft(values, axis=1)) ** 2 / (np.hanning(values.shape[1]) ** 2).sum()
    return np.sqrt(power.mean(0).sum(-1))


def latents(found: Domains) -> dict[str, dict[str, np.ndarray]]:
    """Two main directions (N, 2) of content (mean over a window) and of style, by domain."""
    domain = {"simulated": found.simulated, "real": found.real, "converted": found.converted_real}
    content = {name: apply(found.network.content, some.values).mean(1) for name, some in domain.items()}
    style = {name: apply(lambda x: found.network.style(x)[0], some.values) for name, some in domain.items()}
    return {"content": _two_directions(content), "style": _two_directions(style)}


def _two_directions(latent: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    together = np.concatenate([*latent.values()])
    directions = np.linalg.svd(together - together.mean(0), full_matrices=False)[2][:2]
    return {name: (values - together.mean(0)) @ directions.T for name, values in latent.items()}


def errors_over_repetition(
    sequences: ListLike[Sequence], predicted: ListLike[np.ndarray], *, bins: int = 20
) -> tuple[np.ndarray, np.ndarray]:
    """Where in a repetition the errors are.

    Args:
        sequences: Test recordings with numbered repetitions.
        predicted: (T,) probability of upright for each.
        bins: Parts of a repetition, equally long in time.

    Returns:
        (bins,) share of the labelled samples that are read wrongly, and (bins,) share that is down; NaN where none is.
    """
    wrong, down, number = np.zeros((3, bins))
    for sequence, upright in zip(sequences, predicted, strict=True):
        edges = np.flatnonzero(np.diff(sequence.repetition, prepend=-2, append=-2))
        for start, stop in itertools.pairwise(edges):
            here = np.flatnonzero(sequence.phase[start:stop] >= 0)
            if sequence.repetition[start] < 0 or not len(here):
                continue
            place_of = here * bins // (stop - start)
            phase = sequence.phase[start:stop][here]
            np.add.at(wrong, place_of, (upright[start:stop][here] > 0.5) != phase)
            np.add.at(down, place_of, phase == 0)
            np.add.at(number, place_of, 1)
    with np.errstate(invalid="ignore"):
        return wrong / number, down / number
