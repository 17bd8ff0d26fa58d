"""Local frames of a Cα chain that stay smooth where three residues are in line."""

import torch
from jaxtyping import Float
from torch import Tensor

SOFTENING = 0.3
"""Å: chords shorter than this give short frame vectors instead of undefined ones."""


def local_frames(
    coordinates: Float[Tensor, "batch residue 3"],
) -> Float[Tensor, "batch residue 3 3"]:
    """Build a frame at each residue from its chain neighbours.

    The columns are the chord from i−1 to i+1, the direction from the chord's middle to
    i made orthogonal to it, and their cross product. Lengths are softened: |v| / √(|v|²
    + ε²), so that coincident or collinear residues have finite gradients. A proper
    rotation turns the frame; a reflection flips the third column, which is what makes
    the network see chirality.

    Args:
        coordinates: Cα positions, Å.

    Returns:
        Matrices whose columns are the frame vectors, dimensionless.
    """
    before = torch.cat((coordinates[:, :1], coordinates[:, :-1]), 1)
    after = torch.cat((coordinates[:, 1:], coordinates[:, -1:]), 1)
    first = _soften(after - before)
    bulge = 2.0 * coordinates - before - after
    second = _soften(bulge - (bulge * first).sum(-1, keepdim=True) * first)
    third = torch.linalg.cross(first, second)
    return torch.stack((first, second, third), -1)


def _soften(vector: Tensor) -> Tensor:
    return vector / (vector.square().sum(-1, keepdim=True) + SOFTENING**2).sqrt()
