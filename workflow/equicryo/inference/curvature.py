"""Curvature of the likelihood along the directions in which a prior's chains spread."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from equicryo.inference.sampling import Target
from equicryo.models.prior import DiffusionPrior

STIFFEST_SPREAD = 0.02
"""Å: along directions in which a prior's chains spread less, x̂ does not follow x."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Curvature:
    """Fisher information along the directions in which a prior's chains spread.

    Attributes:
        blur: of the likelihood, Å.
        directions: orthonormal, over (residue, axis).
        variance: of the prior along them, claimed Å²; infinite where it is free.
        information: between them, weighted by α, claimed Å⁻².
    """

    blur: float
    directions: Float[Tensor, "parameter mode"]
    variance: Float[Tensor, " mode"]
    information: Float[Tensor, "mode mode"]

    def implicit_step(
        self, gradient: Float[Tensor, "sample residue 3"], level: float, length: float
    ) -> Float[Tensor, "sample residue 3"]:
        """Return (1 + length · JᵀFJ)⁻¹ length · gradient within the directions.

        J is the derivative of the denoiser's linear part at noise `level`, claimed Å.
        """
        jacobian = 1.0 / (1.0 + level**2 / self.variance)
        seen = jacobian[:, None] * self.information * jacobian
        system = torch.eye(len(seen)).to(seen) / length + seen
        along = self.project(gradient)
        return self.expand(torch.linalg.solve(system, along.T).T, gradient)

    def covariance(self, level: float) -> Float[Tensor, "mode mode"]:
        """Return the covariance of x₀ given x_σ and the images, linearised, claimed Å².

        (1/C + 1/σ² + F)⁻¹ along the directions, with C the prior's variances.
        """
        given_noisy = 1.0 / self.variance + level**-2
        return torch.linalg.inv(torch.diag(given_noisy) + self.information)

    def discount(self, level: float) -> Float[Tensor, "mode mode"]:
        """Return (1 + F V)⁻¹, with V the variances of x₀ given x_σ.

        It makes of the likelihood's gradient at x̂ that of p(images | x_σ), linearised.
        """
        given_noisy = 1.0 / self.variance + level**-2
        return given_noisy[:, None] * self.covariance(level)

    def project(
        self, move: Float[Tensor, "sample residue 3"]
    ) -> Float[Tensor, "sample mode"]:
        """Return the components of moves along the directions."""
        return move.flatten(1).to(self.directions) @ self.directions

    def expand(
        self,
        components: Float[Tensor, "sample mode"],
        like: Float[Tensor, "sample residue 3"],
    ) -> Float[Tensor, "sample residue 3"]:
        """Return moves with components along the directions, shaped as `like`."""
        return (components @ self.directions.T).view_as(like).to(like)


def measure_curvature(
    prior: DiffusionPrior,
    target: Target,
    chain: Float[Tensor, "residue 3"],
    blur: float,
) -> Curvature:
    """Measure the curvature at one sample, which stands for all of them.

    Args:
        prior: its directions are the ones looked along.
        target: whose curvature.
        chain: where, claimed Å.
        blur: of the likelihood, Å.
    """
    directions, variance = prior.directions(chain)
    followed = variance > STIFFEST_SPREAD**2
    directions, variance = directions[:, followed], variance[followed]
    moves = directions.T.unflatten(1, chain.shape)
    return Curvature(
        blur=blur,
        directions=directions,
        variance=variance,
        information=target.information(chain, moves, blur).to(directions),
    )
