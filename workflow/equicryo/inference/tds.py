"""Twisted diffusion sampler (TDS): sequential Monte Carlo, exact in the limit."""

import logging
from dataclasses import dataclass, replace
from itertools import pairwise

import torch
from jaxtyping import Float, Int
from torch import Tensor

from equicryo.inference.curvature import Curvature, measure_curvature
from equicryo.inference.diffusion import ancestral_moments
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

RESAMPLE_BELOW = 0.5
"""Of the number of particles: effective samples below which they are drawn anew."""


@dataclass(frozen=True, kw_only=True)
class TdsConfig(SamplerConfig):
    """The block `samplers.tds` of the config; every sample is a particle."""


def sample_tds(
    prior: DiffusionPrior,
    likelihood: Likelihood,
    proposals: Float[Tensor, "sample residue 3"],
    guidance: Guidance,
    config: TdsConfig,
    *,
    generator: torch.Generator,
) -> tuple[Float[Tensor, "sample residue 3"], list[Step]]:
    """Draw posterior samples with one population of particles.

    Each particle carries a guess of p(images | x_σ), the likelihood of the denoised
    estimate x̂ widened by what x̂ leaves open, a Gaussian of the whitening's covariance.
    Particles take the prior's ancestral steps, moved along the gradient of that guess;
    weights correct for the move and for what the guess got wrong, and particles are
    drawn anew when few of them count. With many particles and steps the population
    tends to the posterior, however poor the guess; with few it collapses on some
    ancestors, so it is a reference for small problems.

    Args:
        prior: in claimed Å.
        likelihood: of the images, in Å.
        proposals: one a particle, placed in the frame of the poses, Å.
        guidance: α and λ.
        config: noise levels and resolutions.
        generator: source of the randomness.

    Returns:
        The particles in Å, equally weighted, and a record of each step.

    Source: Wu et al. 2023, arXiv:2306.17775, algorithm 1; the widened guess is that of
        Song et al. 2023 (ΠGDM), with an anisotropic covariance.
    """
    levels = config.schedule.noise_levels()
    target = Target(
        likelihood=likelihood, guidance=guidance, blur_per_noise=config.blur_per_noise
    )
    x = begin(proposals, guidance, levels[0], generator)
    here = _twist(prior, target, x, levels[0], None)
    weight = here.log_likelihood.double()
    steps = [here.step(2, guidance)]
    for now, following in pairwise(levels):
        chosen = _resample(weight, RESAMPLE_BELOW, generator)
        if chosen is not None:
            x, here, weight = x[chosen], here.choose(chosen), torch.zeros_like(weight)
        move = (now**2 - following**2) * here.gradient
        move = target.limit(move, here.curvature.blur)
        mean, spread = ancestral_moments(x, here.denoised, (now, following))
        noise = spread * torch.randn(x.shape, generator=generator).to(x)
        x, before = mean + move + noise, here
        here = _twist(prior, target, x, following, before.curvature)
        weight += here.log_likelihood - before.log_likelihood
        weight += _log_ratio(move, noise, spread)
        steps.append(here.step(2 * len(steps) + 2, guidance))
        logger.info("%s", steps[-1].row())
    weight += target.log_likelihood(here.denoised, 0.0) - here.log_likelihood
    chosen = _resample(weight, 1.0, generator)
    samples = here.denoised if chosen is None else here.denoised[chosen]
    return guidance.scale * samples, steps


@dataclass(frozen=True, kw_only=True, eq=False)
class _Twist:
    """The guess of log p(images | x_σ), nats, and its gradient, per claimed Å."""

    denoised: Float[Tensor, "sample residue 3"]
    log_likelihood: Float[Tensor, " sample"]
    gradient: Float[Tensor, "sample residue 3"]
    noise_level: float
    curvature: Curvature

    def choose(self, chosen: Int[Tensor, " sample"]) -> "_Twist":
        return replace(
            self,
            denoised=self.denoised[chosen],
            log_likelihood=self.log_likelihood[chosen],
            gradient=self.gradient[chosen],
        )

    def step(self, nfe: int, guidance: Guidance) -> Step:
        return record(
            nfe,
            self.noise_level,
            self.curvature.blur,
            self.log_likelihood / guidance.alpha,
            guidance.scale * self.denoised,
        )


def _twist(
    prior: DiffusionPrior,
    target: Target,
    noisy: Float[Tensor, "sample residue 3"],
    level: float,
    known: Curvature | None,
) -> _Twist:
    """Guess by a Gaussian integral over x₀ about x̂; curvature is kept at each blur.

    With g the gradient at x̂ and M = (1/V + F)⁻¹ the guess is L(x̂) + ½ gᵀ M g, but for a
    determinant that all particles share.
    """
    blur = target.blur_at(level)
    x = noisy.detach().requires_grad_()
    denoised = prior.denoise(x, x.new_full((len(x),), level))
    place = denoised.detach().requires_grad_()
    value = target.log_likelihood(place, blur)
    (slope,) = torch.autograd.grad(value.sum(), place)
    curvature = known
    if known is None or known.blur != blur:
        curvature = measure_curvature(prior, target, place[0].detach(), blur)
    along = curvature.project(slope)
    gain = 0.5 * ((along @ curvature.covariance(level)) * along).sum(-1)
    less = curvature.expand(along @ curvature.discount(level).T - along, slope)
    (gradient,) = torch.autograd.grad(denoised, x, slope + less)
    return _Twist(
        denoised=place.detach(),
        log_likelihood=value.detach() + gain.to(value),
        gradient=gradient,
        noise_level=level,
        curvature=curvature,
    )


def _log_ratio(
    move: Float[Tensor, "sample residue 3"],
    noise: Float[Tensor, "sample residue 3"],
    spread: float,
) -> Float[Tensor, " sample"]:
    """Return log p/q of a step: without the move, and with it, nats."""
    away = (move + noise).double().square() - noise.double().square()
    return -0.5 * away.flatten(1).sum(-1) / spread**2


def _resample(
    log_weight: Float[Tensor, " sample"], share: float, generator: torch.Generator
) -> Int[Tensor, " sample"] | None:
    """Draw particles by weight, systematically; None while enough of them count.

    Source: Kitagawa 1996, doi:10.1080/10618600.1996.10474692.
    """
    weight = log_weight.softmax(0)
    count = len(weight)
    if 1.0 / float(weight.square().sum()) >= share * count:
        return None
    comb = (torch.arange(count) + torch.rand(1, generator=generator)) / count
    return torch.searchsorted(weight.cumsum(0), comb.to(weight)).clamp(max=count - 1)
