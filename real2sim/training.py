"""Training, as plain functions around one epoch loop.

Every `train_*` function takes windows and a seed and returns a network in eval mode, with the weights of its best
epoch, and the curve of the training. The same seed gives the same curve on the same machine; the caller's random state
is left alone. Given a `checkpoint`, a training that was cut off goes on where it stopped and ends with the same curve
and weights, bit for bit.
"""

from __future__ import annotations

import copy
import json
import math
import zlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from real2sim.mutual_information import StatisticNetwork, donsker_varadhan, statistic_loss
from real2sim.networks import (
    ContentEncoder,
    NetworkSettings,
    OneEncoderVAE,
    Recogniser,
    TwoEncoderVAE,
    plain_tensors,
    reproducible,
    whole_file,
)
from real2sim.windows import Windows

VALIDATION_BATCH = 1024
"""Windows at a time where no gradient is kept."""

CONTENT_SEGMENTS = 4
"""Stretches of a window whose mean content is paired with its style, see `summarise_content`."""


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """How a network is trained.

    Attributes:
        epochs: Most epochs.
        batch: Windows a step, about: an epoch is dealt out evenly.
        learning_rate: Of Adam.
        patience: Epochs without a lower validation loss that end the training.
        largest_gradient: Norm to which longer gradients are cut.
    """

    epochs: int = 30
    batch: int = 256
    learning_rate: float = 2e-3
    patience: int = 5
    largest_gradient: float = 1.0

    def __post_init__(self) -> None:
        if min(self.epochs, self.patience) < 1 or min(self.learning_rate, self.largest_gradient) <= 0 or self.batch < 4:
            raise ValueError(f"got {self}, expected batches of 4 or more, 1 epoch or more and rates above 0")


FINE_TUNING = TrainingSettings(epochs=60, batch=32, learning_rate=3e-4, patience=10)
"""For few real windows: small steps, and a stop as soon as the held-out labels are read worse."""


@dataclass(frozen=True, kw_only=True)
class StyleObjective:
    """The loss of the style encoder and the decoder: L_recon + beta L_KLD + lambda L_MINE.

    Attributes:
        beta: Weight of L_KLD [nats a window] against the squared error a value.
        mine_weight: lambda, weight of L_MINE [nats].
        mine: What L_MINE is to the style encoder. "sound": the bound on I(z_c; z_s) itself, so that it is lowered;
            "literal": its negative, as printed in the paper, which raises it; "off": nothing. The statistic network
            raises the bound in every case, and thereby measures it.
        statistic_steps: Steps of the statistic network to one of the encoder.
        statistic_learning_rate: Of its Adam.
        consistency_weight: Weight of the cross-entropy with which a given recogniser reads the window's own phases
            from what is decoded under another window's style.
        joint: Train the content encoder too, with its own cross-entropy, instead of freezing it.
    """

    beta: float = 3e-3
    mine_weight: float = 0.1
    mine: Literal["sound", "literal", "off"] = "sound"
    statistic_steps: int = 3
    statistic_learning_rate: float = 1e-3
    consistency_weight: float = 0.0
    joint: bool = False

    def __post_init__(self) -> None:
        if self.mine not in MINE_SIGN:
            raise ValueError(f"got mine={self.mine!r}, expected one of {tuple(MINE_SIGN)}")
        if self.statistic_steps < 1 or min(self.beta, self.mine_weight, self.consistency_weight) < 0:
            raise ValueError(f"got {self}, expected weights of 0 or more and 1 or more statistic steps")


MINE_SIGN: Mapping[str, float] = {"sound": 1.0, "literal": -1.0, "off": 0.0}
"""Sign with which the bound enters the loss of the style encoder."""


@dataclass(frozen=True, kw_only=True)
class Curve:
    """What a training measured after each epoch.

    Attributes:
        rows: One mapping of figures an epoch, from the first; "validation_loss" is what chooses the best epoch.
        best: Index of the epoch whose weights were kept.
    """

    rows: tuple[Mapping[str, float], ...]
    best: int

    def __getitem__(self, name: str) -> np.ndarray:
        """Return one figure over the epochs."""
        return np.array([row[name] for row in self.rows])


