"""How networks are trained: one plain loop, and those that read phases."""

import copy
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from real2sim.checkpoints import Checkpoint, Part
from real2sim.compute import reproducible
from real2sim.networks import ContentEncoder, Recogniser, Sizes
from real2sim.windows import Windows

Curve = list[dict[str, float]]
"""One entry an epoch: validation loss, and what else the training watches."""


class TrainingError(RuntimeError):
    """A training cannot go on; the message says where, what was got and what to do."""


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """How a network is trained.

    Attributes:
        epochs: At most.
        patience: Epochs without a better validation loss that end the training; the best weights are kept.
        batch: Windows a step.
        learning_rate: Of Adam.
        clip: Largest norm of the gradient.
        decay: Share of the epochs, at the end, in which the learning rate falls to 0 in a straight line.
    """

    epochs: int = 14
    patience: int = 6
    batch: int = 128
    learning_rate: float = 3e-3
    clip: float = 1.0
    decay: float = 0.5

    def rate(self, done: float) -> float:
        """The learning rate when this share of the epochs is done."""
        return self.learning_rate * min(1.0, (1.0 - done) / self.decay) if self.decay else self.learning_rate

    def steps(self, windows: int) -> int:
        """Of all epochs with this many windows."""
        return self.epochs * -(-windows // self.batch)

    def scaled(self, effort: float) -> "TrainingSettings":
        """The same with this share of the epochs, at least 2."""
        return replace(self, epochs=max(2, round(self.epochs * effort)))


FINE_TUNING = TrainingSettings(epochs=60, patience=12, batch=32, learning_rate=5e-4, decay=0.0)
SMALL_DATA = TrainingSettings(epochs=60, patience=12, batch=32, learning_rate=1e-3, decay=0.0)
ALL_LABELS = TrainingSettings(epochs=30, patience=6, batch=64, learning_rate=2e-3, decay=0.0)


@dataclass(frozen=True)
class Batches:
    """Windows as tensors: values (N, W, C), present (N, W, C), phase (N, W), sequence (N,), truth (N, W) by name."""

    values: Tensor
    present: Tensor
    phase: Tensor
    sequence: Tensor
    truth: dict[str, Tensor]

    @classmethod
    def of(cls, windows: Windows) -> "Batches":
        """Windows as tensors, on the device where tensors are made (`compute.placed_on`)."""
        return cls(
            torch.as_tensor(windows.values, dtype=torch.float32),
            torch.as_tensor(windows.present, dtype=torch.float32),
            torch.as_tensor(windows.phase, dtype=torch.long),
            torch.as_tensor(windows.sequence, dtype=torch.long),
            {name: torch.as_tensor(known) for name, known in windows.truth.items()},
        )

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, index: Tensor | slice) -> "Batches":
        truth = {name: known[index] for name, known in self.truth.items()}
        return Batches(self.values[index], self.present[index], self.phase[index], self.sequence[index], truth)

    def some(self, number: int) -> "Batches":
        """This many of them, drawn one by one by PyTorch's generator; of none, none."""
        return self[torch.randint(len(self), (number,))] if len(self) else self


Loss = Callable[[Batches], Tensor]


def fit(
    network: nn.Module,
    loss: Loss,
    train: Batches,
    validation: Batches | None,
    settings: TrainingSettings,
    *,
    validation_loss: Loss | None = None,
    watch: Callable[[], dict[str, float]] = dict,
    companions: Mapping[str, Part] | None = None,
    checkpoint: Path | None = None,
) -> Curve:
    """Trains the parameters of `network` that want a gradient, and leaves the chosen weights in it.

    Args:
        network: Changed in place, in evaluation mode afterwards.
        loss: Of a batch, to minimise.
        train: The windows.
        validation: Held-out windows; without any, all epochs are done and the last weights kept.
        settings: How.
        validation_loss: Of the validation windows if it is not `loss`.
        watch: Further figures for the curve, read after each epoch.
        companions: Networks and optimisers that `loss` trains beside, to be kept with the training's state.
        checkpoint: File for the state after each epoch; a training that finds it goes on from there.

    Raises:
        TrainingError: The loss is not a number.
    """
    optimiser = torch.optim.Adam([p for p in network.parameters() if p.requires_grad], lr=settings.learning_rate)
    state = checkpoint and Checkpoint(
        path=checkpoint,
        parts={"network": network, "optimiser": optimiser, **(companions or {})},
        identity={"settings": asdict(settings), "windows": len(train), "network": type(network).__name__},
    )
    best, best_loss, since, curve = copy.deepcopy(network.state_dict()), float("inf"), 0, []
    if state and (found := state.load()):
        best, best_loss, since, curve = found[0], found[1]["best_loss"], found[1]["since"], found[1]["curve"]
    while len(curve) < settings.epochs and since < settings.patience:
        network.train()
        batches = torch.randperm(len(train)).split(settings.batch)
        for number, index in enumerate(batches):
            _set_rate(optimiser, settings.rate((len(curve) + number / len(batches)) / settings.epochs))
            optimiser.zero_grad()
            value = loss(train[index])
            if not torch.isfinite(value):
                raise TrainingError(_not_a_number(network, float(value.detach()), len(curve) + 1, settings))
            value.backward()
            nn.utils.clip_grad_norm_(network.parameters(), settings.clip)
            optimiser.step()
        network.eval()
        held_out = None if validation is None else _mean_loss(validation_loss or loss, validation)
        curve.append(({} if held_out is None else {"validation_loss": held_out}) | watch())
        since += held_out is not None
        if held_out is None or held_out < best_loss:
            best, since = copy.deepcopy(network.state_dict()), 0
            best_loss = best_loss if held_out is None else held_out
        if state:
            state.save(best, {"best_loss": best_loss, "since": since, "curve": curve})
    network.load_state_dict(best)
    network.eval()
    return curve


