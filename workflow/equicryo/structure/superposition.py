"""Optimal superposition of Cα clouds by proper rotations only.

A mirror image is a different molecule, so reflections are never allowed.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True, kw_only=True, eq=False)
class Superposition:
    """Rigid motions x → R x + t.

    Attributes:
        rotation: proper matrices R, acting on column vectors.
        translation: t, Å.
    """

    rotation: Float[Tensor, "*batch 3 3"]
    translation: Float[Tensor, "*batch 3"]

    def apply(
        self, coordinates: Float[Tensor, "*#batch residue 3"]
    ) -> Float[Tensor, "... residue 3"]:
        """Move coordinates, Å, of equal or broadcastable batch axes."""
        return coordinates @ self.rotation.mT + self.translation.unsqueeze(-2)


def superpose(
    mobile: Float[Tensor, "*#batch residue 3"],
    target: Float[Tensor, "*#batch residue 3"],
) -> Superposition:
    """Find the rigid motions that bring `mobile` closest to `target`.

    Residue i is compared with residue i. Batch axes broadcast, so many samples may
    be superposed on one truth.

    Args:
        mobile: coordinates to be moved, Å.
        target: coordinates to be met, Å.

    Returns:
        The motions of least RMSD among proper rotations and translations. Where
        several are equally good (one residue, a line), one of them.

    Source: Kabsch 1978, doi:10.1107/S0567739478001680.
    """
    mobile_centre = mobile.mean(-2, keepdim=True)
    target_centre = target.mean(-2, keepdim=True)
    covariance = (target - target_centre).mT @ (mobile - mobile_centre)
    left, _, right = torch.linalg.svd(covariance)
    handedness = torch.linalg.det(left @ right).sign()
    unit = torch.ones_like(handedness)
    signs = torch.stack([unit, unit, handedness], dim=-1)
    rotation = (left * signs.unsqueeze(-2)) @ right
    translation = target_centre - mobile_centre @ rotation.mT
    return Superposition(rotation=rotation, translation=translation.squeeze(-2))


def rmsd(
    mobile: Float[Tensor, "*#batch residue 3"],
    target: Float[Tensor, "*#batch residue 3"],
) -> Float[Tensor, "..."]:
    """Measure the index RMSD after the best proper superposition.

    Args:
        mobile: coordinates, Å.
        target: coordinates, Å.

    Returns:
        Å, one a pair of the broadcast batch axes.
    """
    return rmsd_unaligned(superpose(mobile, target).apply(mobile), target)


def rmsd_unaligned(
    first: Float[Tensor, "*#batch residue 3"],
    second: Float[Tensor, "*#batch residue 3"],
) -> Float[Tensor, "..."]:
    """Measure the index RMSD as the coordinates lie.

    Args:
        first: coordinates, Å.
        second: coordinates, Å.

    Returns:
        Å, one a pair of the broadcast batch axes.
    """
    return (first - second).square().sum(-1).mean(-1).sqrt()


def radius_of_gyration(
    coordinates: Float[Tensor, "*batch residue 3"],
) -> Float[Tensor, "*batch"]:
    """Measure the root mean square distance from the centroid, Å."""
    centred = coordinates - coordinates.mean(-2, keepdim=True)
    return centred.square().sum(-1).mean(-1).sqrt()