Progress = Callable[[int, Mapping[str, float]], None]
"""Called after every epoch with its index and figures."""

Classifier = TypeVar("Classifier", Recogniser, ContentEncoder)


def reconstruction_loss(output: Tensor, values: Tensor, present: Tensor) -> Tensor:
    """Return the mean squared error over what was measured; output, values and present are (B, W, C)."""
    return ((output - values).square() * present).sum() / present.sum().clamp(min=1)


def kl_divergence(mu: Tensor, log_var: Tensor) -> Tensor:
    """Return KL(N(mu, exp(log_var)) || N(0, I)), nats a window, averaged over the batch; both are (B, Z)."""
    return 0.5 * (mu.square() + log_var.exp() - 1 - log_var).sum(dim=-1).mean()


def phase_loss(logits: Tensor, phase: Tensor) -> Tensor:
    """Return the cross-entropy of (B, W, K) logits over the labelled samples of (B, W) phases; 0 if there are none."""
    total = functional.cross_entropy(logits.flatten(0, 1), phase.flatten(), ignore_index=-1, reduction="sum")
    return total / (phase >= 0).sum().clamp(min=1)


def draw_latent(mu: Tensor, log_var: Tensor) -> Tensor:
    """Return z = mu + eps * sigma, eps drawn on the CPU so that a seed means the same on every device."""
    return mu + torch.randn(mu.shape).to(mu) * (0.5 * log_var).exp()


def summarise_content(z_c: Tensor, segments: int = CONTENT_SEGMENTS) -> Tensor:
    """Return the (B, segments * Zc) content that is paired with a window's style: its mean over equal stretches.

    Style is one vector a window and content one a sample. Content at a single random moment, or averaged over the whole
    window, would hide from the statistic network *when* in the window a phase begins, which is just what style must not
    know; all samples at once make its input too wide to learn from.
    """
    return functional.adaptive_avg_pool1d(z_c.transpose(1, 2), segments).flatten(1)


def train_recogniser(
    train: Windows,
    validation: Windows,
    settings: TrainingSettings | None = None,
    seed: int = 0,
    device: torch.device | str = "cpu",
    *,
    network: NetworkSettings | None = None,
    start: Recogniser | None = None,
    checkpoint: Path | None = None,
    progress: Progress | None = None,
) -> tuple[Recogniser, Curve]:
    """Train a recogniser on labelled windows, or fine-tune one.

    The loss is plain cross-entropy: accuracy is the headline, on data as unbalanced as those that it is trained on.
    Balanced accuracy stands beside it in the curve.

    Args:
        train: Windows; those without labels are passed over.
        validation: Windows that choose the best epoch.
        settings: By default `TrainingSettings()`, or `FINE_TUNING` from a `start`.
        seed: Of initial weights and the order of the windows.
        device: Where to train.
        network: Sizes; by default those of `start`, or of `NetworkSettings`.
        start: A recogniser to go on from, which is left as it is.
        checkpoint: File to resume from, and to save to after every epoch.
        progress: Called after every epoch.

    Returns:
        The recogniser, and a curve of "loss", "validation_loss", "accuracy" and "balanced_accuracy".

    Raises:
        ValueError: If a part has no labels, channels differ, or the checkpoint is of another training.
    """
    return _train_classifier(
        Recogniser, train, validation, settings, seed, device, network, start, checkpoint, progress
    )


def train_content_encoder(
    train: Windows,
    validation: Windows,
    settings: TrainingSettings | None = None,
    seed: int = 0,
    device: torch.device | str = "cpu",
    *,
    network: NetworkSettings | None = None,
    start: ContentEncoder | None = None,
    checkpoint: Path | None = None,
    progress: Progress | None = None,
) -> tuple[ContentEncoder, Curve]:
    """Train a content encoder to read phases from its latent: stage 1. All as in `train_recogniser`."""
    return _train_classifier(
        ContentEncoder, train, validation, settings, seed, device, network, start, checkpoint, progress
    )


