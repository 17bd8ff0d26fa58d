"""Mixtures of Gaussians, which stay mixtures when they are observed."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True, kw_only=True, eq=False)
class GaussianMixture:
    """A mixture of Gaussians over flattened coordinates.

    Attributes:
        weights: of the components, adding up to 1.
        means: Å.
        covariances: Å².
    """

    weights: Float[Tensor, "*batch component"]
    means: Float[Tensor, "*batch component parameter"]
    covariances: Float[Tensor, "component parameter parameter"]

    def mean(self) -> Float[Tensor, "*batch parameter"]:
        """Return the mean, Å."""
        return (self.weights[..., None] * self.means).sum(-2)

    def covariance(self) -> Float[Tensor, "*batch parameter parameter"]:
        """Return the covariance, within the components and between them, Å²."""
        away = self.means - self.mean()[..., None, :]
        outer = away[..., :, None] * away[..., None, :]
        return (self.weights[..., None, None] * (self.covariances + outer)).sum(-3)

    def sample(
        self, count: int, *, generator: torch.Generator
    ) -> Float[Tensor, "sample parameter"]:
        """Draw from a mixture without batch axes, Å."""
        chosen = torch.multinomial(
            self.weights, count, replacement=True, generator=generator
        )
        shape = (count, self.means.shape[-1])
        noise = torch.randn(shape, generator=generator, dtype=self.means.dtype)
        roots = torch.linalg.cholesky(self.covariances)
        return self.means[chosen] + torch.einsum("sij,sj->si", roots[chosen], noise)

    def observe(
        self,
        design: Float[Tensor, "observation parameter"],
        noise: float,
        observed: Float[Tensor, "*batch observation"],
    ) -> "GaussianMixture":
        """Return the posterior given y = A x + n, n white of deviation `noise`.

        Args:
            design: A.
            noise: standard deviation of each observation.
            observed: y; one posterior each.
        """
        white = noise**2 * torch.eye(len(design)).to(design)
        seen = design @ self.covariances @ design.mT + white
        gain = self.covariances @ design.mT @ torch.linalg.inv(seen)
        residual = observed[..., None, :] - self.means @ design.mT
        log_weight = self.weights.log() + _log_normal(residual, seen)
        return GaussianMixture(
            weights=log_weight.softmax(-1),
            means=self.means + torch.einsum("kij,...kj->...ki", gain, residual),
            covariances=self.covariances - gain @ design @ self.covariances,
        )


def _log_normal(
    away: Float[Tensor, "*batch component parameter"],
    covariances: Float[Tensor, "component parameter parameter"],
) -> Float[Tensor, "*batch component"]:
    inverse = torch.linalg.inv(covariances)
    square = torch.einsum("...ki,kij,...kj->...k", away, inverse, away)
    return -0.5 * (square + torch.logdet(covariances))
