"""Small inverse problems with a posterior in closed form, behind the real interfaces.

Mixtures of Gaussians seen through a linear map: prior, noised prior and posterior are
mixtures again.
"""

import math
from dataclasses import dataclass, replace
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from equicryo.evaluation.gaussian_mixture import GaussianMixture
from equicryo.inference.likelihood import Likelihood
from equicryo.models.prior import DiffusionPrior

RESIDUES = 4
"""Of the smallest problems; larger ones are as hard, residue by residue."""


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class MixturePrior(DiffusionPrior):
    """The exact denoiser of a mixture.

    Attributes:
        mixture: of chains, Å.
    """

    mixture: GaussianMixture

    @property
    def residues(self) -> int:
        """Number of residues of the chain."""
        return self.mixture.means.shape[-1] // 3

    def denoise(
        self,
        noisy: Float[Tensor, "batch residue 3"],
        noise_level: Float[Tensor, " batch"],
    ) -> Float[Tensor, "batch residue 3"]:
        """Return E[x₀ | x_σ]: the mean given an observation of x with noise σ, Å.

        Args:
            noisy: Å.
            noise_level: σ, the same for all, Å.
        """
        identity = torch.eye(self.mixture.means.shape[-1]).to(self.mixture.means)
        flat = noisy.flatten(1).to(identity)
        level = float(noise_level[0])
        return (
            self.mixture.observe(identity, level, flat).mean().view_as(noisy).to(noisy)
        )

    def directions(
        self, chain: Float[Tensor, "residue 3"]
    ) -> tuple[Float[Tensor, "parameter mode"], Float[Tensor, " mode"]]:
        """Return the principal axes of the whole mixture.

        Args:
            chain: any.
        """
        variance, basis = torch.linalg.eigh(self.mixture.covariance())
        return basis, variance


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class LinearLikelihood(Likelihood):
    """White noise on a linear map of the coordinates; the same at every resolution.

    Attributes:
        design: A, over flattened coordinates.
        noise: standard deviation of each observation.
        observed: y, one for all samples or one for each.
    """

    design: Float[Tensor, "observation parameter"]
    noise: float
    observed: Float[Tensor, "#sample observation"]

    def blur_for(self, spread: float) -> float:
        """Return 0 Å: there is one resolution."""
        return 0.0

    def reach(self, blur: float) -> float:
        """Return infinity: nothing had to be linearised."""
        return math.inf

    def log_likelihood(
        self, coordinates: Float[Tensor, "sample residue 3"], blur: float
    ) -> Float[Tensor, " sample"]:
        """Return −½ |y − A x|² / noise², nats.

        Args:
            coordinates: Å.
            blur: 0.
        """
        predicted = coordinates.flatten(1).to(self.design) @ self.design.T
        return -0.5 * (self.observed - predicted).square().sum(-1) / self.noise**2

    def information(
        self,
        coordinates: Float[Tensor, "residue 3"],
        directions: Float[Tensor, "parameter residue 3"],
        blur: float,
    ) -> Float[Tensor, "parameter parameter"]:
        """Return (A D)ᵀ (A D) / noise², nats.

        Args:
            coordinates: any.
            directions: D, Å per unit.
            blur: 0.
        """
        seen = directions.flatten(1).to(self.design) @ self.design.T
        return seen @ seen.T / self.noise**2


@dataclass(frozen=True, kw_only=True, eq=False)
class GaussianProblem:
    """A prior in closed form, and how chains are observed.

    Attributes:
        mixture: the prior.
        design: A.
        noise: standard deviation of each observation.
    """

    mixture: GaussianMixture
    design: Float[Tensor, "observation parameter"]
    noise: float

    def prior(self) -> MixturePrior:
        """Return the prior as samplers take it."""
        return MixturePrior(mixture=self.mixture)

    def simulate(
        self, chains: Float[Tensor, "chain parameter"], *, generator: torch.Generator
    ) -> Float[Tensor, "chain observation"]:
        """Observe each chain once, with noise."""
        shape = (len(chains), len(self.design))
        noise = torch.randn(shape, generator=generator, dtype=chains.dtype)
        return chains @ self.design.T + self.noise * noise

    def likelihood(
        self, observed: Float[Tensor, "#sample observation"]
    ) -> LinearLikelihood:
        """Return the likelihood of observations as samplers take it."""
        return LinearLikelihood(design=self.design, noise=self.noise, observed=observed)

    def posterior(
        self, observed: Float[Tensor, "*batch observation"]
    ) -> GaussianMixture:
        """Return the exact posterior of each row of observations."""
        return self.mixture.observe(self.design, self.noise, observed)


def linear_gaussian(
    residues: int = RESIDUES, *, generator: torch.Generator
) -> GaussianProblem:
    """Make a problem with a Gaussian prior of spreads from 0.3 to 2 Å along its axes.

    Args:
        residues: of the chain; two thirds as many observations as coordinates.
        generator: of axes and design. Some axes are well observed, some not at all.
    """
    size = 3 * residues
    spread = torch.logspace(math.log10(0.3), math.log10(2.0), size).double()
    axes = _axes(size, generator)
    mixture = GaussianMixture(
        weights=torch.ones(1).double(),
        means=torch.zeros(1, size).double(),
        covariances=(axes * spread**2 @ axes.T)[None],
    )
    design = _design(2 * residues, size, generator)
    return GaussianProblem(mixture=mixture, design=design, noise=1.0)


def mixture_of_folds(
    residues: int = RESIDUES, *, generator: torch.Generator
) -> GaussianProblem:
    """Make a problem whose prior has three modes that the data tell apart in part.

    Args:
        residues: of the chain; a third as many observations as coordinates.
        generator: of axes, centres and design.
    """
    size = 3 * residues
    spread = torch.logspace(math.log10(0.3), 0.0, size).double()
    apart = 1.5 * math.sqrt(RESIDUES / residues)
    centres = apart * torch.randn(3, size, generator=generator).double()
    roots = [_axes(size, generator) * spread for _ in range(3)]
    mixture = GaussianMixture(
        weights=torch.tensor([0.5, 0.3, 0.2]).double(),
        means=centres,
        covariances=torch.stack([root @ root.T for root in roots]),
    )
    design = _design(residues, size, generator)
    return GaussianProblem(mixture=mixture, design=design, noise=2.0)


def shaped_gaussian(*, generator: torch.Generator) -> GaussianProblem:
    """Make `linear_gaussian` about a mean shape of 5 Å an axis: it has a size.

    Args:
        generator: of shape, axes and design.
    """
    problem = linear_gaussian(generator=generator)
    shape = 5.0 * torch.randn(1, 3 * RESIDUES, generator=generator).double()
    return replace(problem, mixture=replace(problem.mixture, means=shape))


PROBLEMS = {"linear_gaussian": linear_gaussian, "mixture": mixture_of_folds}


def _axes(
    size: int, generator: torch.Generator
) -> Float[Tensor, "parameter parameter"]:
    return torch.linalg.qr(torch.randn(size, size, generator=generator).double())[0]


def _design(
    observations: int, size: int, generator: torch.Generator
) -> Float[Tensor, "observation parameter"]:
    """Draw A such that an observation says the same of a chain of any length."""
    design = torch.randn(observations, size, generator=generator).double()
    return design * math.sqrt(3 * RESIDUES / size)