def fine_tune_content_encoder(
    encoder: ContentEncoder,
    labelled: Windows,
    settings: TrainingSettings = FINE_TUNING,
    seed: int = 0,
    device: torch.device | str = "cpu",
    *,
    held_out: float = 0.2,
    checkpoint: Path | None = None,
    progress: Progress | None = None,
) -> tuple[ContentEncoder, Curve]:
    """Fine-tune a content encoder on few labelled windows of recordings, and stop early by a part of the labels.

    Nothing but the small steps and the early stop keeps it from forgetting the simulation, as in the paper.

    Args:
        encoder: Trained on simulation; left as it is.
        labelled: Windows of recordings; those without labels are passed over.
        settings: How to train.
        seed: Of the held-out part and the order of the windows.
        device: Where to train.
        held_out: Share of the labels, see `hold_out_labels`.
        checkpoint: File to resume from, and to save to after every epoch.
        progress: Called after every epoch.

    Raises:
        ValueError: If there are too few labels to hold some out, or channels differ.
    """
    train, validation = hold_out_labels(labelled, held_out, np.random.default_rng(seed))
    return train_content_encoder(
        train, validation, settings, seed, device, start=encoder, checkpoint=checkpoint, progress=progress
    )


def hold_out_labels(windows: Windows, share: float, rng: np.random.Generator) -> tuple[Windows, Windows]:
    """Split labels, not windows: windows overlap, and a label in both parts would blind the early stop.

    The held-out labels are one stretch of the labelled samples in their order, with the last followed by the first,
    that begins at random.

    Args:
        windows: Windows of which some samples are labelled.
        share: Of the labelled samples to hold out.
        rng: Source of randomness.

    Returns:
        Training and held-out windows. Each part holds the windows that have labels of its own, -1 for all others.

    Raises:
        ValueError: If one of the parts gets no label.
    """
    time = windows.start[:, None] + np.arange(windows.phase.shape[1])
    sample = windows.sequence[:, None] * (time.max(initial=0) + 1) + time
    labelled = np.unique(sample[windows.phase >= 0])
    count = round(share * len(labelled))
    if not 0 < count < len(labelled):
        raise ValueError(
            f"got {len(labelled)} labelled samples of which to hold out {share:g}, expected labels for both parts"
        )
    held = np.isin(sample, np.roll(labelled, -rng.integers(len(labelled)))[:count])
    return with_labels(windows, ~held), with_labels(windows, held)


def with_labels(windows: Windows, keep: np.ndarray) -> Windows:
    """Return the windows that have labels where (N, W) `keep` is True, with -1 for their other samples."""
    phase = np.where(keep, windows.phase, -1).astype(np.int8)
    return take(replace(windows, phase=phase), np.flatnonzero((phase >= 0).any(axis=1)))


def take(windows: Windows, index: np.ndarray) -> Windows:
    """Return some of the windows, by (M,) indices or an (N,) mask."""
    arrays = {field.name: getattr(windows, field.name)[index] for field in fields(windows) if field.name != "channels"}
    return Windows(channels=windows.channels, **arrays)


def train_one_encoder_vae(
    train: Windows,
    validation: Windows,
    settings: TrainingSettings | None = None,
    seed: int = 0,
    device: torch.device | str = "cpu",
    *,
    beta: float = StyleObjective.beta,
    network: NetworkSettings | None = None,
    checkpoint: Path | None = None,
    progress: Progress | None = None,
) -> tuple[OneEncoderVAE, Curve]:
    """Train the ordinary VAE on windows, without labels: L_recon + beta L_KLD.

    Other arguments and errors are those of `train_recogniser`.

    Returns:
        The VAE, and a curve of "loss", "reconstruction" and "kld", each also with "validation_" before its name.
    """
    settings = settings or TrainingSettings()
    network = _network_settings(network, train, validation)
    identity = _identity(settings, seed, network, train, validation, beta=beta)
    data, held_out = _Data.of(train, device), _Data.of(validation, device)
    with reproducible(seed):
        vae = OneEncoderVAE(network).to(device)
        optimiser = torch.optim.Adam(vae.parameters(), lr=settings.learning_rate)

        def figures(batch: _Data) -> dict[str, Tensor]:
            mu, log_var = vae.encoder(batch.values)
            output = vae.decode(draw_latent(mu, log_var), batch.values.shape[1])
            reconstruction, kld = reconstruction_loss(output, batch.values, batch.present), kl_divergence(mu, log_var)
            return {"loss": reconstruction + beta * kld, "reconstruction": reconstruction, "kld": kld}

        def step(index: Tensor) -> dict[str, Tensor]:
            found = figures(data[index])
            _descend(found["loss"], optimiser, settings)
            return found

        def validate() -> dict[str, float]:
            return _named("validation_", _mean_over(held_out, figures))

        curve = _fit(vae, [optimiser], step, validate, len(data), settings, identity, checkpoint, progress)
    return vae, curve


