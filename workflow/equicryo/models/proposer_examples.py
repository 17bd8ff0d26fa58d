"""What a proposer learns from: crops of simulated maps of training chains."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from equicryo.models.proposer import CELL, MULTIPLE
from equicryo.physics.deconvolution import (
    STRENGTHS,
    describe_resolution,
    point_variance,
)
from equicryo.physics.density import MARGIN, molecule_diameter
from equicryo.physics.field_simulation import (
    ImagingConditions,
    simulate_back_projection,
    simulate_transfer,
)
from equicryo.physics.optics import Optics
from equicryo.physics.residue_density import ChainDensity, residue_blobs, single_blobs
from equicryo.physics.rotations import draw_rotations
from equicryo.physics.spectra import half_grid_frequencies
from equicryo.structure.chain_set import ChainSet
from equicryo.structure.residue_model import ResidueModel
from equicryo.structure.residues import residue_types

WIDTH = 1.5
"""Å: the blur that is taken off, and the width of a matched density's blobs."""

CROP = 32
"""Edge of a crop, voxels."""

PIXEL_SIZES = (1.19, 1.31)
"""Å: range of voxel edges. `fitting_edge` finds one for most molecules in it."""

TYPICAL_VOXEL = 1.25

TOTAL_SNR = (1.0, 300.0)
IMAGES = (10.0, 3000.0)
LOWEST_DEFOCUS = (3000.0, 15000.0)
"""Ranges of log-uniform laws; Å."""

WITHOUT_CTF = 0.2
"""Fraction of the molecules that are seen without a microscope."""

FULL_DENSITY = 0.5
"""Fraction of the molecules whose density is the residue model's."""


@dataclass(frozen=True, kw_only=True)
class Crops:
    """Crops of maps, and what is to be found in them.

    Attributes:
        field: deconvolved maps, see `deconvolve`.
        resolution: see `describe_resolution`.
        alpha: whether a Cα lies in the voxel.
        midpoint: whether the middle of a virtual bond does.
        types: residue type of a Cα in each cell; −1 where there is none.
    """

    field: Float[Tensor, "batch strength z y x"]
    resolution: Float[Tensor, "batch shell"]
    alpha: Bool[Tensor, "batch z y x"]
    midpoint: Bool[Tensor, "batch z y x"]
    types: Int[Tensor, "batch z_cell y_cell x_cell"]


def fitting_edge(extent: float) -> int:
    """Return how many voxels of about 1.25 Å a proposer's map of an extent (Å) has."""
    return MULTIPLE * max(1, round(extent / (MULTIPLE * TYPICAL_VOXEL)))


class CropExamples:
    """Simulated maps of training chains, turned at random."""

    def __init__(
        self,
        chains: ChainSet,
        model: ResidueModel,
        total_snr: tuple[float, float] = TOTAL_SNR,
    ) -> None:
        """Keep the chains.

        Args:
            chains: to learn from.
            model: of the density of half the molecules; the others are matched.
            total_snr: range of the log-uniform law.
        """
        self.chains = chains
        self.model = model
        self.total_snr = total_snr

    def draw(self, molecules: int, crops: int, generator: torch.Generator) -> Crops:
        """Draw molecules, and crops of the map of each.

        Args:
            molecules: how many.
            crops: of each.
            generator: source of the randomness.
        """
        drawn = [
            crop
            for _ in range(molecules)
            for crop in self._draw_molecule(crops, generator)
        ]
        return Crops(
            **{name: torch.stack([crop[name] for crop in drawn]) for name in drawn[0]}
        )

    def _draw_molecule(
        self, crops: int, generator: torch.Generator
    ) -> list[Mapping[str, Tensor]]:
        index = int(torch.randint(len(self.chains), (1,), generator=generator))
        sequence = self.chains.sequence_of(index)
        chain = torch.from_numpy(self.chains.coordinates_of(index)).float()
        full = torch.rand((), generator=generator) < FULL_DENSITY
        density: ChainDensity = (
            residue_blobs(sequence, self.model)
            if full
            else single_blobs(sequence, WIDTH)
        )
        pixel_size = _uniform(PIXEL_SIZES, generator)
        turn = draw_rotations(1, generator=generator)[0].float()
        offset = pixel_size * (torch.rand(3, generator=generator) - 0.5)
        chain = (chain - chain.mean(0)) @ turn.T + offset
        extent = 2.0 * float(chain.abs().max()) + MARGIN
        edge = max(CROP, MULTIPLE * math.ceil(extent / (MULTIPLE * pixel_size)))
        support = molecule_diameter(chain) + MARGIN
        conditions = draw_conditions(support, self.total_snr, generator)
        volume = density.volume(chain, edge, pixel_size, 0.0)
        field, resolution = simulate_field(
            volume,
            pixel_size,
            conditions,
            point_variance(sequence, pixel_size),
            generator=generator,
        )
        targets = mark_chain(chain, sequence, edge, pixel_size)
        whole = {"field": field, **targets}
        corners = _draw_corners(chain, edge, pixel_size, crops, generator)
        return [
            {"resolution": resolution, **_crop(whole, corner)} for corner in corners
        ]


