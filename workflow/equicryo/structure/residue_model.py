"""Where the atoms of a residue lie, given the Cα trace around it.

The offset of an atom from its Cα is a sum of the directions of the four virtual bonds
around it and of their cross products, with coefficients that are linear in the angles
and twists of those bonds. This is a local frame without the singular cases of an
orthonormal one: smooth everywhere, it turns with the chain, and the cross products tell
left from right.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from equicryo.structure.residues import RESIDUES, residue_types

BLOBS = ("N", "CA", "C", "O", "CB", "SC")
"""What a residue may consist of; SC is the centroid of the side chain beyond Cβ."""

BACKBONE = BLOBS[:4]
"""Blobs that every residue has, alike in all types."""

SHORTEST_BOND = 1.0
"""Virtual bonds shorter than about this, Å, point nowhere: their direction fades."""

SHELL, SHELLS = 0.02, 25
"""Width, Å⁻¹, and number of the shells in which power is known."""

VECTORS, INVARIANTS = 7, 7
FEATURES = VECTORS * (1 + INVARIANTS)


@dataclass(frozen=True, kw_only=True, eq=False)
class ResidueModel:
    """Constants of every residue type, by the index of `RESIDUES`.

    Attributes:
        offsets: coefficients of each blob's offset from the Cα, Å.
        weights: electrons of each blob, 0 where the type has none.
        widths: standard deviation of each blob, Å.
        power: of the Fourier transform of all atoms' density, e⁻² a residue, in shells
            of `SHELL`.
        misfit: of what the model lacks of it.
    """

    offsets: Float64[np.ndarray, "type blob feature"]
    weights: Float64[np.ndarray, "type blob"]
    widths: Float64[np.ndarray, "type blob"]
    power: Float64[np.ndarray, " shell"]
    misfit: Float64[np.ndarray, " shell"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Placement:
    """Centres of one chain's blobs as a function of its Cα.

    Attributes:
        offsets: coefficients of every residue's offsets, Å.
        present: which blobs there are, counted residue by residue.
    """

    offsets: Float[Tensor, "residue blob feature"]
    present: Int64[Tensor, " centre"]

    @property
    def residue_of_centre(self) -> Int64[Tensor, " centre"]:
        """Residue of each blob that there is."""
        return self.present // self.offsets.shape[1]

    def place(
        self, coordinates: Float[Tensor, "*batch residue 3"]
    ) -> Float[Tensor, "*batch centre 3"]:
        """Place every blob, residue by residue, Å.

        Args:
            coordinates: of the Cα, Å.
        """
        offset = self.offsets.to(coordinates) @ local_features(coordinates)
        centres = (coordinates[..., None, :] + offset).flatten(-3, -2)
        return centres.index_select(-2, self.present.to(coordinates.device))


def prepare_placement(
    offsets: Float64[np.ndarray, "type blob feature"], sequence: str
) -> Placement:
    """Choose the constants of a chain's residues.

    Args:
        offsets: coefficients of all residue types, Å.
        sequence: one-letter codes of standard residues.
    """
    types = residue_types(sequence)
    return Placement(
        offsets=torch.from_numpy(offsets[types]),
        present=torch.from_numpy(np.flatnonzero(blob_mask()[types])),
    )


@cache
def blob_mask() -> np.ndarray:
    """Return which of `BLOBS` each type of `RESIDUES` has, `bool[type, blob]`."""
    mask = np.ones((len(RESIDUES), len(BLOBS)), dtype=bool)
    mask[RESIDUES.index("G"), BLOBS.index("CB")] = False
    for letter in "GA":
        mask[RESIDUES.index(letter), BLOBS.index("SC")] = False
    return mask


def local_features(
    coordinates: Float[Tensor, "*batch residue 3"],
) -> Float[Tensor, "*batch residue feature 3"]:
    """Describe the course of the chain around each residue.

    With u₁ … u₄ the directions of the bonds from residue i−2 to i+2: the vectors u₁,
    u₂, u₃, u₄, u₁×u₂, u₂×u₃, u₃×u₄, each times 1, u₁·u₂, u₂·u₃, u₃·u₄, u₁·u₃, u₂·u₄,
    u₁×u₂·u₃ and u₂×u₃·u₄. Beyond an end the bonds come back in reverse order: the one
    before the first is like the second.

    Args:
        coordinates: of at least three Cα, Å.

    Returns:
        Vectors that turn with the chain under proper rotations.
    """
    bonds = coordinates.diff(dim=-2)
    length = (bonds.square().sum(-1, keepdim=True) + SHORTEST_BOND**2).sqrt()
    window = _bond_window(coordinates.shape[-2]).to(coordinates.device)
    u1, u2, u3, u4 = (bonds / length)[..., window, :].unbind(-2)
    u12, u23, u34 = (
        torch.linalg.cross(first, second)
        for first, second in ((u1, u2), (u2, u3), (u3, u4))
    )
    pairs = ((u1, u2), (u2, u3), (u3, u4), (u1, u3), (u2, u4), (u12, u3), (u23, u4))
    scalars = [torch.ones_like(u1[..., 0])]
    scalars += [(first * second).sum(-1) for first, second in pairs]
    vectors = torch.stack([u1, u2, u3, u4, u12, u23, u34], dim=-2)
    products = torch.stack(scalars, dim=-1)[..., None, :, None] * vectors[..., None, :]
    return products.flatten(-3, -2)


def _bond_window(residues: int) -> Int64[Tensor, "residue 4"]:
    """Index the two bonds before and the two after each residue."""
    last = residues - 2
    if last < 1:
        raise ValueError(f"a chain of {residues} residues has no course: 3 are needed")
    bond = (torch.arange(residues)[:, None] + torch.arange(-2, 2)).abs()
    return (last - (last - bond).abs()).clamp(min=0)
