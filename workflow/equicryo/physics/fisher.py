"""Fisher information of the parameters of a density, seen through images.

Source: Kay 1993, Fundamentals of Statistical Signal Processing: Estimation Theory,
chapter 3, for Gaussian data whose mean alone depends on the parameters.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.func import jvp, vjp, vmap

COLUMNS = 16
"""Columns of the Jacobian in memory at a time."""


def fisher_information(
    coordinates: Float[Tensor, "residue 3"],
    directions: Float[Tensor, "parameter residue 3"],
    density: Callable[[Tensor], Tensor],
    curvature: Callable[[Tensor], Tensor],
) -> Float[Tensor, "parameter parameter"]:
    """Compute Jᵀ K J, with J the derivatives of V along directions of x.

    Exact for known poses: the images are Gaussian with a mean linear in V, so their
    Fisher information about V is K itself, whatever the noise realisation.

    Args:
        coordinates: where to linearise, Å.
        directions: what the parameters move, Å per unit.
        density: x → V, `[residue, 3]` to `[z, y, x]`, differentiable.
        curvature: V → K * V, linear, `[batch, z, y, x]` to the same.

    Returns:
        Symmetric matrix over the parameters.
    """
    _, pull_back = vjp(density, coordinates)

    def column(direction: Tensor) -> Tensor:
        return jvp(density, (coordinates,), (direction,))[1]

    blocks = []
    for part in directions.split(COLUMNS):
        (rows,) = vmap(pull_back)(curvature(vmap(column)(part)))
        blocks.append(rows.flatten(1) @ directions.flatten(1).T)
    fisher = torch.cat(blocks)
    return 0.5 * (fisher + fisher.mT)
