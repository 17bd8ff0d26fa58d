"""A toy protein whose posterior is known: a Gaussian mixture, turned at random.

A denoiser that is equivariant to proper rotations can only learn a law that they leave
alone. So the closed form averages over all rotations, too: given a component and a
noisy chain, the orientation follows a matrix Fisher law, whose normaliser is an
integral along a line.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from equicryo.models.examples import Batch, ensemble_batch
from equicryo.physics.rotations import draw_rotations
from equicryo.structure.chain import Chain
from equicryo.structure.residues import residue_types

HELICES, SHEET = slice(4, 36), slice(37, 69)
WEIGHTS, SPREAD = (0.5, 0.2, 0.3), 0.5
"""Residues of lysozyme in the folds of `fold_mixture`, their weights, and Å."""

NODES = 300
REACH = 40.0
"""The line integral is taken over the logarithm of 1 − u, from 2 down by e^-40."""


@dataclass(frozen=True, kw_only=True, eq=False)
class RotatedMixture:
    """Chains x = R (μ_k + s z): a fold, normal displacements, any orientation.

    Attributes:
        means: μ, centred, Å.
        weights: probability of each component.
        spread: s of each coordinate, Å; displacements leave the centroid alone.
        residue_types: the same for every component, so that they tell where along the
            chain a residue is, and nothing of its fold.
    """

    means: Float64[Tensor, "component residue 3"]
    weights: Float64[Tensor, " component"]
    spread: float
    residue_types: Int64[Tensor, " residue"]

    def draw_chains(
        self, count: int, *, generator: torch.Generator
    ) -> tuple[Float64[Tensor, "chain residue 3"], Int64[Tensor, " chain"]]:
        """Draw chains, centred, Å, and which component each is of."""
        component = torch.multinomial(
            self.weights, count, replacement=True, generator=generator
        )
        shape = (count, *self.means.shape[1:])
        noise = torch.randn(shape, generator=generator, dtype=torch.float64)
        body = self.means[component] + self.spread * (
            noise - noise.mean(1, keepdim=True)
        )
        return body @ draw_rotations(count, generator=generator).mT, component

    def draw(self, batch_residues: int, generator: torch.Generator) -> Batch:
        """Draw a training batch of about that many residues."""
        count = max(1, round(batch_residues / len(self.residue_types)))
        chains, _ = self.draw_chains(count, generator=generator)
        return ensemble_batch(chains.float(), self.residue_types)

    def log_density(
        self, noisy: Float64[Tensor, "chain residue 3"], noise_level: float
    ) -> Float64[Tensor, "chain component"]:
        """Return the log of weight times density of noisy chains, each component's.

        Args:
            noisy: a chain plus normal noise, centred, Å.
            noise_level: σ, Å.
        """
        variance = self.spread**2 + noise_level**2
        _, singular, _ = self._overlaps(noisy, variance)
        size = noisy.square().sum((1, 2))[:, None] + self.means.square().sum((1, 2))
        dimensions = 3 * (self.means.shape[1] - 1)
        return (
            self.weights.log()
            + log_normaliser(singular)
            - 0.5 * size / variance
            - 0.5 * dimensions * np.log(2.0 * np.pi * variance)
        )

    def posterior_mean(
        self, noisy: Float64[Tensor, "chain residue 3"], noise_level: float
    ) -> Float64[Tensor, "chain residue 3"]:
        """Return E[x₀ | x_σ], averaged over components and orientations, Å.

        Args:
            noisy: a chain plus normal noise, centred, Å.
            noise_level: σ, Å.
        """
        variance = self.spread**2 + noise_level**2
        left, singular, right = self._overlaps(noisy, variance)
        with torch.enable_grad():
            singular = singular.detach().requires_grad_()
            total = log_normaliser(singular).sum()
            (slope,) = torch.autograd.grad(total, singular)
        turned = (left * slope[..., None, :]) @ right @ self.means.mT
        share = self.log_density(noisy, noise_level).softmax(-1)
        mean = torch.einsum("bk,bkci->bic", share, turned)
        return (self.spread**2 * noisy + noise_level**2 * mean) / variance

    def _overlaps(
        self, noisy: Float64[Tensor, "chain residue 3"], variance: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Decompose Σ x μᵀ / v into proper rotations and signed singular values."""
        overlap = torch.einsum("bic,kid->bkcd", noisy, self.means) / variance
        left, singular, right = torch.linalg.svd(overlap)
        # The last columns and the last value take the signs of improper factors.
        hands = torch.linalg.det(left).sign(), torch.linalg.det(right).sign()
        left[..., :, 2] *= hands[0][..., None]
        right[..., 2, :] *= hands[1][..., None]
        singular[..., 2] *= hands[0] * hands[1]
        return left, singular, right


def fold_mixture(lysozyme: Chain) -> RotatedMixture:
    """Make a mixture of three folds of 32 residues of lysozyme.

    They are its first two helices, these in a mirror, and its sheet, all with the
    sequence of the first: a fold and its mirror image have the same distances, and
    differ here in weight alone.

    Args:
        lysozyme: the whole chain of 1HEL.
    """
    helices, sheet = lysozyme.coordinates[HELICES], lysozyme.coordinates[SHEET]
    means = np.stack([helices, helices * [1.0, 1.0, -1.0], sheet])
    return RotatedMixture(
        means=torch.from_numpy(means - means.mean(1, keepdims=True)),
        weights=torch.tensor(WEIGHTS, dtype=torch.float64),
        spread=SPREAD,
        residue_types=torch.from_numpy(residue_types(lysozyme.sequence[HELICES])),
    )


def log_normaliser(
    singular: Float64[Tensor, "*batch 3"],
) -> Float64[Tensor, "*batch"]:
    """Return ln ∫ exp(tr(Fᵀ R)) dR over rotations, R uniform with total measure 1.

    Args:
        singular: proper singular values of F, descending, the last one signed.

    Source: Lee 2018, arXiv:1710.03746, theorem 3.1 (matrix Fisher distribution), with
        u = 1 − t and the exponentials of the Bessel functions taken out.
    """
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    log_t = torch.from_numpy(np.log(2.0) + 0.5 * REACH * (nodes - 1.0))
    log_weight = torch.from_numpy(np.log(0.5 * REACH * weights)) + log_t
    t = log_t.exp()
    first, second, third = (part[..., None] for part in singular.unbind(-1))
    integrand = (
        torch.special.i0e(0.5 * (first - second) * t).log()
        + torch.special.i0e(0.5 * (first + second) * (2.0 - t)).log()
        - (second + third) * t
    )
    line = torch.logsumexp(integrand + log_weight, -1) - np.log(2.0)
    return singular.sum(-1) + line
