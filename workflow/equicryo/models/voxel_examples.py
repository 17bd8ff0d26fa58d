"""What a voxel prior learns from: density of chains, made anew for every batch."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from equicryo.physics.density import (
    MARGIN,
    band_limited_volume,
    molecule_diameter,
)
from equicryo.physics.gaussian_posterior import filter_volume
from equicryo.physics.residue_density import residue_blobs
from equicryo.physics.rotations import draw_rotations
from equicryo.physics.spectra import below_nyquist
from equicryo.structure.chain_set import ChainSet
from equicryo.structure.flexibility import relative_b_factors
from equicryo.structure.residue_model import BLOBS, ResidueModel

MODEL_B_FACTOR = 22.0
"""Å²: mean B-factor of the atoms to which the residue model's widths were fitted."""

LEAST_VARIANCE = 0.05
"""Å²: of a blob whose atoms are sharper than those of the residue model."""

LARGEST_SHIFT = 2.0
"""Å, along each axis, of a chain's centroid from the box's centre."""


@dataclass(frozen=True, kw_only=True)
class GridConfig:
    """Which volumes a voxel prior speaks of.

    Attributes:
        box_size: edge of the grid, voxels.
        pixel_sizes: edges of a voxel, ascending, Å. A chain is sampled at the first at
            which it fits into the box.
        b_factors: least and largest mean B-factor of a chain, Å².
    """

    box_size: int
    pixel_sizes: tuple[float, ...]
    b_factors: tuple[float, float]

    def __post_init__(self) -> None:
        """Refuse grids out of order, and B-factors without a range."""
        if list(self.pixel_sizes) != sorted(set(self.pixel_sizes)):
            raise ValueError(f"pixel_sizes {self.pixel_sizes} do not ascend: sort them")
        if not self.b_factors[0] < self.b_factors[1]:
            raise ValueError(f"b_factors {self.b_factors} do not ascend: swap them")

    def pixel_index(self, diameter: float) -> int | None:
        """Return which pixel size a molecule is sampled at; None if it fits none.

        Args:
            diameter: largest distance of two Cα, Å.
        """
        for index, pixel_size in enumerate(self.pixel_sizes):
            if diameter + MARGIN <= self.box_size * pixel_size:
                return index
        return None


@dataclass(frozen=True, kw_only=True)
class VolumeBatch:
    """Clean volumes.

    Attributes:
        volume: e⁻/Å³ × pixel size, float32.
        pixel_index: which of the prior's pixel sizes each is sampled at.
    """

    volume: Float[Tensor, "batch z y x"]
    pixel_index: Int[Tensor, " batch"]


class VolumeExamples:
    """Density of chains by the residue model, turned at random; no volume is stored."""

    def __init__(self, chains: ChainSet, model: ResidueModel, grid: GridConfig) -> None:
        """Keep the chains that fit into the largest box.

        Args:
            chains: of standard residues.
            model: constants of the residue model.
            grid: which volumes are made of them.
        """
        diameters = [
            molecule_diameter(torch.from_numpy(chains.coordinates_of(index)))
            for index in range(len(chains))
        ]
        indices = [grid.pixel_index(diameter) for diameter in diameters]
        fitting = [number for number, index in enumerate(indices) if index is not None]
        self.chains = chains.select(fitting)
        self.pixel_indices = [indices[number] for number in fitting]
        self.model = model
        self.grid = grid

    def draw(self, count: int, generator: torch.Generator) -> VolumeBatch:
        """Draw volumes of chains, with repetition."""
        chosen = torch.randint(len(self.chains), (count,), generator=generator)
        return self.make(chosen.tolist(), generator)

    def make(self, chains: list[int], generator: torch.Generator) -> VolumeBatch:
        """Make a volume of each chain, its pose and B-factors drawn at random.

        Args:
            chains: their indices.
            generator: source of the randomness.
        """
        volumes = [self._volume(index, generator) for index in chains]
        indices = [self.pixel_indices[index] for index in chains]
        return VolumeBatch(
            volume=torch.stack(volumes), pixel_index=torch.tensor(indices)
        )

    def _volume(self, index: int, generator: torch.Generator) -> Tensor:
        chain = self.chains.coordinates_of(index)
        rotation = draw_rotations(1, generator=generator)[0].numpy()
        shift = 2.0 * torch.rand(3, dtype=torch.float64, generator=generator) - 1.0
        placed = (chain - chain.mean(0)) @ rotation.T + LARGEST_SHIFT * shift.numpy()
        low, high = (math.log(value) for value in self.grid.b_factors)
        unit = float(torch.rand((), generator=generator))
        b_factors = math.exp(low + (high - low) * unit) * relative_b_factors(chain)
        pixel_size = self.grid.pixel_sizes[self.pixel_indices[index]]
        return chain_volume(
            placed,
            self.chains.sequence_of(index),
            b_factors,
            self.model,
            (self.grid.box_size, pixel_size),
        )


def chain_volume(
    coordinates: np.ndarray,
    sequence: str,
    b_factors: np.ndarray,
    model: ResidueModel,
    grid: tuple[int, float],
) -> Float[Tensor, "z y x"]:
    """Sample a chain's density with side chains, each residue with its own B-factor.

    Args:
        coordinates: Cα positions, Å, `float[residue, 3]`.
        sequence: one-letter codes of standard residues.
        b_factors: of each residue, Å².
        model: constants of the residue model.
        grid: edge, voxels, and pixel size, Å.

    Returns:
        e⁻/Å³ × pixel size below the Nyquist frequency, as in maps made of images,
        float32.
    """
    blobs = residue_blobs(sequence, model)
    residue = blobs.placement.present // len(BLOBS)
    added = (torch.from_numpy(b_factors)[residue] - MODEL_B_FACTOR) / (8.0 * math.pi**2)
    variance = (blobs.widths.square() + added).clamp(min=LEAST_VARIANCE)
    place = blobs.placement.place(torch.from_numpy(coordinates))
    volume = band_limited_volume(
        place.float(), blobs.weights.float(), variance.sqrt().float(), *grid
    )
    return filter_volume(volume, below_nyquist(grid[0]).to(volume))
