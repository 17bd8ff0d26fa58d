"""How probable a chain is under a prior, by the probability flow."""

import math
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor

from equicryo.inference.diffusion import ScheduleConfig
from equicryo.models.prior import Prior


def log_density(
    prior: Prior, chain: Float[Tensor, "residue 3"], schedule: ScheduleConfig
) -> float:
    """Return the log-density of a chain that carries the least noise of a schedule.

    The chain is followed along the probability flow up to the largest noise, where the
    density is a Gaussian's; on the way the log-density changes by the divergence of the
    flow, summed exactly over all coordinates. Heun's method, as in `draw_prior`.

    Args:
        prior: a denoiser of that chain.
        chain: in any place, claimed Å; the density is over the 3N − 3 coordinates that
            a translation leaves alone.
        schedule: noise levels to follow; the largest far above the chain's size.

    Source: Song et al. 2021, arXiv:2011.13456, equation 39; Karras et al. 2022,
        arXiv:2206.00364, algorithm 1.
    """
    levels = schedule.noise_levels()[::-1]
    x = chain - chain.mean(0)
    change = 0.0
    for now, following in pairwise(levels):
        step = following - now
        slope, spread = _flow(prior, x, now)
        ahead_slope, ahead_spread = _flow(prior, x + step * slope, following)
        x = x + 0.5 * step * (slope + ahead_slope)
        change += 0.5 * step * (spread + ahead_spread)
    dimensions = 3 * (len(chain) - 1)
    variance = levels[-1] ** 2
    gaussian = -0.5 * dimensions * math.log(2.0 * math.pi * variance)
    return gaussian - 0.5 * float(x.square().sum()) / variance + change


def _flow(
    prior: Prior, x: Float[Tensor, "residue 3"], noise_level: float
) -> tuple[Float[Tensor, "residue 3"], float]:
    """Return dx/dσ = (x − D(x, σ))/σ of centred chains, and its divergence."""
    size = x.numel()
    copies = x.expand(size, -1, -1).clone().requires_grad_()
    denoised = prior.denoise(copies, copies.new_full((size,), noise_level))
    # Each copy yields one row of the Jacobian: all rows in one backward pass.
    each = torch.eye(size).to(x).view(size, *x.shape)
    (rows,) = torch.autograd.grad(denoised, copies, each)
    trace = float(rows.reshape(size, size).trace())
    # The centroid, which the denoiser keeps, is no part of the density.
    divergence = (size - 3 - (trace - 3.0)) / noise_level
    return (x - denoised[0].detach()) / noise_level, divergence
