"""Plug-and-play diffusion models (PnP-DM): split Gibbs sampling of the posterior."""

import logging
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from equicryo.inference.curvature import Curvature, measure_curvature
from equicryo.inference.diffusion import draw_clean
from equicryo.inference.likelihood import Likelihood
from equicryo.inference.sampling import (
    Guidance,
    SamplerConfig,
    Step,
    Target,
    record,
)
from equicryo.models.prior import DiffusionPrior

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class PnpDmConfig(SamplerConfig):
    """The block `samplers.pnp_dm` of the config; its schedule is that of ρ.

    Attributes:
        prior_steps: noise levels of the reverse diffusion in each round.
    """

    prior_steps: int


def sample_pnp_dm(
    prior: DiffusionPrior,
    likelihood: Likelihood,
    proposals: Float[Tensor, "sample residue 3"],
    guidance: Guidance,
    config: PnpDmConfig,
    *,
    generator: torch.Generator,
) -> tuple[Float[Tensor, "sample residue 3"], list[Step]]:
    """Draw posterior samples, one from each proposal.

    A second chain z is tied to x by a Gaussian of width ρ. Each round draws z given x
    and the images, p(images | λ z)^α N(z; x, ρ²), then x given z under the prior, which
    is what reverse diffusion from noise level ρ draws. ρ falls from round to round; as
    ρ → 0 and with rounds enough, x is a sample of the posterior whatever the prior.

    The likelihood of z is linearised about x, its gradient exact and its curvature the
    Fisher information, so that z is a Gaussian draw; its mean moves no further than the
    likelihood's reach. Resolution falls with ρ.

    Args:
        prior: in claimed Å.
        likelihood: of the images, in Å.
        proposals: placed in the frame of the poses, Å.
        guidance: α and λ.
        config: ρ of each round, and how finely the prior is drawn from.
        generator: source of the randomness.

    Returns:
        The samples in Å, and a record of each round.

    Source: Wu et al. 2024, arXiv:2405.18782, algorithm 1, its likelihood step
        linearised.
    """
    target = Target(
        likelihood=likelihood, guidance=guidance, blur_per_noise=config.blur_per_noise
    )
    x = proposals.float() / guidance.scale
    steps: list[Step] = []
    curvature = None
    for number, width in enumerate(config.schedule.noise_levels(), start=1):
        blur = target.blur_at(width)
        if curvature is None or curvature.blur != blur:
            curvature = measure_curvature(prior, target, x[0], blur)
        place = x.detach().requires_grad_()
        value = target.log_likelihood(place, blur)
        (gradient,) = torch.autograd.grad(value.sum(), place)
        move, noise = _likelihood_step(curvature, gradient, width, generator)
        z = x + target.limit(move, blur) + noise
        x = draw_clean(prior, z, width, config.prior_steps, generator=generator)
        steps.append(
            record(
                number * (2 * config.prior_steps - 1),
                width,
                blur,
                value / guidance.alpha,
                guidance.scale * place,
            )
        )
        logger.info("%s", steps[-1].row())
    return guidance.scale * x, steps


def _likelihood_step(
    curvature: Curvature,
    gradient: Float[Tensor, "sample residue 3"],
    width: float,
    generator: torch.Generator,
) -> tuple[Float[Tensor, "sample residue 3"], Float[Tensor, "sample residue 3"]]:
    """Draw z − x: its mean (F + 1/ρ²)⁻¹ g, and noise of covariance (F + 1/ρ²)⁻¹.

    Across the directions that the prior leaves, the noise is ρ, as x expects it.
    """
    noise = width * torch.randn(gradient.shape, generator=generator).to(gradient)
    information, turn = torch.linalg.eigh(curvature.information)
    variance = 1.0 / (information.clamp(min=0.0) + width**-2)
    mean = (curvature.project(gradient) @ turn) * variance @ turn.T
    shrink = variance.sqrt() / width - 1.0
    correction = (curvature.project(noise) @ turn) * shrink @ turn.T
    return (
        curvature.expand(mean, gradient),
        noise + curvature.expand(correction, gradient),
    )
