"""Mutual information against what is known."""


def measure(samples: int) -> dict[str, float]:
    """Estimated against known mutual information of correlated Gaussians [nat]."""
    import torch

    from real2sim.mutual_information import correlated_gaussians, estimate_mutual_information

    figures, worst = {}, 0.0
    for dimension in (2, 5, 10, 20):
        for rho in (0.0, 0.5, 0.9):
            generator = torch.Generator().manual_seed(dimension * 100 + int(rho * 10))
            x, y, known = correlated_gaussians(samples, dimension, rho, generator)
            steps = max(1500, 600 * dimension)  # large information takes long to learn
            estimate = estimate_mutual_information(x, y, generator=generator, steps=steps)
            name = f"d{dimension}_rho{rho:g}"
            figures |= {f"{name}_known": known, f"{name}_estimate": estimate}
            worst = max(worst, abs(estimate - known) - max(0.1, 0.1 * known))
    return figures | {"beyond_tolerance": max(worst, 0.0)}
