"""Whitening of a chain: how its conformers differ from their mean, in its own frame."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from equicryo.structure.superposition import superpose

PROCRUSTES_ROUNDS = 10
"""Superpositions on the running mean; it settles after two or three."""

LARGEST_AMPLITUDE = 4.0
"""Standard deviations along a mode that no conformer of an ensemble goes beyond."""


class EnsembleWhitening(nn.Module):
    """Gaussian of an ensemble of conformers in the frame of their mean.

    A chain is x = Q (μ + R z) + t with Q a rotation, t a translation and z standard
    normal; R = basis √variance. Saved with the weights of the denoiser it belongs to.

    Attributes:
        mean: μ, centred, Å.
        basis: orthonormal directions, without rigid motions.
        variance: along each direction, Å².
    """

    def __init__(
        self,
        mean: Float[Tensor, "residue 3"],
        basis: Float[Tensor, "residue 3 mode"],
        variance: Float[Tensor, " mode"],
    ) -> None:
        """Hold the three tensors, in float64."""
        super().__init__()
        self.register_buffer("mean", mean.double())
        self.register_buffer("basis", basis.double())
        self.register_buffer("variance", variance.double())

    def forward(
        self,
        noisy: Float[Tensor, "batch residue 3"],
        noise_level: Float[Tensor, " batch"],
        present: Bool[Tensor, "batch residue"],
    ) -> Float[Tensor, "batch residue 3"]:
        """Return the posterior mean of chains under the Gaussian, Å.

        The rotation Q is the one that superposes μ on the noisy chain; what remains is
        linear, R Rᵀ (R Rᵀ + σ²)⁻¹, as long as the conformer is one of the ensemble's
        kind: amplitudes saturate at four standard deviations.

        Args:
            noisy: clean coordinates plus normal noise, centred, float64, Å.
            noise_level: σ, Å.
            present: which residues there are; an ensemble has them all.

        Raises:
            ValueError: a residue is missing.
        """
        if not present.all():
            raise ValueError(
                f"a chain has fewer than the {len(self.mean)} residues of the ensemble"
            )
        rotation = orient(self.mean, noisy)
        deviation = noisy @ rotation - self.mean
        amplitude = torch.einsum("bic,icm->bm", deviation, self.basis)
        shrunk = amplitude * _shrinkage(self.variance, noise_level)
        shrunk = _saturate(shrunk, LARGEST_AMPLITUDE * self.variance.sqrt())
        body = self.mean + torch.einsum("bm,icm->bic", shrunk, self.basis)
        return body @ rotation.mT

    @property
    def modes(self) -> int:
        """Number of directions along which conformers differ."""
        return len(self.variance)

    def deviation(
        self,
        noise_level: Float[Tensor, " batch"],
        present: Bool[Tensor, "batch residue"],
    ) -> Float[Tensor, " batch"]:
        """Return the spread per coordinate that the posterior mean leaves, Å.

        The three unknown angles count as directions whose variance, for a molecule that
        may point anywhere, is the mean square distance from their axes.
        """
        turning = (2.0 / 3.0) * self.mean.square().sum()
        variance = torch.cat((self.variance, turning.expand(3)))
        left = (_shrinkage(variance, noise_level) * noise_level[:, None] ** 2).sum(-1)
        return (left / (3 * present.sum(1))).sqrt()

    def directions(
        self, chain: Float[Tensor, "residue 3"]
    ) -> tuple[Float[Tensor, "parameter mode"], Float[Tensor, " mode"]]:
        """Return how conformers spread about a chain, in the frame of that chain.

        Args:
            chain: one chain, Å, in any place.

        Returns:
            Orthonormal directions over (residue, axis), residue slowest, and their
            variances, Å²: infinite for the six rigid motions, which come first.
        """
        centred = chain.to(self.mean) - chain.to(self.mean).mean(0)
        rotation = orient(self.mean, centred[None])[0]
        inner = torch.einsum("ab,ibm->iam", rotation, self.basis).flatten(0, 1)
        axes = torch.eye(3).to(self.mean)
        shifts = axes.expand(len(centred), 3, 3)
        turns = torch.linalg.cross(axes.expand(len(centred), 3, 3), centred[:, None])
        rigid = torch.cat((shifts, turns.mT), -1).flatten(0, 1)
        basis, _ = torch.linalg.qr(torch.cat((rigid, inner), 1))
        free = torch.full((6,), torch.inf).to(self.mean)
        return basis, torch.cat((free, self.variance))


def _saturate(amplitude: Tensor, limit: Tensor) -> Tensor:
    """Keep amplitudes below a limit; one at half of it changes by 0.05 %."""
    return amplitude / (1.0 + (amplitude / limit) ** 8) ** 0.125


def _shrinkage(variance: Tensor, noise_level: Tensor) -> Tensor:
    return 1.0 / (1.0 + noise_level[:, None] ** 2 / variance)


def fit_whitening(
    conformers: Float[Tensor, "conformer residue 3"],
) -> EnsembleWhitening:
    """Fit the Gaussian of an ensemble after superposing it on its own mean.

    Args:
        conformers: Cα positions, Å, in any orientation.

    Returns:
        The mean and all principal components of the ensemble.

    Source: generalised Procrustes analysis; Gower 1975, doi:10.1007/BF02291478.
    """
    chains = conformers.double()
    chains = chains - chains.mean(1, keepdim=True)
    mean = chains[0]
    for _ in range(PROCRUSTES_ROUNDS):
        aligned = superpose(chains, mean).apply(chains)
        mean = aligned.mean(0)
    deviation = (aligned - mean).flatten(1)
    _, singular, directions = torch.linalg.svd(deviation, full_matrices=False)
    variance = singular.square() / (len(chains) - 1)
    kept = variance > variance[0] * 1e-9
    basis = directions[kept].T.unflatten(0, mean.shape)
    return EnsembleWhitening(mean, basis.contiguous(), variance[kept])


def orient(
    mean: Float[Tensor, "residue 3"], chains: Float[Tensor, "batch residue 3"]
) -> Float[Tensor, "batch 3 3"]:
    """Find the proper rotations that superpose a centred mean on centred chains.

    Differentiable in `chains` through the condition that Rᵀ M is symmetric, M = Σ x μᵀ,
    which stays finite where the derivative of a singular value decomposition does not.

    Args:
        mean: μ, centred, Å.
        chains: x, centred, Å.

    Returns:
        R with x ≈ R μ.
    """
    with torch.no_grad():
        rotation = superpose(mean, chains).rotation
    product = rotation.mT @ (chains.mT @ mean)
    symmetric = (0.5 * (product + product.mT)).detach()
    identity = torch.eye(3, dtype=mean.dtype, device=mean.device)
    trace = symmetric.diagonal(dim1=-2, dim2=-1).sum(-1)[..., None, None]
    skew = product - product.mT
    torque = torch.stack((skew[..., 2, 1], skew[..., 0, 2], skew[..., 1, 0]), -1)
    turn = torch.linalg.solve(trace * identity - symmetric, torque)
    # Zero in value: the rotation is already optimal. Only its derivative is needed.
    turn = turn - turn.detach()
    x, y, z = turn.unbind(-1)
    zero = torch.zeros_like(x)
    cross = torch.stack((zero, -z, y, z, zero, -x, -y, x, zero), -1)
    return rotation @ (identity + cross.unflatten(-1, (3, 3)))
