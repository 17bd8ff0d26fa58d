"""What a voxel prior learns from: density of chains, made anew for every batch."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from equicryo.physics.all_atom import scatter_atoms
from equicryo.physics.density import (
    MARGIN,
    band_limited_volume,
    molecule_diameter,
)
from equicryo.physics.gaussian_posterior import filter_volume
from equicryo.physics.residue_density import residue_blobs
from equicryo.physics.rotations import draw_rotations
from equicryo.physics.spectra import below_nyquist
from equicryo.structure.atoms import AtomicModel, alpha_carbons
from equicryo.structure.chain_set import ChainSet
from equicryo.structure.flexibility import relative_b_factors
from equicryo.structure.residue_model import BLOBS, ResidueModel

MODEL_B_FACTOR = 22.0
"""Å²: mean B-factor of the atoms to which the residue model's widths were fitted."""

LEAST_VARIANCE = 0.05
"""Å²: of a blob whose atoms are sharper than those of the residue model."""

LARGEST_SHIFT = 2.0
"""Å, along each axis, of a chain's centroid from the box's centre."""

ALL_ATOM_SHARE = 0.5
"""Of the volumes drawn, those of chains with all their atoms, where there are any."""


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
    """Density of chains, turned at random; no volume is stored.

    Most chains are known by their Cα alone, and the residue model gives them side
    chains; some have all their atoms, as images show them.

    Attributes:
        chains: known by their Cα.
        atoms: with all their atoms; they are counted on from the last of `chains`.
        pixel_indices: at which of the prior's pixel sizes each of both is sampled.
    """

    def __init__(
        self,
        chains: ChainSet,
        model: ResidueModel,
        grid: GridConfig,
        atoms: Sequence[AtomicModel] = (),
    ) -> None:
        """Keep the chains that fit into the largest box.

        Args:
            chains: of standard residues.
            model: constants of the residue model.
            grid: which volumes are made of them.
            atoms: chains with all their atoms.
        """
        traces = [chains.coordinates_of(index) for index in range(len(chains))]
        pixels = [_pixel_index(trace, grid) for trace in traces]
        fitting = [number for number, index in enumerate(pixels) if index is not None]
        atom_pixels = [_pixel_index(alpha_carbons(a).coordinates, grid) for a in atoms]
        kept = [
            (one, index)
            for one, index in zip(atoms, atom_pixels, strict=True)
            if index is not None
        ]
        self.chains = chains.select(fitting)
        self.atoms = [one for one, _ in kept]
        self.pixel_indices = [pixels[number] for number in fitting]
        self.pixel_indices += [index for _, index in kept]
        self.model = model
        self.grid = grid

    def draw(self, count: int, generator: torch.Generator) -> VolumeBatch:
        """Draw volumes, with repetition."""
        chains = torch.randint(len(self.chains), (count,), generator=generator)
        if not self.atoms:
            return self.make(chains.tolist(), generator)
        atoms = torch.randint(len(self.atoms), (count,), generator=generator)
        whole = torch.rand(count, generator=generator) < ALL_ATOM_SHARE
        chosen = torch.where(whole, len(self.chains) + atoms, chains)
        return self.make(chosen.tolist(), generator)

    def make(self, indices: Sequence[int], generator: torch.Generator) -> VolumeBatch:
        """Make volumes, poses and B-factors drawn at random.

        Args:
            indices: of chains.
            generator: source of the randomness.
        """
        volumes = [self._volume(index, generator) for index in indices]
        pixels = [self.pixel_indices[index] for index in indices]
        return VolumeBatch(
            volume=torch.stack(volumes), pixel_index=torch.tensor(pixels)
        )

    def _volume(self, index: int, generator: torch.Generator) -> Tensor:
        grid = (self.grid.box_size, self.grid.pixel_sizes[self.pixel_indices[index]])
        if index < len(self.chains):
            alpha = self.chains.coordinates_of(index)
            pose = self._draw_pose(alpha, generator)
            sequence = self.chains.sequence_of(index)
            b_factors = self._draw_b_factors(alpha, generator)
            return chain_volume(pose(alpha), sequence, b_factors, self.model, grid)
        atoms = self.atoms[index - len(self.chains)]
        alpha = alpha_carbons(atoms).coordinates
        pose = self._draw_pose(alpha, generator)
        b_factors = self._draw_b_factors(alpha, generator)[atoms.residue_index]
        sharp = replace(atoms, b_factors=b_factors)
        return atomic_volume(sharp, pose(atoms.coordinates), grid)

    def _draw_pose(
        self, alpha: np.ndarray, generator: torch.Generator
    ) -> Callable[[np.ndarray], np.ndarray]:
        rotation = draw_rotations(1, generator=generator)[0].numpy()
        unit = 2.0 * torch.rand(3, dtype=torch.float64, generator=generator) - 1.0
        shift, centre = LARGEST_SHIFT * unit.numpy(), alpha.mean(0)
        return lambda places: (places - centre) @ rotation.T + shift

    def _draw_b_factors(
        self, alpha: np.ndarray, generator: torch.Generator
    ) -> np.ndarray:
        low, high = (math.log(value) for value in self.grid.b_factors)
        unit = float(torch.rand((), generator=generator))
        return math.exp(low + (high - low) * unit) * relative_b_factors(alpha)


def _pixel_index(alpha: np.ndarray, grid: GridConfig) -> int | None:
    return grid.pixel_index(molecule_diameter(torch.from_numpy(alpha)))


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
    return _sample(place, blobs.weights, variance.sqrt(), grid)


def atomic_volume(
    atoms: AtomicModel, coordinates: np.ndarray, grid: tuple[int, float]
) -> Float[Tensor, "z y x"]:
    """Sample the density of a chain with all its atoms.

    Args:
        atoms: elements, B-factors and occupancies.
        coordinates: of the atoms, Å, `float[atom, 3]`.
        grid: edge, voxels, and pixel size, Å.

    Returns:
        e⁻/Å³ × pixel size below the Nyquist frequency, as in maps made of images,
        float32.
    """
    blobs = scatter_atoms(atoms, coordinates)
    return _sample(blobs.coordinates, blobs.weights, blobs.width, grid)


def _sample(
    place: Tensor, weights: Tensor, width: Tensor, grid: tuple[int, float]
) -> Tensor:
    """Sample blobs below the Nyquist frequency, corners included, in float32."""
    volume = band_limited_volume(place.float(), weights.float(), width.float(), *grid)
    return filter_volume(volume, below_nyquist(grid[0]).to(volume))
