"""A 1-D CycleGAN that translates recordings into the simulated domain, without labels.

References:
    Zhu et al. 2017, "Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks", ICCV
    (losses and their weights; least squares, identity; networks are 1-D here and small).
"""

import torch
from torch import Tensor, nn

from real2sim.compute import reproducible
from real2sim.material import Material
from real2sim.method import Model, Row, Trained
from real2sim.methods.recognisers import RANDOMISED
from real2sim.networks import Sizes, register
from real2sim.training import Batches, TrainingSettings, fit

CYCLE_WEIGHT = 10.0
IDENTITY_WEIGHT = 5.0
SETTINGS = TrainingSettings(epochs=16, batch=64, learning_rate=5e-4)
RIVAL_RATE = 2e-4
DILATIONS = (1, 2, 4, 8)  # the windows' 2 s are seen from every sample


class Residual(nn.Module):
    """Two convolutions over time beside the identity."""

    def __init__(self, hidden: int, dilation: int):
        super().__init__()
        self.first = nn.Conv1d(hidden, hidden, 3, padding=dilation, dilation=dilation, padding_mode="replicate")
        self.second = nn.Conv1d(hidden, hidden, 3, padding=1, padding_mode="replicate")

    def forward(self, x: Tensor) -> Tensor:
        """(B, H, W) to the same."""
        return x + self.second(torch.relu(self.first(torch.relu(x))))


def translator(channels: int, hidden: int) -> nn.Sequential:
    """A network from windows (B, C, W) of one domain to those of the other."""
    return nn.Sequential(
        nn.Conv1d(channels, hidden, 7, padding=3, padding_mode="replicate"),
        *(Residual(hidden, dilation) for dilation in DILATIONS),
        nn.ReLU(),
        nn.Conv1d(hidden, channels, 7, padding=3, padding_mode="replicate"),
    )


def critic(channels: int, hidden: int) -> nn.Sequential:
    """A network that scores overlapping pieces of a window: (B, C, W) to (B, 1, about W / 4)."""
    return nn.Sequential(
        nn.Conv1d(channels, hidden, 4, stride=2, padding=1),
        nn.LeakyReLU(0.2),
        nn.Conv1d(hidden, 2 * hidden, 4, stride=2, padding=1),
        nn.LeakyReLU(0.2),
        nn.Conv1d(2 * hidden, 1, 3, padding=1),
    )


@register
class CycleTranslator(nn.Module):
    """Translators both ways."""

    to_simulated: nn.Sequential
    to_real: nn.Sequential

    def __init__(self, sizes: Sizes):
        super().__init__()
        self.sizes = sizes
        self.to_simulated = translator(sizes.channels, sizes.hidden)
        self.to_real = translator(sizes.channels, sizes.hidden)

    def convert(self, x: Tensor) -> Tensor:
        """Recorded windows (B, W, C) into the simulated domain."""
        return self.to_simulated(x.transpose(1, 2)).transpose(1, 2)


class _Game:
    """The critics of both domains, and what the translators lose to them."""

    def __init__(self, network: CycleTranslator):
        self.network = network
        channels, hidden = network.sizes.channels, network.sizes.hidden // 2
        self.critics = nn.ModuleDict({name: critic(channels, hidden) for name in ("simulated", "real")})
        self.optimiser = torch.optim.Adam(self.critics.parameters(), lr=RIVAL_RATE, betas=(0.5, 0.999))

    def __call__(self, simulated: Tensor, real: Tensor) -> Tensor:
        """Trains the critics on these windows (B, C, W), then gives the loss of the translators."""
        network = self.network
        made, back = network.to_simulated(real), network.to_real(simulated)
        self._train_critics({"simulated": (simulated, made.detach()), "real": (real, back.detach())})
        self.critics.requires_grad_(False)
        fooled = _squared(self.critics["simulated"](made), 1.0) + _squared(self.critics["real"](back), 1.0)
        self.critics.requires_grad_(True)
        cycle = _apart(network.to_real(made), real) + _apart(network.to_simulated(back), simulated)
        same = _apart(network.to_simulated(simulated), simulated) + _apart(network.to_real(real), real)
        return fooled + CYCLE_WEIGHT * cycle + IDENTITY_WEIGHT * same

    def _train_critics(self, pairs: dict[str, tuple[Tensor, Tensor]]) -> None:
        self.optimiser.zero_grad()
        losses = [
            _squared(self.critics[name](true), 1.0) + _squared(self.critics[name](false), 0.0)
            for name, (true, false) in pairs.items()
        ]
        (0.5 * torch.stack(losses).sum()).backward()
        self.optimiser.step()


def _squared(scores: Tensor, wanted: float) -> Tensor:
    return ((scores - wanted) ** 2).mean()


def _apart(one: Tensor, other: Tensor) -> Tensor:
    return (one - other).abs().mean()


def cyclegan(material: Material) -> Trained:
    """Trains translators between simulated and recorded windows; nothing says when to stop, so the last are kept."""
    simulated = material.simulated()
    recordings = Batches.of(material.recordings(simulated.statistics)).values.transpose(1, 2)
    with reproducible(material.seed):
        network = CycleTranslator(Sizes(channels=len(simulated.statistics.channels), hidden=32))
        game = _Game(network)

        def loss(batch: Batches) -> Tensor:
            return game(batch.values.transpose(1, 2), recordings[torch.randint(len(recordings), (len(batch),))])

        curve = fit(
            network,
            loss,
            Batches.of(simulated.train),
            None,
            material.settings(SETTINGS),
            companions={"critics": game.critics, "critics_optimiser": game.optimiser},
            checkpoint=material.checkpoint,
        )
    return Trained(network=network, statistics=simulated.statistics, notes={"curve": curve, **simulated.notes})


ROWS = (
    Row(
        name="cyclegan",
        recogniser=RANDOMISED,
        converter=Model(name="cyclegan", train=cyclegan, uses="recordings", simulation="randomised"),
        meaning="the recordings are translated by a 1-D CycleGAN, without labels",
    ),
)
