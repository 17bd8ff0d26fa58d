"""Diffusion posterior sampling (DPS) from placed proposals."""

import logging
import math
from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor

from equicryo.inference.diffusion import ScheduleConfig, step_down
from equicryo.inference.likelihood import ResidueLikelihood
from equicryo.inference.orientation import OrientationConfig
from equicryo.models.prior import Prior
from equicryo.structure.superposition import radius_of_gyration

logger = logging.getLogger(__name__)

DIAGNOSTICS_COLUMNS = (
    "nfe",
    "noise_level",
    "blur",
    "log_likelihood_mean",
    "rg_denoised_mean",
)


STIFFEST_SPREAD = 0.02
"""Å: along directions in which a prior's chains spread less, x̂ does not follow x."""


@dataclass(frozen=True, kw_only=True)
class DpsConfig:
    """One block `samplers.dps` of the config.

    Attributes:
        samples: how many posterior samples.
        schedule: σ of the reverse diffusion; its largest should drown all but the
            orientation, claimed Å.
        blur_per_noise: blur of the likelihood over σ: low resolution speaks first.
        blurs: resolutions that are prepared, Å.
        orientation: search for the proposals.
    """

    samples: int
    schedule: ScheduleConfig
    blur_per_noise: float
    blurs: tuple[float, ...]
    orientation: OrientationConfig


def read_dps_config(block: dict) -> DpsConfig:
    """Build the settings from a validated block of the config."""
    return DpsConfig(
        **{
            **block,
            "schedule": ScheduleConfig(**block["schedule"]),
            "orientation": OrientationConfig(**block["orientation"]),
        }
    )


@dataclass(frozen=True, kw_only=True)
class Guidance:
    """How the images steer the prior.

    Attributes:
        alpha: weight α of the likelihood's gradient; 1 is Bayes.
        scale: λ, from the prior's claimed Å to Å.
    """

    alpha: float
    scale: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Step:
    """What happened at one denoiser call, one row of `diagnostics.csv`.

    Attributes:
        nfe: denoiser calls so far, a sample.
        noise_level: σ, claimed Å.
        blur: of the likelihood, Å.
        log_likelihood: of each denoised estimate at that blur, nats.
        gyration: radius of gyration of each denoised estimate, Å.
    """

    nfe: int
    noise_level: float
    blur: float
    log_likelihood: Float[Tensor, " sample"]
    gyration: Float[Tensor, " sample"]

    def row(self) -> dict[str, int | float]:
        """Return means over samples under `DIAGNOSTICS_COLUMNS`."""
        return {
            "nfe": self.nfe,
            "noise_level": self.noise_level,
            "blur": self.blur,
            "log_likelihood_mean": float(self.log_likelihood.mean()),
            "rg_denoised_mean": float(self.gyration.mean()),
        }


def sample_dps(
    prior: Prior,
    likelihood: ResidueLikelihood,
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
    width of the narrowest blob, root mean square, beyond which F says nothing.

    The likelihood starts at low resolution, where it has few maxima, and the diffusion
    starts from noised proposals, which fix the orientation, instead of from noise.

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
    scale, alpha = guidance.scale, guidance.alpha
    x = proposals.float() / scale
    x = x + levels[0] * torch.randn(x.shape, generator=generator)
    steps: list[Step] = []
    stiffness = None
    for call, (now, following) in enumerate(pairwise([*levels, 0.0]), start=1):
        blur = likelihood.blur_for(config.blur_per_noise * scale * now)
        x.requires_grad_()
        denoised = prior.denoise(x, torch.full((len(x),), now))
        value = likelihood.log_likelihood(scale * denoised, blur)
        (gradient,) = torch.autograd.grad(value.sum(), x)
        x, denoised, value = x.detach(), denoised.detach(), value.detach()
        if stiffness is None or stiffness.blur != blur:
            stiffness = _stiffness(prior, likelihood, denoised[0], scale, blur)
        move = stiffness.step(gradient, now, alpha * (now**2 - following**2))
        move = _limit(move, math.hypot(likelihood.density.width, blur) / scale)
        x = step_down(x, denoised, (now, following), generator) + move
        steps.append(
            Step(
                nfe=call,
                noise_level=now,
                blur=blur,
                log_likelihood=value,
                gyration=scale * radius_of_gyration(denoised),
            )
        )
        logger.info("%s", steps[-1].row())
    return scale * x, steps


def _limit(move: Tensor, longest: float) -> Tensor:
    """Shorten each sample's move to a root mean square displacement, Å."""
    length = move.square().sum(-1).mean(-1).sqrt()
    return move * (longest / length).clamp(max=1.0)[:, None, None]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Stiffness:
    """Curvature of the log-likelihood along the prior's own directions.

    Attributes:
        blur: of the likelihood, Å.
        directions: orthonormal, over (residue, axis).
        variance: of the prior along them, claimed Å².
        information: Fisher information between them, claimed Å⁻².
    """

    blur: float
    directions: Float[Tensor, "parameter mode"]
    variance: Float[Tensor, " mode"]
    information: Float[Tensor, "mode mode"]

    def step(
        self, gradient: Float[Tensor, "sample residue 3"], level: float, length: float
    ) -> Float[Tensor, "sample residue 3"]:
        """Return (1 + length · JᵀFJ)⁻¹ length · gradient within the directions."""
        jacobian = 1.0 / (1.0 + level**2 / self.variance)
        seen = jacobian[:, None] * self.information * jacobian
        system = torch.eye(len(seen)).to(seen) / length + seen
        along = gradient.flatten(1).to(seen) @ self.directions
        step = torch.linalg.solve(system, along.T).T @ self.directions.T
        return step.view_as(gradient).to(gradient)


def _stiffness(
    prior: Prior,
    likelihood: ResidueLikelihood,
    chain: Float[Tensor, "residue 3"],
    scale: float,
    blur: float,
) -> _Stiffness:
    """Measure the curvature at one sample, which stands for all of them."""
    directions, variance = prior.directions(chain)
    followed = variance > STIFFEST_SPREAD**2
    directions, variance = directions[:, followed], variance[followed]
    moves = scale * directions.T.unflatten(1, chain.shape)
    return _Stiffness(
        blur=blur,
        directions=directions,
        variance=variance,
        information=likelihood.information(scale * chain, moves, blur).to(directions),
    )
