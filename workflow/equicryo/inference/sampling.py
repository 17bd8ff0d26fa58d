"""What every sampler of the posterior shares: its settings, its target, its record."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from equicryo.inference.diffusion import ScheduleConfig
from equicryo.inference.likelihood import Likelihood
from equicryo.inference.orientation import OrientationConfig
from equicryo.models.prior import DiffusionPrior
from equicryo.structure.superposition import radius_of_gyration

DIAGNOSTICS_COLUMNS = (
    "nfe",
    "noise_level",
    "blur",
    "log_likelihood_mean",
    "rg_denoised_mean",
)


@dataclass(frozen=True, kw_only=True)
class SamplerConfig:
    """Settings of every sampler, in its block of the config.

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


@dataclass(frozen=True, kw_only=True)
class Guidance:
    """How the images steer the prior.

    Attributes:
        alpha: weight α of the likelihood; 1 is Bayes.
        scale: λ, from the prior's claimed Å to Å.
    """

    alpha: float
    scale: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Target:
    """p(images | λ x)^α, as a function of the claimed coordinates x.

    Attributes:
        likelihood: of the images, in Å.
        guidance: α and λ.
        blur_per_noise: blur of the likelihood over σ.
    """

    likelihood: Likelihood
    guidance: Guidance
    blur_per_noise: float

    def blur_at(self, noise_level: float) -> float:
        """Return the blur that goes with σ (claimed Å), Å."""
        spread = self.blur_per_noise * self.guidance.scale * noise_level
        return self.likelihood.blur_for(spread)

    def log_likelihood(
        self, coordinates: Float[Tensor, "sample residue 3"], blur: float
    ) -> Float[Tensor, " sample"]:
        """Return α log p(images | λ x) but for a constant, nats."""
        placed = self.guidance.scale * coordinates
        return self.guidance.alpha * self.likelihood.log_likelihood(placed, blur)

    def information(
        self,
        coordinates: Float[Tensor, "residue 3"],
        directions: Float[Tensor, "parameter residue 3"],
        blur: float,
    ) -> Float[Tensor, "parameter parameter"]:
        """Return its Fisher information about moves (claimed Å), weighted by α."""
        scale = self.guidance.scale
        placed, moves = scale * coordinates, scale * directions
        return self.guidance.alpha * self.likelihood.information(placed, moves, blur)

    def limit(
        self, move: Float[Tensor, "sample residue 3"], blur: float
    ) -> Float[Tensor, "sample residue 3"]:
        """Shorten moves to what the linearised likelihood can be trusted for.

        Args:
            move: claimed Å.
            blur: of the likelihood, Å.

        Returns:
            Moves whose root mean square displacement is at most the likelihood's reach.
        """
        reach = self.likelihood.reach(blur) / self.guidance.scale
        length = move.square().sum(-1).mean(-1).sqrt()
        return move * (reach / length).clamp(max=1.0)[:, None, None]


@dataclass(frozen=True, kw_only=True, eq=False)
class Step:
    """What happened at one noise level, one row of `diagnostics.csv`.

    Attributes:
        nfe: passes through the denoiser so far, a sample: its values, and its products
            with a vector from the left, which cost about as much.
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


@dataclass(frozen=True, kw_only=True, eq=False)
class Estimate:
    """A denoised estimate, and how the images like it.

    Attributes:
        denoised: x̂ = E[x₀ | x_σ], claimed Å.
        value: α log p(images | λ x̂), nats.
        gradient: of that value by x_σ, through the denoiser, per claimed Å.
        noise_level: σ, claimed Å.
        blur: of the likelihood, Å.
    """

    denoised: Float[Tensor, "sample residue 3"]
    value: Float[Tensor, " sample"]
    gradient: Float[Tensor, "sample residue 3"]
    noise_level: float
    blur: float

    def step(self, nfe: int, guidance: Guidance) -> Step:
        """Record it, after so many passes through the denoiser."""
        return record(
            nfe,
            self.noise_level,
            self.blur,
            self.value / guidance.alpha,
            guidance.scale * self.denoised,
        )


def record(
    nfe: int,
    noise_level: float,
    blur: float,
    log_likelihood: Float[Tensor, " sample"],
    coordinates: Float[Tensor, "sample residue 3"],
) -> Step:
    """Make the record of a noise level; see `Step`.

    Args:
        nfe: passes through the denoiser so far, a sample.
        noise_level: σ, claimed Å.
        blur: of the likelihood, Å.
        log_likelihood: of the coordinates, nats.
        coordinates: denoised, Å.
    """
    return Step(
        nfe=nfe,
        noise_level=noise_level,
        blur=blur,
        log_likelihood=log_likelihood.detach(),
        gyration=radius_of_gyration(coordinates.detach()),
    )


def begin(
    proposals: Float[Tensor, "sample residue 3"],
    guidance: Guidance,
    noise_level: float,
    generator: torch.Generator,
) -> Float[Tensor, "sample residue 3"]:
    """Add noise of the schedule's start to proposals in Å; claimed Å come back."""
    x = proposals.float() / guidance.scale
    return x + noise_level * torch.randn(x.shape, generator=generator)


def estimate(
    prior: DiffusionPrior,
    target: Target,
    noisy: Float[Tensor, "sample residue 3"],
    noise_level: float,
) -> Estimate:
    """Denoise, and differentiate the target through the denoiser: two passes."""
    blur = target.blur_at(noise_level)
    x = noisy.detach().requires_grad_()
    denoised = prior.denoise(x, torch.full((len(x),), noise_level))
    value = target.log_likelihood(denoised, blur)
    (gradient,) = torch.autograd.grad(value.sum(), x)
    return Estimate(
        denoised=denoised.detach(),
        value=value.detach(),
        gradient=gradient,
        noise_level=noise_level,
        blur=blur,
    )
