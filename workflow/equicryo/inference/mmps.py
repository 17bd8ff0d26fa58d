"""Moment matching posterior sampling (MMPS): the denoised estimate has a covariance."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor

from equicryo.inference.curvature import Curvature, measure_curvature
from equicryo.inference.likelihood import Likelihood
from equicryo.inference.sampling import (
    Guidance,
    SamplerConfig,
    Step,
    Target,
    begin,
    record,
)
from equicryo.models.prior import DiffusionPrior

logger = logging.getLogger(__name__)

BREAKDOWN = 1e-6
"""A Krylov vector this short, relatively, is rounding of float32 products."""


@dataclass(frozen=True, kw_only=True)
class MmpsConfig(SamplerConfig):
    """The block `samplers.mmps` of the config.

    Attributes:
        iterations: products with the denoised covariance in each linear solve.
    """

    iterations: int


def sample_mmps(
    prior: DiffusionPrior,
    likelihood: Likelihood,
    proposals: Float[Tensor, "sample residue 3"],
    guidance: Guidance,
    config: MmpsConfig,
    *,
    generator: torch.Generator,
) -> tuple[Float[Tensor, "sample residue 3"], list[Step]]:
    """Draw posterior samples, one from each proposal.

    The prior's p(x₀ | x_σ) is taken for a Gaussian with its own mean x̂ and covariance
    V = σ² ∂x̂/∂x_σ, by Tweedie's formulas. With images linear in x about x̂, of gradient
    g and Fisher information F, the mean of p(x₀ | x_σ, images) is x̂ + V w, where
    (1 + F V) w = g. The equation is solved by a few rounds of GMRES (the Jacobian of a
    network is not quite symmetric), preconditioned by the same equation with the
    covariance of the whitening. The probability flow of that mean is followed by Heun's
    method. A Gaussian prior is sampled exactly, but for its steps.

    The likelihood starts at low resolution, as in DPS, and moves are cut to its reach.

    Args:
        prior: gives x̂, in claimed Å.
        likelihood: of the images, in Å.
        proposals: placed in the frame of the poses, Å.
        guidance: α and λ.
        config: noise levels, resolutions and rounds.
        generator: source of the randomness.

    Returns:
        The samples in Å, and a record of each step.

    Source: Rozet et al. 2024, arXiv:2405.13712, in the form of the normal equations;
        Karras et al. 2022, arXiv:2206.00364, algorithm 1, for the steps.
    """
    levels = config.schedule.noise_levels()
    guide = _Guide(
        prior=prior,
        target=Target(
            likelihood=likelihood,
            guidance=guidance,
            blur_per_noise=config.blur_per_noise,
        ),
        iterations=config.iterations,
    )
    x = begin(proposals, guidance, levels[0], generator)
    steps: list[Step] = []
    curvature, passes = None, 0
    for now, following in pairwise([*levels, 0.0]):
        curvature = guide.curvature(curvature, x, now)
        mean, step = guide.posterior_mean(x, now, curvature, passes)
        slope = (x - mean) / now
        ahead = x + (following - now) * slope
        passes = step.nfe
        if following > 0.0:
            curvature = guide.curvature(curvature, ahead, following)
            mean, after = guide.posterior_mean(ahead, following, curvature, passes)
            slope = 0.5 * (slope + (ahead - mean) / following)
            ahead = x + (following - now) * slope
            passes = after.nfe
        x = ahead
        steps.append(step)
        logger.info("%s", step.row())
    return guidance.scale * x, steps


@dataclass(frozen=True, kw_only=True, eq=False)
class _Guide:
    """The mean of p(x₀ | x_σ, images) by moment matching."""

    prior: DiffusionPrior
    target: Target
    iterations: int

    def curvature(
        self, known: Curvature | None, noisy: Tensor, level: float
    ) -> Curvature:
        """Measure the curvature where the resolution is a new one."""
        blur = self.target.blur_at(level)
        if known is not None and known.blur == blur:
            return known
        with torch.no_grad():
            chain = self.prior.denoise(noisy[:1], noisy.new_full((1,), level))[0]
        return measure_curvature(self.prior, self.target, chain, blur)

    def posterior_mean(
        self, noisy: Tensor, level: float, curvature: Curvature, passes: int
    ) -> tuple[Tensor, Step]:
        """Return the mean and a record that counts on from `passes`."""
        x = noisy.detach().requires_grad_()
        denoised = self.prior.denoise(x, x.new_full((len(x),), level))
        place = denoised.detach().requires_grad_()
        value = self.target.log_likelihood(place, curvature.blur)
        (gradient,) = torch.autograd.grad(value.sum(), place)

        def spread(components: Tensor) -> Tensor:
            move = curvature.expand(components, noisy)
            (product,) = torch.autograd.grad(denoised, x, move, retain_graph=True)
            return level**2 * product

        move = _solve(
            curvature, spread, curvature.project(gradient), level, self.iterations
        )
        mean = place.detach() + self.target.limit(move.to(noisy), curvature.blur)
        guidance = self.target.guidance
        step = record(
            passes + 1 + self.iterations,
            level,
            curvature.blur,
            value / guidance.alpha,
            guidance.scale * denoised,
        )
        return mean, step


def _solve(
    curvature: Curvature,
    spread: Callable[[Tensor], Tensor],
    gradient: Float[Tensor, "sample mode"],
    level: float,
    iterations: int,
) -> Float[Tensor, "sample residue 3"]:
    """Return V w with (1 + F V) w = g, by GMRES preconditioned from the right.

    Args:
        curvature: F, and the directions in which w lies.
        spread: components along the directions → V w, claimed Å.
        gradient: g along the directions.
        level: σ, claimed Å.
        iterations: products with V.

    Source: Saad & Schultz 1986, doi:10.1137/0907058.
    """
    condition = curvature.discount(level)
    length = gradient.norm(dim=-1).clamp(min=torch.finfo(gradient.dtype).tiny)
    basis = [gradient / length[:, None]]
    moves = []
    hessenberg = gradient.new_zeros(len(gradient), iterations + 1, iterations)
    for column in range(iterations):
        trial = basis[-1] @ condition.T
        moves.append(spread(trial))
        image = trial + curvature.project(moves[-1]) @ curvature.information
        size = image.norm(dim=-1)
        for row, known in enumerate(basis):
            overlap = (image * known).sum(-1)
            hessenberg[:, row, column] = overlap
            image = image - overlap[:, None] * known
        rest = image.norm(dim=-1)
        rest = torch.where(rest > BREAKDOWN * size, rest, 0.0)
        hessenberg[:, column + 1, column] = rest
        basis.append(torch.where(rest > 0.0, 1.0 / rest, 0.0)[:, None] * image)
    wanted = torch.zeros_like(hessenberg[:, :, :1])
    wanted[:, 0, 0] = length
    weights = torch.linalg.lstsq(hessenberg, wanted, driver="gelsd").solution[..., 0]
    stacked = torch.stack(moves, dim=1).to(weights)
    return torch.einsum("bk,bkia->bia", weights, stacked)
