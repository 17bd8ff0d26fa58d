"""A 3-D network that finds Cα atoms in a deconvolved map.

It sees voxels of about 1.25 Å and works on cells of eight of them. Its maps are
equivariant to translations; rotations it learns from the data, and averages over the
cube group when it is used.

Source: a U-Net of two levels; Ronneberger et al. 2015, arXiv:1505.04597; modulated by
    the signal-to-noise ratio as in Perez et al. 2018 (FiLM), arXiv:1709.07871.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from equicryo.physics.deconvolution import SHELLS, STRENGTHS
from equicryo.structure.residues import RESIDUES

CELL = 2
"""Edge of a cell, voxels."""

MULTIPLE = 2 * CELL
"""Edges of maps are multiples of this many voxels."""

RARE = -4.5
"""Log odds of a voxel to hold an atom, before anything is learnt: one in ninety."""


@dataclass(frozen=True, kw_only=True)
class ProposerConfig:
    """Size of the network.

    Attributes:
        width: features of a cell.
        inner_width: features of eight cells, on the lower level.
        blocks: pairs of convolutions: as many before and after, and on the lower level.
    """

    width: int
    inner_width: int
    blocks: int


@dataclass(frozen=True, kw_only=True)
class Marks:
    """What the network says of each voxel, and of each cell.

    Attributes:
        alpha: log odds that a Cα lies in the voxel.
        midpoint: log odds that the middle of a virtual bond does.
        types: logits of the residue types, if a Cα lies in the cell.
    """

    alpha: Float[Tensor, "batch z y x"]
    midpoint: Float[Tensor, "batch z y x"]
    types: Float[Tensor, "batch type z_cell y_cell x_cell"]


class ResidualBlock(nn.Module):
    """Two convolutions beside an identity, the features between them modulated."""

    def __init__(self, width: int, conditions: int) -> None:
        """Create the maps."""
        super().__init__()
        self.first = nn.Conv3d(width, width, 3, padding=1)
        self.second = nn.Conv3d(width, width, 3, padding=1)
        self.modulate = nn.Linear(conditions, 2 * width)

    def forward(
        self,
        features: Float[Tensor, "batch width z y x"],
        conditions: Float[Tensor, "batch condition"],
    ) -> Float[Tensor, "batch width z y x"]:
        """Add what the convolutions find."""
        scale, shift = self.modulate(conditions)[..., None, None, None].chunk(2, 1)
        inside = self.first(functional.silu(features)) * (1.0 + scale) + shift
        return features + self.second(functional.silu(inside))


class Proposer(nn.Module):
    """Map and signal-to-noise ratio in, marks of Cα atoms out."""

    def __init__(self, config: ProposerConfig) -> None:
        """Create the network."""
        super().__init__()
        width, inner = config.width, config.inner_width
        self.condition = nn.Sequential(nn.Linear(len(SHELLS), width), nn.SiLU())
        self.stem = nn.Conv3d(len(STRENGTHS) * CELL**3, width, 3, padding=1)
        self.before, self.after = (
            nn.ModuleList(ResidualBlock(width, width) for _ in range(config.blocks))
            for _ in range(2)
        )
        self.inside = nn.ModuleList(
            ResidualBlock(inner, width) for _ in range(config.blocks)
        )
        self.down = nn.Conv3d(width, inner, 2, stride=2)
        self.up = nn.ConvTranspose3d(inner, width, 2, stride=2)
        self.head = nn.Conv3d(width, 2 * CELL**3 + len(RESIDUES), 1)

    def forward(
        self,
        field: Float[Tensor, "batch strength z y x"],
        resolution: Float[Tensor, "batch shell"],
    ) -> Marks:
        """Mark the voxels.

        Args:
            field: of `deconvolve`; its edge a multiple of `MULTIPLE`.
            resolution: of `describe_resolution`.
        """
        conditions = self.condition(resolution)
        features = self.stem(space_to_depth(field))
        for block in self.before:
            features = block(features, conditions)
        inner = self.down(functional.silu(features))
        for block in self.inside:
            inner = block(inner, conditions)
        features = features + self.up(functional.silu(inner))
        for block in self.after:
            features = block(features, conditions)
        marks = self.head(functional.silu(features)).float()
        occupancies = depth_to_space(marks[:, : 2 * CELL**3])
        return Marks(
            alpha=occupancies[:, 0],
            midpoint=occupancies[:, 1],
            types=marks[:, 2 * CELL**3 :],
        )


def space_to_depth(
    voxels: Float[Tensor, "batch channel z y x"],
) -> Float[Tensor, "batch depth z_cell y_cell x_cell"]:
    """Gather the voxels of each cell as features, channel slowest."""
    batch, channels, *edges = voxels.shape
    z, y, x = (edge // CELL for edge in edges)
    split = voxels.view(batch, channels, z, CELL, y, CELL, x, CELL)
    cells = split.permute(0, 1, 3, 5, 7, 2, 4, 6)
    return cells.reshape(batch, channels * CELL**3, z, y, x)


def depth_to_space(
    cells: Float[Tensor, "batch depth z_cell y_cell x_cell"],
) -> Float[Tensor, "batch channel z y x"]:
    """Undo `space_to_depth`."""
    batch, depth, z, y, x = cells.shape
    split = cells.view(batch, depth // CELL**3, CELL, CELL, CELL, z, y, x)
    voxels = split.permute(0, 1, 5, 2, 6, 3, 7, 4)
    return voxels.reshape(batch, depth // CELL**3, CELL * z, CELL * y, CELL * x)


def initialise(proposer: Proposer, generator: torch.Generator) -> None:
    """Draw the starting weights: blocks change nothing, and atoms are rare everywhere.

    Args:
        proposer: changed in place.
        generator: source of the randomness.

    Source: He et al. 2015, arXiv:1502.01852, for the spread of the weights.
    """
    for name, module in proposer.named_modules():
        if isinstance(module, nn.Conv3d | nn.ConvTranspose3d | nn.Linear):
            inputs = module.weight[0].numel()
            if isinstance(module, nn.ConvTranspose3d):
                inputs = module.in_channels
            nn.init.normal_(
                module.weight, std=(2.0 / inputs) ** 0.5, generator=generator
            )
            nn.init.zeros_(module.bias)
            if name.endswith(("second", "modulate")):
                nn.init.zeros_(module.weight)
    with torch.no_grad():
        proposer.head.weight *= 0.1
        proposer.head.bias[: 2 * CELL**3] = RARE
