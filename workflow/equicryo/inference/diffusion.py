"""Reverse diffusion without data: the noise schedule and draws from a prior."""

import math
from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from equicryo.models.denoiser import centroid
from equicryo.models.prior import DiffusionPrior, Prior

SHRINKAGE_COLUMNS = ("noise_level", "rg_denoised_mean", "rg_denoised_sd")

RHO = 7.0
"""How strongly the schedule crowds towards low noise; Karras et al. 2022, table 1."""


@dataclass(frozen=True, kw_only=True)
class ScheduleConfig:
    """Noise levels of a reverse diffusion.

    Attributes:
        steps: number of noise levels.
        largest_noise: σ at the start, Å.
        smallest_noise: the last σ, Å; the estimate from there is the sample.
    """

    steps: int
    largest_noise: float
    smallest_noise: float

    def __post_init__(self) -> None:
        """Refuse a schedule that does not descend."""
        if not 0.0 < self.smallest_noise < self.largest_noise:
            raise ValueError(
                f"smallest_noise {self.smallest_noise} Å is not between 0 and "
                f"largest_noise {self.largest_noise} Å: change one"
            )

    def noise_levels(self) -> list[float]:
        """Return σ at each step, descending, Å.

        Source: Karras et al. 2022, arXiv:2206.00364, equation 5.
        """
        start, end = self.largest_noise ** (1 / RHO), self.smallest_noise ** (1 / RHO)
        last = max(self.steps - 1, 1)
        return [(start + i / last * (end - start)) ** RHO for i in range(self.steps)]


def step_down(
    noisy: Float[Tensor, "*state"],
    denoised: Float[Tensor, "*state"],
    levels: tuple[float, float],
    white: Float[Tensor, "*state"],
) -> Float[Tensor, "*state"]:
    """Draw x at the next lower noise level, given x and its denoised estimate.

    Args:
        noisy: x_σ; coordinates in Å, or densities in e⁻/Å³ × pixel size.
        denoised: E[x₀ | x_σ], in the same unit.
        levels: σ now and next, in the same unit; a next one of 0 returns the estimate.
        white: noise of unit variance, the only randomness of the step.

    Source: the Gaussian p(x_σ' | x_σ, x₀) of a variance-exploding process; Song et al.
        2021, arXiv:2011.13456, equation 47.
    """
    mean, spread = ancestral_moments(noisy, denoised, levels)
    return mean + spread * white


def ancestral_moments(
    noisy: Float[Tensor, "*state"],
    denoised: Float[Tensor, "*state"],
    levels: tuple[float, float],
) -> tuple[Float[Tensor, "*state"], float]:
    """Return mean and standard deviation of the Gaussian that `step_down` draws from.

    Args:
        noisy: x_σ, Å.
        denoised: E[x₀ | x_σ], Å.
        levels: σ now and next, Å.
    """
    now, following = levels
    ratio = (following / now) ** 2
    mean = denoised + ratio * (noisy - denoised)
    return mean, following * math.sqrt(1.0 - ratio)


LOWEST_NOISE = 0.1
"""Of the noise that a reverse diffusion starts from in `draw_clean`: its last level."""


@torch.no_grad()
def draw_clean(
    prior: DiffusionPrior,
    noisy: Float[Tensor, "sample residue 3"],
    noise_level: float,
    steps: int,
    *,
    generator: torch.Generator,
) -> Float[Tensor, "sample residue 3"]:
    """Draw x₀ given x_σ by reverse diffusion, 2 steps − 1 denoiser calls.

    The reverse stochastic equation, which unlike the probability flow draws from
    p(x₀ | x_σ), with geometric levels and an exponential Heun step: that of `step_down`
    with an average of the denoised estimates at both of its ends. It is weighted such
    that the step is exact both where the prior is flat and where it is a point.

    Args:
        prior: what to draw from.
        noisy: clean coordinates plus noise, claimed Å.
        noise_level: σ, claimed Å.
        steps: noise levels.
        generator: source of the randomness.

    Source: Song et al. 2021, arXiv:2011.13456, equation 6; Zhang & Chen 2023,
        arXiv:2204.13902, for the exponential form.
    """
    fall = LOWEST_NOISE ** (1.0 / steps)
    levels = [noise_level * fall**step for step in range(steps)]
    x = noisy
    for now, following in pairwise([*levels, 0.0]):
        denoised = prior.denoise(x, x.new_full((len(x),), now))
        white = torch.randn(x.shape, generator=generator).to(x)
        ahead = step_down(x, denoised, (now, following), white)
        if following > 0.0:
            again = prior.denoise(ahead, x.new_full((len(x),), following))
            ahead = ahead + (now / following - 1.0) * (again - denoised)
        x = ahead
    return x