def train_style_and_decoder(
    content_encoder: ContentEncoder,
    train: Windows,
    validation: Windows,
    settings: TrainingSettings | None = None,
    seed: int = 0,
    device: torch.device | str = "cpu",
    *,
    objective: StyleObjective | None = None,
    network: NetworkSettings | None = None,
    recogniser: Recogniser | None = None,
    checkpoint: Path | None = None,
    progress: Progress | None = None,
) -> tuple[TwoEncoderVAE, Curve]:
    """Train style encoder and decoder on simulated windows under a frozen content encoder: stage 2.

    Each step first trains the statistic network on the batch, then encoder and decoder with the statistic network held
    still. The best epoch has the lowest validation loss, in which L_MINE does not count: it is an estimate, and lowest
    before the statistic network has learnt to measure.

    Args:
        content_encoder: Of stage 1; it is copied and left as it is.
        train: Simulated windows.
        validation: Simulated windows that choose the best epoch.
        settings: How to train; by default `TrainingSettings()`.
        seed: Of initial weights, noise and the order of the windows.
        device: Where to train.
        objective: The loss; by default `StyleObjective()`.
        network: Sizes; by default the content encoder's.
        recogniser: Reads what is decoded, for a `consistency_weight`; left as it is.
        checkpoint: File to resume from, and to save to after every epoch.
        progress: Called after every epoch.

    Returns:
        The VAE, and a curve of "loss", "reconstruction", "kld", "information" (the bound on I(z_c; z_s), nats) and,
        where they count, "consistency" and "phase", each also with "validation_" before its name, and of the decoder's
        "content_weight" and "style_weight".

    Raises:
        ValueError: If channels differ, the recogniser is missing, a part has fewer than 2 windows, or the checkpoint is
            of another training.
    """
    settings, objective = settings or TrainingSettings(), objective or StyleObjective()
    network = _network_settings(network or content_encoder.settings, train, validation)
    if objective.consistency_weight and recogniser is None:
        raise ValueError(f"got no recogniser, expected one for consistency_weight={objective.consistency_weight:g}")
    if min(len(train), len(validation)) < 2:
        raise ValueError(f"got {len(train)} and {len(validation)} windows, expected 2 or more to shuffle styles among")
    networks = content_encoder, recogniser
    identity = _identity(settings, seed, network, train, validation, *networks, objective=asdict(objective))
    reader = recogniser and copy.deepcopy(recogniser).to(device).train().requires_grad_(False)
    with reproducible(seed):
        vae = TwoEncoderVAE(network).to(device)
        vae.content.load_state_dict(content_encoder.state_dict())
        vae.content.train(objective.joint).requires_grad_(objective.joint)
        statistic = StatisticNetwork(CONTENT_SEGMENTS * network.content_latent, network.style_latent).to(device)
        trainable = [weight for weight in vae.parameters() if weight.requires_grad]
        optimiser = torch.optim.Adam(trainable, lr=settings.learning_rate)
        measurer = torch.optim.Adam(statistic.parameters(), lr=objective.statistic_learning_rate, betas=(0.9, 0.99))
        content = None if objective.joint else vae.content
        data, held_out = _Data.of(train, device, content), _Data.of(validation, device, content)

        def step(index: Tensor) -> dict[str, Tensor]:
            batch = data[index]
            latents = _latents(vae, batch)
            summary, mu, log_var = (latent.detach() for latent in (summarise_content(latents[0]), *latents[1:]))
            for _ in range(objective.statistic_steps):
                _descend(statistic_loss(statistic, summary, draw_latent(mu, log_var)), measurer, settings)
            statistic.requires_grad_(False)
            found = _style_figures(vae, statistic, reader, objective, batch, *latents)
            _descend(found["loss"], optimiser, settings)
            statistic.requires_grad_(True)
            return found

        def validate() -> dict[str, float]:
            mean = _mean_over(
                held_out, lambda batch: _style_figures(vae, statistic, reader, objective, batch, *_latents(vae, batch))
            )
            mean["loss"] -= MINE_SIGN[objective.mine] * objective.mine_weight * mean["information"]
            weights = {name: getattr(vae.decoder, name).item() for name in ("content_weight", "style_weight")}
            return _named("validation_", mean) | weights

        both = nn.ModuleDict({"vae": vae, "statistic": statistic})
        curve = _fit(both, [optimiser, measurer], step, validate, len(data), settings, identity, checkpoint, progress)
    return vae, curve