def draw_conditions(
    support: float, total_snr: tuple[float, float], generator: torch.Generator
) -> ImagingConditions:
    """Draw how a molecule is imaged.

    Args:
        support: edge of the square over which a signal's variance is taken, Å.
        total_snr: range of the log-uniform law.
        generator: source of the randomness.
    """
    with_ctf = bool(torch.rand((), generator=generator) >= WITHOUT_CTF)
    low = _log_uniform(LOWEST_DEFOCUS, generator)
    return ImagingConditions(
        n_images=round(_log_uniform(IMAGES, generator)),
        total_snr=_log_uniform(total_snr, generator),
        support=support,
        optics=Optics(
            voltage=3e5,
            spherical_aberration=2.7e7 * with_ctf,
            amplitude_contrast=0.1 if with_ctf else 1.0,
            pixel_size=1.0,
            box_size=2 * CROP,
        ),
        defocus=(low, 2.0 * low) if with_ctf else (0.0, 0.0),
    )


def simulate_field(
    volume: Float[Tensor, "z y x"],
    pixel_size: float,
    conditions: ImagingConditions,
    variance: float,
    *,
    generator: torch.Generator,
) -> tuple[Float[Tensor, "strength z y x"], Float[Tensor, " shell"]]:
    """Draw a deconvolved map, and the description of its resolution.

    On a periodic grid `deconvolve` is a division in Fourier space.

    Args:
        volume: what is imaged, e⁻/Å³ × pixel size.
        pixel_size: edge of a voxel, Å.
        conditions: of the imaging.
        variance: of a voxel of u, see `point_variance`.
        generator: source of the randomness.
    """
    transfer = simulate_transfer(volume, pixel_size, conditions, generator=generator)
    b = simulate_back_projection(volume, transfer, generator=generator)
    frequency = half_grid_frequencies(len(volume), pixel_size)
    blur = torch.exp(-2.0 * (math.pi * WIDTH * frequency) ** 2)
    spectrum, transfer = blur * torch.fft.rfftn(b), blur.square() * transfer
    maps = [
        torch.fft.irfftn(spectrum / (transfer + 1.0 / (variance * s)), volume.shape)
        for s in STRENGTHS
    ]
    field = torch.stack(maps) / variance**0.5
    return field, describe_resolution(transfer, variance, pixel_size)


def mark_chain(
    chain: Float[Tensor, "residue 3"], sequence: str, edge: int, pixel_size: float
) -> dict[str, Tensor]:
    """Mark the voxels of a chain as the fields of `Crops`, without a batch axis.

    Args:
        chain: Cα, Å.
        sequence: one-letter codes.
        edge: of the grid, voxels.
        pixel_size: edge of a voxel, Å.
    """
    alpha, midpoint = (torch.zeros((edge,) * 3, dtype=torch.bool) for _ in range(2))
    types = torch.full((edge // CELL,) * 3, -1)
    voxels = _voxels(chain, edge, pixel_size)
    alpha[voxels] = True
    midpoint[_voxels(0.5 * (chain[1:] + chain[:-1]), edge, pixel_size)] = True
    cells = tuple(axis // CELL for axis in voxels)
    types[cells] = torch.from_numpy(residue_types(sequence))
    return {"alpha": alpha, "midpoint": midpoint, "types": types}


def _voxels(points: Tensor, edge: int, pixel_size: float) -> tuple[Tensor, ...]:
    """Return the indices z, y, x of the voxels that points lie in."""
    index = (points / pixel_size).round().long() + edge // 2
    return tuple(index.flip(-1).unbind(-1))


def _draw_corners(
    chain: Tensor, edge: int, pixel_size: float, count: int, generator: torch.Generator
) -> list[list[int]]:
    """Return the first voxels z, y, x of crops about random residues, on cells."""
    chosen = torch.randint(len(chain), (count,), generator=generator)
    middle = torch.stack(_voxels(chain[chosen], edge, pixel_size), -1)
    shift = torch.randint(-CROP // 4, CROP // 4, (count, 3), generator=generator)
    first = (middle + shift - CROP // 2).clamp(0, edge - CROP)
    return (first // CELL * CELL).tolist()


def _crop(whole: Mapping[str, Tensor], corner: list[int]) -> dict[str, Tensor]:
    cut = {}
    for name, grid in whole.items():
        cell = CELL if name == "types" else 1
        window = tuple(slice(first // cell, (first + CROP) // cell) for first in corner)
        cut[name] = grid[(..., *window)]
    return cut


def _uniform(ends: tuple[float, float], generator: torch.Generator) -> float:
    low, high = ends
    return low + (high - low) * float(torch.rand((), generator=generator))


def _log_uniform(ends: tuple[float, float], generator: torch.Generator) -> float:
    low, high = (math.log(end) for end in ends)
    return math.exp(_uniform((low, high), generator))
