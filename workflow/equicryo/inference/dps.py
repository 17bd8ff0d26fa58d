"""Diffusion posterior sampling (DPS) from placed proposals."""

import logging
from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor

from equicryo.inference.curvature import measure_curvature
from equicryo.inference.diffusion import step_down
from equicryo.inference.likelihood import Likelihood
from equicryo.inference.sampling import (
    Guidance,
    SamplerConfig,
    Step,
    Target,
    begin,
    estimate,
)
from equicryo.models.prior import DiffusionPrior

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class DpsConfig(SamplerConfig):
    """The block `samplers.dps` of the config."""


def sample_dps(
    prior: DiffusionPrior,
    likelihood: Likelihood,
    proposals: Float[Tensor, "sample residue 3"],
    guidance: Guidance,
    config: DpsConfig,
    *,
    generator: torch.Generator,
) -> tuple[Float[Tensor, "sample residue 3"], list[Step]]:
    """Draw posterior samples, one from each proposal.

    At each noise level, with x̂ = E[x₀ | x_σ], an ancestral step is followed by one
    along g = ∇ log p(images | λ x̂), the gradient taken through the denoiser. This is
    DPS with the squared norm and its weight tied to the physical noise: g is in nats
    and the step is h α g, where h = σ² − σ'² is what the reverse process gives a score.
    No step size is tuned. An explicit step would overshoot along stiff directions, so
    it is linearly implicit, (1 + h α JᵀFJ)⁻¹ h α g, with F the Fisher information and J
    the derivative of x̂ by the whitening, the denoiser's linear part. It is cut to the
    reach of the likelihood, the width of the narrowest blob, beyond which F says
    nothing.

    The likelihood starts at low resolution, where it has few maxima, and the diffusion
    starts from noised proposals, which fix the orientation, instead of from noise.

    DPS takes x̂ for x₀: it forgets that x̂ is uncertain, and is too sure of itself.

    Args:
        prior: gives x̂, in claimed Å.
        likelihood: of the images, in Å.
        proposals: placed in the frame of the poses, Å.
        guidance: α and λ.
        config: noise levels and resolutions.
        generator: source of the randomness.

    Returns:
        The samples in Å, and a record of each step.

    Source: Chung et al. 2023, arXiv:2209.14687, algorithm 1; the start is that of
        Chung et al. 2022, arXiv:2112.05146.
    """
    levels = config.schedule.noise_levels()
    target = Target(
        likelihood=likelihood, guidance=guidance, blur_per_noise=config.blur_per_noise
    )
    x = begin(proposals, guidance, levels[0], generator)
    steps: list[Step] = []
    curvature = None
    for call, (now, following) in enumerate(pairwise([*levels, 0.0]), start=1):
        here = estimate(prior, target, x, now)
        if curvature is None or curvature.blur != here.blur:
            curvature = measure_curvature(prior, target, here.denoised[0], here.blur)
        move = curvature.implicit_step(here.gradient, now, now**2 - following**2)
        move = target.limit(move, here.blur)
        white = torch.randn(x.shape, generator=generator).to(x)
        x = step_down(x, here.denoised, (now, following), white) + move
        steps.append(here.step(2 * call, guidance))
        logger.info("%s", steps[-1].row())
    return guidance.scale * x, steps