def _latents(vae: TwoEncoderVAE, batch: _Data) -> tuple[Tensor, Tensor, Tensor]:
    """Return z_c, mu and log_var of a batch."""
    z_c = vae.content(batch.values) if batch.content is None else batch.content
    return z_c, *vae.style(batch.values)


def _style_figures(
    vae: TwoEncoderVAE,
    statistic: StatisticNetwork,
    reader: Recogniser | None,
    objective: StyleObjective,
    batch: _Data,
    z_c: Tensor,
    mu: Tensor,
    log_var: Tensor,
) -> dict[str, Tensor]:
    """Return the loss of stage 2 on a batch, and the terms that it is made of."""
    z_s = draw_latent(mu, log_var)
    terms = {
        "reconstruction": reconstruction_loss(vae.decoder(z_c, z_s), batch.values, batch.present),
        "kld": kl_divergence(mu, log_var),
        "information": donsker_varadhan(statistic(summarise_content(z_c), z_s)),
    }
    weights = {"kld": objective.beta, "information": MINE_SIGN[objective.mine] * objective.mine_weight}
    if reader is not None and objective.consistency_weight:
        shuffled = vae.decoder(z_c, z_s[torch.randperm(len(z_s)).to(z_s.device)])
        terms["consistency"] = phase_loss(reader(shuffled), batch.phase)
        weights["consistency"] = objective.consistency_weight
    if objective.joint:
        terms["phase"] = phase_loss(vae.content.head(z_c), batch.phase)
    loss = torch.stack([weights.get(name, 1.0) * term for name, term in terms.items()]).sum()
    return {"loss": loss, **terms}


def _train_classifier(
    kind: type[Classifier],
    train: Windows,
    validation: Windows,
    settings: TrainingSettings | None,
    seed: int,
    device: torch.device | str,
    network: NetworkSettings | None,
    start: Classifier | None,
    checkpoint: Path | None,
    progress: Progress | None,
) -> tuple[Classifier, Curve]:
    settings = settings or (TrainingSettings() if start is None else FINE_TUNING)
    network = _network_settings(network if start is None else start.settings, train, validation)
    train, validation = (with_labels(windows, windows.phase >= 0) for windows in (train, validation))
    if not len(train) or not len(validation):
        raise ValueError(f"got {len(train)} and {len(validation)} windows with labels, expected some in both parts")
    identity = _identity(settings, seed, network, train, validation, start, kind=kind.__name__)
    data, held_out = _Data.of(train, device), _Data.of(validation, device)
    with reproducible(seed):
        classifier = (kind(network) if start is None else copy.deepcopy(start)).to(device).train()
        optimiser = torch.optim.Adam(classifier.parameters(), lr=settings.learning_rate)

        def step(index: Tensor) -> dict[str, Tensor]:
            batch = data[index]
            loss = phase_loss(classifier.logits(batch.values), batch.phase)
            _descend(loss, optimiser, settings)
            return {"loss": loss}

        def validate() -> dict[str, float]:
            with torch.no_grad():
                logits = torch.cat([classifier.logits(part) for part in held_out.values.split(VALIDATION_BATCH)])
            loss = phase_loss(logits, held_out.phase).item()
            return {"validation_loss": loss, **_accuracies(logits.argmax(dim=-1), held_out.phase)}

        curve = _fit(classifier, [optimiser], step, validate, len(data), settings, identity, checkpoint, progress)
    return classifier, curve


