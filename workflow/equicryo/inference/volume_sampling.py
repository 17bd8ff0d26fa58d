"""Posterior samples of a density: what the samplers share."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from equicryo.inference.diffusion import ScheduleConfig, step_down
from equicryo.physics.gaussian_posterior import (
    GaussianPosterior,
    circulant_part,
    filter_volume,
)
from equicryo.physics.normal_operator import NormalOperator

VOLUME_DIAGNOSTICS_COLUMNS = ("nfe", "noise_level", "log_likelihood_mean")


@runtime_checkable
class DiffusionVoxelPrior(Protocol):
    """What samplers of densities ask of a prior; spectra are those of a voxel."""

    variance: Float[Tensor, "z y x_half"]

    def denoise(
        self, noisy: Float[Tensor, "sample z y x"], noise_level: float
    ) -> Float[Tensor, "sample z y x"]:
        """Return E[V | V_σ], e⁻/Å³ × pixel size."""

    def remaining_variance(self, noise_level: float) -> Float[Tensor, "z y x_half"]:
        """Return the variance of V given V_σ at each frequency."""

    def error_amplitude(
        self, denoised: Float[Tensor, "sample z y x"], noise_level: float
    ) -> Float[Tensor, "*sample_z_y_x"]:
        """Return how far V may be from its estimate in each place, 1 on average."""


@dataclass(frozen=True, kw_only=True)
class VolumeSamplerConfig:
    """Settings of every sampler of densities.

    Attributes:
        samples: how many posterior samples, an even number.
        schedule: σ of the reverse diffusion, e⁻/Å³ × pixel size.
    """

    samples: int
    schedule: ScheduleConfig

    def __post_init__(self) -> None:
        """Refuse a sample without its opposite."""
        if self.samples % 2:
            raise ValueError(f"samples is {self.samples}, but they come in pairs")


@dataclass(frozen=True, kw_only=True, eq=False)
class VolumeLikelihood:
    """The images' likelihood of a volume, and what its solvers start from.

    Attributes:
        operator: b and K.
        diagonal: spectrum of the circulant nearest to K.
    """

    operator: NormalOperator
    diagonal: Float[Tensor, "z y x_half"]

    def given(
        self,
        variance: Float[Tensor, "z y x_half"],
        amplitude: Float[Tensor, "*volumes"] | float = 1.0,
    ) -> GaussianPosterior:
        """Join it with a Gaussian: a variance at each frequency, times an amplitude."""
        return GaussianPosterior(
            operator=self.operator,
            diagonal=self.diagonal,
            variance=variance,
            amplitude=torch.as_tensor(amplitude).to(variance),
        )


def prepare_volume_likelihood(operator: NormalOperator) -> VolumeLikelihood:
    """Measure K along the grid's frequencies, once."""
    return VolumeLikelihood(operator=operator, diagonal=circulant_part(operator))


@dataclass(frozen=True, kw_only=True)
class VolumeStep:
    """What happened at one noise level, one row of `diagnostics.csv`.

    Attributes:
        nfe: passes through the denoiser so far, a sample: its values, and its products
            with a vector from the left.
        noise_level: σ, e⁻/Å³ × pixel size.
        log_likelihood: of the denoised estimates, mean over samples, nats.
    """

    nfe: int
    noise_level: float
    log_likelihood: float

    def row(self) -> dict[str, int | float]:
        """Return the values under `VOLUME_DIAGNOSTICS_COLUMNS`."""
        values = (self.nfe, self.noise_level, self.log_likelihood)
        return dict(zip(VOLUME_DIAGNOSTICS_COLUMNS, values, strict=True))


def begin_volumes(
    prior: DiffusionVoxelPrior,
    likelihood: VolumeLikelihood,
    config: VolumeSamplerConfig,
    generator: torch.Generator,
) -> Float[Tensor, "sample z y x"]:
    """Draw where the reverse diffusion starts: Wiener's posterior, noised.

    A draw under the Gaussian of the prior's own spectrum holds what the images say of
    low frequencies, and is exact where the prior is that Gaussian.
    """
    b = likelihood.operator.b
    centre = b.new_zeros(config.samples, *b.shape)
    white = draw_opposites(centre, generator)
    clean = likelihood.given(prior.variance).draw(centre, white)
    noise = draw_opposites(clean, generator)
    return clean + config.schedule.noise_levels()[0] * noise


def draw_opposites(
    like: Float[Tensor, "sample z y x"], generator: torch.Generator
) -> Float[Tensor, "sample z y x"]:
    """Draw standard normal numbers; the second half are the first with another sign.

    With such noise samples come in pairs. Where estimates follow the noise linearly, as
    they nearly do where images say little or much, a pair's mean is exact, and so is
    that of all: few samples give a posterior mean that many independent ones would.

    Args:
        like: an even number of volumes.
        generator: source of the randomness.

    Source: Hammersley & Morton 1956, doi:10.1017/S0305004100031455 (antithetic
        variates).
    """
    half = torch.randn(len(like) // 2, *like.shape[1:], generator=generator)
    return torch.cat([half, -half]).to(like)


@torch.no_grad()
def draw_clean_volumes(
    prior: DiffusionVoxelPrior,
    noisy: Float[Tensor, "sample z y x"],
    levels: tuple[float, ...],
    generator: torch.Generator,
) -> Float[Tensor, "sample z y x"]:
    """Draw V given V_σ under the prior, through descending noise levels.

    At each level V is drawn from a Gaussian about its estimate, with the variance that
    is left, and noised to the next: exact for a Gaussian prior however few the levels.

    Args:
        prior: which.
        noisy: at the first level.
        levels: σ, descending, e⁻/Å³ × pixel size.
        generator: source of the randomness.
    """
    for now, following in zip(levels, (*levels[1:], 0.0), strict=True):
        white = draw_opposites(noisy, generator)
        spread = filter_volume(white, prior.remaining_variance(now).sqrt())
        denoised = prior.denoise(noisy, now)
        clean = denoised + prior.error_amplitude(denoised, now) * spread
        white = draw_opposites(noisy, generator)
        noisy = step_down(noisy, clean, (now, following), white)
    return noisy