@dataclass(frozen=True, kw_only=True, eq=False)
class PriorDraws:
    """Unconditional draws, and how large the estimate was on the way.

    Attributes:
        coordinates: Å, as claimed by the prior's card; zero where no residue is.
        noise_level: σ at each step, fresh noise included, Å.
        gyration: radius of gyration of each denoised estimate, Å.
    """

    coordinates: Float[Tensor, "sample residue 3"]
    noise_level: Float[Tensor, " step"]
    gyration: Float[Tensor, "step sample"]

    def shrinkage(self) -> list[dict[str, float]]:
        """Return the size of the denoised estimate at each noise level, Å."""
        return [
            dict(zip(SHRINKAGE_COLUMNS, row, strict=True))
            for row in zip(
                self.noise_level.tolist(),
                self.gyration.mean(1).tolist(),
                self.gyration.std(1).tolist(),
                strict=True,
            )
        ]


@torch.no_grad()
def draw_prior(
    prior: Prior,
    count: int,
    schedule: ScheduleConfig,
    *,
    churn: float,
    generator: torch.Generator,
) -> PriorDraws:
    """Draw chains from a prior, in random orientations, centred.

    Heun's method, two denoiser calls a step: with as many calls an ancestral sampler
    loses a fifth of the variance along the prior's modes.

    Args:
        prior: what to draw from.
        count: how many; of a prior of several chains, as many as these.
        schedule: should start far above the size of the molecule.
        churn: share by which fresh noise raises the noise level before each step, γ in
            the source; 0 follows the probability flow.
        generator: source of the randomness.

    Source: Karras et al. 2022, arXiv:2206.00364, algorithm 2, with the same γ at all
        noise levels and S_noise 1; without churn it is their algorithm 1.
    """
    levels = schedule.noise_levels()
    present = prior.present(count)
    shape = (count, prior.residues, 3)
    x = levels[0] * torch.randn(shape, generator=generator)
    gyration = []
    for level, following in pairwise([*levels, 0.0]):
        now = level * (1.0 + churn)
        fresh = torch.randn(shape, generator=generator)
        x = x + math.sqrt(now**2 - level**2) * fresh
        denoised = prior.denoise(x, torch.full((count,), now))
        gyration.append(_radius(denoised, present))
        slope = (x - denoised) / now
        ahead = x + (following - now) * slope
        if following > 0.0:
            denoised = prior.denoise(ahead, torch.full((count,), following))
            slope = 0.5 * (slope + (ahead - denoised) / following)
            ahead = x + (following - now) * slope
        x = ahead
    return PriorDraws(
        coordinates=(x - centroid(x, present)) * present[..., None],
        noise_level=(1.0 + churn) * torch.tensor(levels),
        gyration=torch.stack(gyration),
    )


def _radius(
    chains: Float[Tensor, "batch residue 3"], present: Bool[Tensor, "batch residue"]
) -> Float[Tensor, " batch"]:
    """Return the radius of gyration of each chain, whatever lies beyond its end, Å."""
    centred = (chains - centroid(chains, present)) * present[..., None]
    return (centred.square().sum((1, 2)) / present.sum(1)).sqrt()