def _accuracies(read: Tensor, phase: Tensor) -> dict[str, float]:
    """Return accuracy over the labelled samples, and its mean over the phases that occur among them."""
    right = (read == phase)[phase >= 0].double()
    labels = phase[phase >= 0]
    recalls = [right[labels == label].mean() for label in labels.unique()]
    return {"accuracy": right.mean().item(), "balanced_accuracy": torch.stack(recalls).mean().item()}


@dataclass(frozen=True)
class _Data:
    """Windows as tensors on the device: values and present (N, W, C), phase (N, W), content (N, W, Zc) or None."""

    values: Tensor
    present: Tensor
    phase: Tensor
    content: Tensor | None = None

    @classmethod
    def of(cls, windows: Windows, device: torch.device | str, content: ContentEncoder | None = None) -> _Data:
        """Convert windows once; a content encoder that does not change is applied once too."""
        values, present = (torch.from_numpy(array).to(device) for array in (windows.values, windows.present))
        phase = torch.from_numpy(windows.phase).long().to(device)
        if content is None:
            return cls(values, present, phase)
        with torch.no_grad():
            return cls(values, present, phase, torch.cat([content(part) for part in values.split(VALIDATION_BATCH)]))

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, index: Tensor) -> _Data:
        content = None if self.content is None else self.content[index]
        return _Data(self.values[index], self.present[index], self.phase[index], content)


def _mean_over(data: _Data, figures: Callable[[_Data], dict[str, Tensor]]) -> dict[str, float]:
    """Return figures averaged over all windows, without gradients."""
    parts = _dealt(torch.arange(len(data)), VALIDATION_BATCH)
    with torch.no_grad():
        found = [{name: len(part) * value for name, value in figures(data[part]).items()} for part in parts]
    return {name: (sum(each[name] for each in found) / len(data)).item() for name in found[0]}


def _dealt(index: Tensor, batch: int) -> tuple[Tensor, ...]:
    """Deal indices out to equal batches of about the given size, so that none is left with a single one."""
    return index.tensor_split(max(1, round(len(index) / batch)))


def _named(prefix: str, figures: Mapping[str, float]) -> dict[str, float]:
    return {prefix + name: value for name, value in figures.items()}


def _descend(loss: Tensor, optimiser: torch.optim.Optimizer, settings: TrainingSettings) -> None:
    optimiser.zero_grad()
    loss.backward()
    weights = [weight for group in optimiser.param_groups for weight in group["params"]]
    nn.utils.clip_grad_norm_(weights, settings.largest_gradient)
    optimiser.step()


def _fit(
    networks: nn.Module,
    optimisers: list[torch.optim.Optimizer],
    step: Callable[[Tensor], dict[str, Tensor]],
    validate: Callable[[], dict[str, float]],
    windows: int,
    settings: TrainingSettings,
    identity: Mapping[str, Any],
    checkpoint: Path | None,
    progress: Progress | None,
) -> Curve:
    """Run epochs until validation stops improving, and leave the networks with their best weights, in eval mode.

    Args:
        networks: Everything that is trained.
        optimisers: Of its weights.
        step: From the indices of a batch to figures, having taken one step.
        validate: To figures, "validation_loss" among them.
        windows: How many there are to train on.
        settings: How to train.
        identity: What the training is a function of, as JSON holds it.
        checkpoint: File to resume from, and to save to after every epoch.
        progress: Called after every epoch.
    """
    rows, best = [], plain_tensors(networks.state_dict())
    if checkpoint is not None and checkpoint.exists():
        rows, best = _resume(checkpoint, identity, networks, optimisers)
    while len(rows) < settings.epochs and len(rows) - _best(rows) <= settings.patience:
        found = [step(index) for index in _dealt(torch.randperm(windows), settings.batch)]
        means = {name: torch.stack([each[name].detach() for each in found]).mean().item() for name in found[0]}
        rows.append(means | validate())
        if not math.isfinite(rows[-1]["validation_loss"]):
            raise FloatingPointError(
                f"the validation loss is {rows[-1]['validation_loss']} after epoch {len(rows)}, expected a finite one;"
                f" use a learning rate below {settings.learning_rate:g}"
            )
        if _best(rows) == len(rows) - 1:
            best = plain_tensors(networks.state_dict())
        if checkpoint is not None:
            _save(checkpoint, identity, rows, best, networks, optimisers)
        if progress is not None:
            progress(len(rows) - 1, rows[-1])
    networks.load_state_dict(best)
    networks.eval()
    return Curve(rows=tuple(rows), best=_best(rows))


