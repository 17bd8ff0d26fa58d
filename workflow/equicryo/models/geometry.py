"""What the network sees of a chain: features that proper rotations leave alone."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from equicryo.structure.extent import typical_radius

WINDOW = 8
"""Residues on either side whose positions a residue sees in its own frame."""

RESIDUE_FEATURES = 2 * 3 * (2 * WINDOW + 1) + 3

DISTANCES = (2.5, 4.5, 6.5, 9.0, 12.0, 16.0, 22.0, 32.0)
"""Å: centres of the bumps that encode a distance, wide as they lie apart."""

PAIR_FEATURES = len(DISTANCES) + 6 + 9


def describe_residues(
    coordinates: Float[Tensor, "batch residue 3"],
    frames: Float[Tensor, "batch residue 3 3"],
    noisy: Float[Tensor, "batch residue 3"],
    noise_level: Float[Tensor, " batch"],
    place: Int[Tensor, "batch residue"],
) -> Float[Tensor, "batch residue feature"]:
    """Describe each residue's neighbours along the chain, in its own frame.

    Args:
        coordinates: the present estimate, centred, Å.
        frames: of the estimate.
        noisy: the noisy chain, centred, Å.
        noise_level: σ, Å.
        place: index of each residue, the last one's repeated beyond it.

    Returns:
        Where the estimate and the noisy chain put the residues of a window, and where
        the centroid lies, in units of the size that each typically has: that of the
        centroid is a folded protein's radius of gyration.
    """
    with torch.autocast(coordinates.device.type, enabled=False):
        spread = (64.0 + noise_level[:, None, None, None] ** 2).sqrt()
        own = coordinates[:, :, None]
        local = (_windows(coordinates, place) - own) / 8.0
        offset = (_windows(noisy, place) - own) / spread
        central = coordinates / typical_radius(place[:, -1, None, None] + 1.0)
        return (torch.cat((local, offset, central[:, :, None]), 2) @ frames).flatten(2)


def describe_pairs(
    coordinates: Float[Tensor, "batch residue 3"],
    frames: Float[Tensor, "batch residue 3 3"],
    dtype: torch.dtype,
) -> Float[Tensor, "batch residue residue feature"]:
    """Describe each pair: distance, the direction to each other, mutual orientation.

    Args:
        coordinates: Å.
        frames: one a residue.
        dtype: of the features, which are numbers of order one; differences of
            coordinates are taken in the precision of these.
    """
    with torch.autocast(coordinates.device.type, enabled=False):
        batch, residues, _ = coordinates.shape
        axes = frames.mT.reshape(batch, 3 * residues, 3)
        projected = (axes @ coordinates.mT).view(batch, residues, 3, residues)
        own = projected.diagonal(dim1=1, dim2=3).mT
        offset = (projected - own[..., None]).to(dtype).transpose(2, 3)
        distance = (offset.square().sum(-1, keepdim=True) + 1e-2).sqrt()
        seen = offset / distance
        turn = (
            (axes @ axes.mT)
            .to(dtype)
            .view(batch, residues, 3, residues, 3)
            .transpose(2, 3)
        )
        features = (_bumps(distance), seen, seen.transpose(1, 2), turn.flatten(3))
        return torch.cat(features, -1)


def _bumps(
    distance: Float[Tensor, "batch residue residue 1"],
) -> Float[Tensor, "batch residue residue bump"]:
    """Encode distances by Gaussians of unit width in 3 ln(d + 4).

    exp −(u − c)²/2 is that of a linear map of (u, u²): one pass over the pairs in place
    of four.
    """
    u = 3.0 * (distance + 4.0).log()
    centres = 3.0 * (torch.tensor(DISTANCES).to(distance) + 4.0).log()
    slopes = torch.stack((centres, torch.full_like(centres, -0.5)), -1)
    return nn.functional.linear(
        torch.cat((u, u.square()), -1), slopes, -0.5 * centres.square()
    ).exp()


def _windows(
    chain: Tensor, place: Tensor
) -> Float[Tensor, "batch residue neighbour 3"]:
    """Gather each residue's neighbours along the chain, ends repeated."""
    offsets = torch.arange(-WINDOW, WINDOW + 1, device=chain.device)
    last = place[:, -1:, None]
    neighbours = torch.minimum((place[..., None] + offsets).clamp(min=0), last)
    index = neighbours.flatten(1)[..., None].expand(-1, -1, 3)
    return chain.gather(1, index).unflatten(1, neighbours.shape[1:])
