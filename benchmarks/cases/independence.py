"""What the style of the paper's model knows of the movement: with the independence term and without, and as printed."""

import tempfile
from pathlib import Path

SIGNS = ("off", "sound", "literal")
TRAININGS = 3
WINDOW = 40  # samples: 2 s


def measure(reps: int) -> dict[str, float]:
    """On held-out simulation of the paper's kind, mean of the trainings.

    A linear probe of the phase in the middle of a window, from its style (balanced accuracy, .5 is by chance); mutual
    information of both latents by an estimator of its own [nat]; reconstruction error.
    """
    import numpy as np
    import torch

    from generators.store import Dataset
    from real2sim import evidence, training
    from real2sim.autoencoding import MineSettings, reconstruction_loss, train_style_and_decoder
    from real2sim.material import SHARES
    from real2sim.sequences import from_dataset, split
    from real2sim.simulation import make_dataset, recipe_of
    from real2sim.windows import cut, statistics_of

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch, "dataset")
        make_dataset(folder, recipe_of("paper", reps=reps, seed=0, rate_hz=20.0), jobs=1, progress=False)
        sequences = split(from_dataset(Dataset(folder), ("watch", "range")), SHARES, np.random.default_rng(0))
    statistics = statistics_of(sequences[0])
    train, validation = (cut(some, statistics) for some in sequences[:2])
    held_out = cut(sequences[2], statistics, stride=WINDOW)
    windows = training.Batches.of(held_out)
    figures: dict[str, list[float]] = {}
    for seed in range(TRAININGS):
        content, _ = training.train_content_encoder(train, validation, seed=seed)
        for sign in SIGNS:
            network, _ = train_style_and_decoder(content, train, validation, seed=seed, mine=MineSettings(sign=sign))
            with torch.no_grad():
                error = float(reconstruction_loss(network.reconstruct(windows.values), windows))
            found = evidence.leaks(network, held_out, seed) | {"reconstruction": error}
            for name, value in found.items():
                figures.setdefault(f"{sign}_{name}", []).append(value)
    return {name: sum(values) / len(values) for name, values in figures.items()}
