"""Fisher information of Cα positions, and the Cramér-Rao bound on their error."""

import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from equicryo.physics.fisher import fisher_information

SMALLEST_EIGENVALUE = 1e-9
"""Of the largest: the accuracy of the kernel's NUFFT, so below it is no information."""


def position_information(
    coordinates: Float[Tensor, "residue 3"],
    density: Callable[[Tensor], Tensor],
    curvature: Callable[[Tensor], Tensor],
) -> Float[Tensor, "parameter parameter"]:
    """Compute the information of images with known poses about every position.

    Args:
        coordinates: where to linearise, Å, float64.
        density: x → V, `[residue, 3]` to `[z, y, x]`, differentiable.
        curvature: of −log p(images | V), linear, `[batch, z, y, x]` to the same: K *
            for a known gain, K * without what a change of the gain explains for an
            unknown one (`Gain.curvature`).

    Returns:
        Jᵀ K J over parameters (residue, axis), residue slowest, Å⁻².
    """
    every = torch.eye(coordinates.numel()).to(coordinates)
    directions = every.view(-1, *coordinates.shape)
    return fisher_information(coordinates, directions, density, curvature)


def cramer_rao_bound(
    fisher: Float[Tensor, "parameter parameter"],
) -> Float[Tensor, " residue"]:
    """Bound the error of each residue in any unbiased estimate of x.

    Args:
        fisher: information over three parameters a residue, Å⁻², in the frame of the
            poses.

    Returns:
        Least root mean square distance of each residue from the truth, Å; all `inf`
        where the matrix is singular, for then some motion of the atoms leaves every
        image as it is.

    Source: Cramér 1946, Mathematical Methods of Statistics, section 32.6.
    """
    eigenvalues, vectors = torch.linalg.eigh(fisher)
    if eigenvalues[0] <= SMALLEST_EIGENVALUE * eigenvalues[-1]:
        return fisher.new_full((len(fisher) // 3,), math.inf)
    variance = (vectors.square() / eigenvalues).sum(-1)
    return variance.view(-1, 3).sum(-1).sqrt()


def cramer_rao_rmsd(fisher: Float[Tensor, "parameter parameter"]) -> float:
    """Bound the RMSD without superposition: √(trace(F⁻¹) / residues), Å."""
    return cramer_rao_bound(fisher).square().mean().sqrt().item()