def _best(rows: list[dict[str, float]]) -> int:
    return int(np.argmin([row["validation_loss"] for row in rows])) if rows else 0


def _save(
    checkpoint: Path,
    identity: Mapping[str, Any],
    rows: list[dict[str, float]],
    best: Mapping[str, Tensor],
    networks: nn.Module,
    optimisers: list[torch.optim.Optimizer],
) -> None:
    tensors = {f"now.{name}": tensor for name, tensor in networks.state_dict().items()}
    tensors |= {f"best.{name}": tensor for name, tensor in best.items()}
    for i, optimiser in enumerate(optimisers):
        for weight, state in optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{i}.{weight}.{name}": tensor for name, tensor in state.items()}
    tensors["random"] = torch.get_rng_state()
    metadata = {"identity": json.dumps(identity, sort_keys=True), "rows": json.dumps(rows)}
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(checkpoint) as file:
        save_file(plain_tensors(tensors), file, metadata)


def _resume(
    checkpoint: Path, identity: Mapping[str, Any], networks: nn.Module, optimisers: list[torch.optim.Optimizer]
) -> tuple[list[dict[str, float]], dict[str, Tensor]]:
    try:
        with safe_open(checkpoint, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{checkpoint} is no readable checkpoint ({error}), expected one; delete it") from error
    if metadata.get("identity") != json.dumps(identity, sort_keys=True):
        was = json.loads(metadata.get("identity", "{}"))
        odd = [name for name, value in identity.items() if was.get(name) != json.loads(json.dumps(value))]
        raise ValueError(
            f"{checkpoint} is of a training with other {', '.join(odd)}, expected the same; delete it to start again"
        )
    parts: dict[str, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        part, _, rest = name.partition(".")
        parts.setdefault(part, {})[rest] = tensor
    networks.load_state_dict(parts["now"])
    for i, optimiser in enumerate(optimisers):
        state: dict[int, dict[str, Tensor]] = {}
        for name, tensor in parts["optimiser"].items():
            which, weight, key = name.split(".")
            if int(which) == i:
                state.setdefault(int(weight), {})[key] = tensor
        optimiser.load_state_dict({**optimiser.state_dict(), "state": state})
    torch.set_rng_state(tensors["random"])
    return json.loads(metadata["rows"]), parts["best"]


def _identity(
    settings: TrainingSettings,
    seed: int,
    network: NetworkSettings,
    train: Windows,
    validation: Windows,
    *given: nn.Module | None,
    **more: Any,
) -> dict[str, Any]:
    """Return what a training is a function of, as JSON; the number of epochs may be raised when resuming."""
    return {
        "settings": {name: value for name, value in asdict(settings).items() if name != "epochs"},
        "seed": seed,
        "network": asdict(network),
        "windows": [_digest(part.values, part.present, part.phase) for part in (train, validation)],
        "networks given": [_digest(*plain_tensors(part.state_dict()).values()) for part in given if part is not None],
        **more,
    }


def _digest(*arrays: np.ndarray | Tensor) -> int:
    digest = 0
    for array in arrays:
        digest = zlib.crc32(np.ascontiguousarray(array).tobytes(), digest)
    return digest


def _network_settings(network: NetworkSettings | None, train: Windows, validation: Windows) -> NetworkSettings:
    """Return the settings, or the default ones, if all channels agree."""
    network = network or NetworkSettings(channels=train.channels)
    for part in (train, validation):
        if part.channels != network.channels:
            raise ValueError(f"got windows of {part.channels}, expected the network's channels {network.channels}")
    return network
