"""The samplers of p(V | images) by name: DPS, ΠGDM and PnP-DM, on one likelihood."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from equicryo.inference.diffusion import ScheduleConfig, step_down
from equicryo.inference.volume_sampling import (
    DiffusionVoxelPrior,
    VolumeLikelihood,
    VolumeSamplerConfig,
    VolumeStep,
    begin_volumes,
    draw_clean_volumes,
    draw_opposites,
)
from equicryo.physics.gaussian_posterior import conjugate_gradients, filter_volume

logger = logging.getLogger(__name__)

Samples = tuple[Float[Tensor, "sample z y x"], list[VolumeStep]]


def sample_volume_dps(
    prior: DiffusionVoxelPrior,
    likelihood: VolumeLikelihood,
    config: VolumeSamplerConfig,
    *,
    generator: torch.Generator,
) -> Samples:
    """Draw posterior samples by diffusion posterior sampling (DPS).

    As `dps.sample_dps`: an ancestral step is followed by one along the likelihood's
    gradient at the denoised estimate, taken through the denoiser, weighted by Bayes and
    linearly implicit, with the denoiser's linear part for its Jacobian. It ignores how
    uncertain the estimate is, and is over-confident for it.

    Args:
        prior: gives the estimates.
        likelihood: of the images.
        config: number of samples and noise levels.
        generator: source of the randomness.

    Returns:
        The samples, e⁻/Å³ × pixel size, and a record of each step.

    Source: Chung et al. 2023, arXiv:2209.14687, algorithm 1.
    """
    levels = config.schedule.noise_levels()
    x = begin_volumes(prior, likelihood, config, generator)
    steps: list[VolumeStep] = []
    for call, (now, following) in enumerate(pairwise([*levels, 0.0]), start=1):
        x.requires_grad_()
        denoised = prior.denoise(x, now)
        value = likelihood.operator.log_likelihood(denoised)
        (gradient,) = torch.autograd.grad(value.sum(), x)
        x, denoised = x.detach(), denoised.detach()
        follows = prior.variance / (prior.variance + now**2)
        length = now**2 - following**2
        move = _implicit_step(likelihood, follows, gradient, length)
        white = draw_opposites(x, generator)
        x = step_down(x, denoised, (now, following), white) + move
        steps.append(_record(2 * call, now, value))
    return x, steps


def _implicit_step(
    likelihood: VolumeLikelihood, follows: Tensor, gradient: Tensor, length: float
) -> Tensor:
    """Return (1 + length · J K J)⁻¹ length · gradient, J the factor `follows`."""

    def apply(volume: Tensor) -> Tensor:
        seen = likelihood.operator.convolve(filter_volume(volume, follows))
        return volume / length + filter_volume(seen, follows)

    inverse = 1.0 / (1.0 / length + likelihood.diagonal * follows.square())
    return conjugate_gradients(
        apply, lambda volume: filter_volume(volume, inverse), gradient
    )


@torch.no_grad()
def sample_volume_pigdm(
    prior: DiffusionVoxelPrior,
    likelihood: VolumeLikelihood,
    config: VolumeSamplerConfig,
    *,
    generator: torch.Generator,
) -> Samples:
    """Draw posterior samples by pseudoinverse-guided diffusion (ΠGDM).

    p(V | V_σ) is taken for a Gaussian about the denoised estimate, with the errors that
    were measured: a variance at each frequency, larger where there is density. Times
    the images' likelihood it is a Gaussian too: V is drawn from it, and noised to the
    next level. One pass a step, no derivative of the network; exact for a Gaussian
    prior however few the steps.

    Args:
        prior: gives estimates and their variance.
        likelihood: of the images.
        config: number of samples and noise levels.
        generator: source of the randomness.

    Returns:
        The samples, e⁻/Å³ × pixel size, and a record of each step.

    Source: Song et al. 2023 (ΠGDM), https://openreview.net/forum?id=9_gsMA8MRKQ, for
        the Gaussian; Peng et al. 2024, arXiv:2402.02149, for measured variances. Both
        take its mean where we draw from it.
    """
    levels = config.schedule.noise_levels()
    x = begin_volumes(prior, likelihood, config, generator)
    steps: list[VolumeStep] = []
    for call, (now, following) in enumerate(pairwise([*levels, 0.0]), start=1):
        denoised = prior.denoise(x, now)
        posterior = likelihood.given(
            prior.remaining_variance(now), prior.error_amplitude(denoised, now)
        )
        clean = posterior.draw(denoised, draw_opposites(x, generator))
        white = draw_opposites(x, generator)
        x = step_down(x, clean, (now, following), white)
        value = likelihood.operator.log_likelihood(denoised)
        steps.append(_record(call, now, value))
    return x, steps


@dataclass(frozen=True, kw_only=True)
class VolumePnpDmConfig(VolumeSamplerConfig):
    """The block `volume_samplers.pnp_dm`; its schedule is that of ρ.

    Attributes:
        prior_steps: noise levels of the reverse diffusion in each round.
    """

    prior_steps: int


@torch.no_grad()
def sample_volume_pnp_dm(
    prior: DiffusionVoxelPrior,
    likelihood: VolumeLikelihood,
    config: VolumePnpDmConfig,
    *,
    generator: torch.Generator,
) -> Samples:
    """Draw posterior samples by split Gibbs sampling (PnP-DM).

    Each round draws Z given V and the images, p(images | Z) N(Z; V, ρ²), which is a
    Gaussian, then V given Z under the prior, by reverse diffusion from noise level ρ. ρ
    falls from round to round; as it does so slowly, V is a sample of the posterior.

    Args:
        prior: gives estimates and their variance.
        likelihood: of the images.
        config: ρ of each round, and how finely the prior is drawn from.
        generator: source of the randomness.

    Returns:
        The samples, e⁻/Å³ × pixel size, and a record of each round.

    Source: Wu et al. 2024, arXiv:2405.18782, algorithm 1.
    """
    widths = config.schedule.noise_levels()
    x = begin_volumes(prior, likelihood, config, generator)
    steps: list[VolumeStep] = []
    for number, width in enumerate(widths, start=1):
        flat = torch.full_like(likelihood.diagonal, width**2)
        z = likelihood.given(flat).draw(x, draw_opposites(x, generator))
        inner = ScheduleConfig(
            steps=config.prior_steps,
            largest_noise=width,
            smallest_noise=min(0.5 * width, widths[-1]),
        )
        x = draw_clean_volumes(prior, z, tuple(inner.noise_levels()), generator)
        value = likelihood.operator.log_likelihood(x)
        steps.append(_record(number * config.prior_steps, width, value))
    return x, steps


def _record(nfe: int, noise_level: float, value: Tensor) -> VolumeStep:
    step = VolumeStep(
        nfe=nfe, noise_level=noise_level, log_likelihood=float(value.detach().mean())
    )
    logger.info("%s", step.row())
    return step


@dataclass(frozen=True, kw_only=True)
class VolumeSampler:
    """One sampler of p(V | images).

    Attributes:
        settings: its settings, one block of the config.
        sample: called as `sample_volume_dps` is.
    """

    settings: type[VolumeSamplerConfig]
    sample: Callable[..., Samples]


VOLUME_SAMPLERS = MappingProxyType(
    {
        "dps": VolumeSampler(settings=VolumeSamplerConfig, sample=sample_volume_dps),
        "pigdm": VolumeSampler(
            settings=VolumeSamplerConfig, sample=sample_volume_pigdm
        ),
        "pnp_dm": VolumeSampler(
            settings=VolumePnpDmConfig, sample=sample_volume_pnp_dm
        ),
    }
)


def read_volume_sampler(name: str, block: Mapping[str, Any]) -> VolumeSamplerConfig:
    """Build the settings of a sampler from a validated block of the config.

    Args:
        name: one of `VOLUME_SAMPLERS`.
        block: `volume_samplers.<name>` of the config.
    """
    schedule = ScheduleConfig(**block["schedule"])
    return VOLUME_SAMPLERS[name].settings(**{**block, "schedule": schedule})
