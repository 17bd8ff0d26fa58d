"""Densities without a learnt prior: Wiener filters, regularised back-projection."""

import torch
from jaxtyping import Float
from torch import Tensor

from equicryo.evaluation.volume_scores import MapEstimate
from equicryo.inference.volume_sampling import VolumeLikelihood
from equicryo.physics.spectra import grid_to_shells, shell_power, shells_to_grid
from equicryo.physics.wiener import wiener_map

ROUNDS = 10
"""Of expectation maximisation; what the spectrum starts from is right already where
the images are telling."""

FLOOR = 1e-8
"""Least variance of a frequency, in parts of the largest."""


def wiener_estimate(
    method: str,
    likelihood: VolumeLikelihood,
    power: Float[Tensor, " shell"],
    samples: int,
    *,
    generator: torch.Generator,
) -> MapEstimate:
    """Filter the images' map for a signal of a power spectrum, with its error bars.

    Args:
        method: its name.
        likelihood: of the images.
        power: of the signal, by shell; that of the truth makes it the oracle.
        samples: draws behind the spread.
        generator: source of the randomness.
    """
    edge = likelihood.operator.support_size
    variance = shells_to_grid(power.clamp(min=FLOOR * float(power.max())), edge)
    posterior = likelihood.given(variance.to(likelihood.diagonal))
    mean = posterior.mean(torch.zeros_like(likelihood.operator.b))
    white = torch.randn(samples, *mean.shape, generator=generator).to(mean)
    spread = posterior.colour(white).square().mean(0).sqrt()
    return MapEstimate(method=method, mean=mean, spread=spread, freedom=samples)


def estimate_power(
    likelihood: VolumeLikelihood, *, generator: torch.Generator
) -> Float[Tensor, " shell"]:
    """Estimate the signal's power by shell from the images alone.

    The back-projection's power is that of K times the signal plus that of its noise,
    whose covariance is K: its excess starts stochastic expectation maximisation, each
    round of which takes the power of one posterior draw.

    Args:
        likelihood: of the images.
        generator: source of the randomness.

    Source: Celeux & Diebolt 1985 for the stochastic form; Scheres 2012,
        doi:10.1016/j.jsb.2012.09.006, estimates the same spectrum within RELION.
    """
    b, diagonal = likelihood.operator.b, likelihood.diagonal
    strength = grid_to_shells(diagonal)
    excess = (shell_power(b) - strength) / strength.clamp(min=1e-12).square()
    # Beyond Nyquist images say nothing, and next to nothing divides next to nothing.
    excess[b.shape[-1] // 2 :] = 0.0
    power = excess.clamp(min=FLOOR * float(excess.max()))
    total = torch.zeros_like(power)
    for count in range(ROUNDS):
        posterior = likelihood.given(shells_to_grid(power, b.shape[-1]))
        white = torch.randn(b.shape, generator=generator).to(b)
        drawn = posterior.draw(torch.zeros_like(b), white)
        power = shell_power(drawn)
        power = power.clamp(min=FLOOR * float(power.max()))
        if count >= ROUNDS // 2:
            total += power
    return total / (ROUNDS - ROUNDS // 2)


def backprojection_estimate(
    likelihood: VolumeLikelihood, power: Float[Tensor, " shell"]
) -> MapEstimate:
    """Back-project, regularised by one variance for all frequencies.

    Args:
        likelihood: of the images.
        power: of the signal, by shell; its mean over the grid is the variance.
    """
    edge = likelihood.operator.support_size
    variance = float(shells_to_grid(power, edge).mean())
    volume = wiener_map(likelihood.operator, variance, tolerance=1e-3)
    return MapEstimate(method="backprojection", mean=volume, spread=None, freedom=0)