def _set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    for group in optimiser.param_groups:
        group["lr"] = rate


def _not_a_number(network: nn.Module, value: float, epoch: int, settings: TrainingSettings) -> str:
    return (
        f"the loss of {type(network).__name__} is {value} in epoch {epoch}, expected a finite number; look for absurd "
        f"values in the recordings, or lower the learning rate {settings.learning_rate:g}"
    )


@torch.no_grad()
def _mean_loss(loss: Loss, windows: Batches) -> float:
    parts = torch.arange(len(windows)).split(1024)
    return float(sum(loss(windows[part]) * len(part) for part in parts) / len(windows))


def phase_loss(logits: Tensor, phase: Tensor) -> Tensor:
    """Cross-entropy of (B, W, phases) logits; samples of phase -1 do not count."""
    flat = functional.cross_entropy(logits.flatten(0, 1), phase.flatten(), ignore_index=-1, reduction="sum")
    return flat / (phase >= 0).sum().clamp(min=1)


def train_recogniser(
    train: Windows,
    validation: Windows | None,
    *,
    seed: int,
    settings: TrainingSettings | None = None,
    start: Recogniser | None = None,
    checkpoint: Path | None = None,
) -> tuple[Recogniser, Curve]:
    """Trains a recogniser on labelled windows; `start` is fine-tuned instead of a new one (and is left as it is)."""
    with reproducible(seed):
        network = copy.deepcopy(start) if start else Recogniser(Sizes(channels=len(train.channels)))
        curve = _fit_phases(network, network, train, validation, settings, checkpoint)
    return network, curve


def train_content_encoder(
    train: Windows,
    validation: Windows | None,
    *,
    seed: int,
    settings: TrainingSettings | None = None,
    start: ContentEncoder | None = None,
    checkpoint: Path | None = None,
) -> tuple[ContentEncoder, Curve]:
    """Trains the content encoder on phases; with `start`, fine-tunes a copy of it."""
    with reproducible(seed):
        network = copy.deepcopy(start) if start else ContentEncoder(Sizes(channels=len(train.channels)))
        curve = _fit_phases(network, network.phases, train, validation, settings, checkpoint)
    return network, curve


def _fit_phases(
    network: nn.Module,
    read: Callable[[Tensor], Tensor],
    train: Windows,
    validation: Windows | None,
    settings: TrainingSettings | None,
    checkpoint: Path | None,
) -> Curve:
    return fit(
        network,
        lambda batch: phase_loss(read(batch.values), batch.phase),
        Batches.of(train),
        None if validation is None else Batches.of(validation),
        settings or TrainingSettings(),
        checkpoint=checkpoint,
    )


Network = TypeVar("Network", bound=nn.Module)
Train = Callable[[Windows, Windows | None, TrainingSettings], tuple[Network, Curve]]


def train_on_few(
    train: Train[Network], windows: Windows, parts: list[tuple[Windows, Windows]], settings: TrainingSettings
) -> tuple[Network, Curve]:
    """Trains on every label there is, for as many epochs as served best where a part was held out.

    Args:
        train: Trains a new network on windows, stopped early by others if there are any.
        windows: Those with labels.
        parts: Ways to hold out a part of them, see `labels.held_out_parts`; without any, a third of the epochs is done.
        settings: Of every training.

    Returns:
        The network, and its curve: `held_out_loss` is the mean over the parts that were still trained in that epoch.
    """
    curves = [[epoch["validation_loss"] for epoch in train(*part, settings)[1]] for part in parts]
    best = [int(np.argmin(curve)) + 1 for curve in curves]
    epochs = round(float(np.median(best))) if best else max(1, settings.epochs // 3)
    network, curve = train(windows, None, replace(settings, epochs=epochs))
    for number, epoch in enumerate(curve):
        running = [losses[number] for losses in curves if number < len(losses)]
        epoch |= {"held_out_loss": float(np.mean(running))} if running else {}
    return network, curve


@torch.no_grad()
def in_parts(function: Callable[[Tensor], Tensor], values: Tensor, *, windows: int = 1024) -> Tensor:
    """Applies a network to windows (N, W, C), some at a time and without a gradient; (N, ...)."""
    return torch.cat([function(some) for some in values.split(windows)])


def apply(function: Callable[[Tensor], Tensor], values: np.ndarray) -> np.ndarray:
    """The same from array to array."""
    return in_parts(function, torch.as_tensor(values)).cpu().numpy()


def recognise(network: Recogniser, windows: Windows) -> np.ndarray:
    """Probability (N, W) that each sample is upright."""
    return apply(lambda x: network(x).softmax(-1)[..., 1], windows.values)
