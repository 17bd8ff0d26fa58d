"""The density that a Cα trace stands for, in the models that reconstructions use.

Source: elementary sums of Gaussians; the residue model's constants are fitted in
`residue_fit`.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from equicryo.physics.density import band_limited_volume, gaussian_volume
from equicryo.physics.gain import Gain
from equicryo.physics.model_error import discount_misfit
from equicryo.physics.normal_equations import NormalEquations
from equicryo.structure.residue_model import (
    Placement,
    ResidueModel,
    blob_mask,
    prepare_placement,
)
from equicryo.structure.residues import residue_electrons, residue_types


class ChainDensity(ABC):
    """How a chain's density follows from its Cα coordinates.

    Attributes:
        width: standard deviation of the narrowest blob, Å.
        shared_spread: how much the amplitudes of neighbours, of which 1 is expected,
            vary together.
        own_spread: how much each varies by itself.
    """

    width: float
    shared_spread: float
    own_spread: float

    @abstractmethod
    def volume(
        self,
        coordinates: Float[Tensor, "*batch residue 3"],
        box_size: int,
        pixel_size: float,
        blur: float,
    ) -> Float[Tensor, "*batch z y x"]:
        """Sample the density on a cubic grid, differentiable in the coordinates.

        Args:
            coordinates: of the Cα, Å.
            box_size: edge of the grid, voxels; the origin is on voxel box_size // 2.
            pixel_size: edge of a voxel, Å.
            blur: standard deviation of a Gaussian that widens all blobs, Å.

        Returns:
            e⁻/Å³ × pixel size, dtype and device of `coordinates`.
        """

    @abstractmethod
    def residue_volumes(
        self,
        coordinates: Float[Tensor, "residue 3"],
        box_size: int,
        pixel_size: float,
    ) -> Float[Tensor, "residue z y x"]:
        """Sample the density of each residue by itself; they add to `volume`.

        Args:
            coordinates: of the Cα, Å.
            box_size: edge of the grid, voxels.
            pixel_size: edge of a voxel, Å.
        """

    @abstractmethod
    def discount(self, normal: NormalEquations, gain: Gain) -> NormalEquations:
        """Take what this model cannot explain of a molecule for noise of its images.

        Args:
            normal: of the images.
            gain: what is known of their intensity.
        """


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class SingleBlobs(ChainDensity):
    """One Gaussian a residue, at its Cα; for images that show nothing else.

    Attributes:
        weights: electrons of each residue.
        width: standard deviation of all blobs, Å.
    """

    weights: Float[Tensor, " residue"]
    width: float
    shared_spread: ClassVar[float] = 0.0
    own_spread: ClassVar[float] = 0.0

    def volume(
        self,
        coordinates: Float[Tensor, "*batch residue 3"],
        box_size: int,
        pixel_size: float,
        blur: float,
    ) -> Float[Tensor, "*batch z y x"]:
        """Sample the density on a cubic grid; see `ChainDensity.volume`.

        Args:
            coordinates: of the Cα, Å.
            box_size: edge of the grid, voxels.
            pixel_size: edge of a voxel, Å.
            blur: of all blobs, Å.
        """
        return gaussian_volume(
            coordinates,
            self.weights.to(coordinates),
            math.hypot(self.width, blur),
            box_size,
            pixel_size,
        )

    def residue_volumes(
        self,
        coordinates: Float[Tensor, "residue 3"],
        box_size: int,
        pixel_size: float,
    ) -> Float[Tensor, "residue z y x"]:
        """Sample each residue's blob; see `ChainDensity.residue_volumes`.

        Args:
            coordinates: of the Cα, Å.
            box_size: edge of the grid, voxels.
            pixel_size: edge of a voxel, Å.
        """
        unit = coordinates.new_ones(1)
        blobs = gaussian_volume(
            coordinates[:, None], unit, self.width, box_size, pixel_size
        )
        return self.weights.to(coordinates)[:, None, None, None] * blobs

    def discount(self, normal: NormalEquations, gain: Gain) -> NormalEquations:
        """Return the normal equations as they are: nothing is unexplained.

        Args:
            normal: of the images.
            gain: what is known of their intensity.
        """
        return normal


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class ResidueBlobs(ChainDensity):
    """N, Cα, C, O, Cβ and a side-chain centroid in every residue that has them.

    Amplitudes spread as widely as those of training chains in their place do, with mean
    B-factors from 10 to 80 Å² that rise towards the surface.

    Attributes:
        placement: where the blobs lie.
        weights: electrons of each.
        widths: standard deviation of each, Å.
        power: of the Fourier transform of all atoms' density, e⁻², in shells of
            `SHELL`.
        misfit: of what the model lacks of it, a residue.
    """

    placement: Placement
    weights: Float[Tensor, " centre"]
    widths: Float[Tensor, " centre"]
    power: Float[Tensor, " shell"]
    misfit: Float[Tensor, " shell"]
    shared_spread: ClassVar[float] = 0.3
    own_spread: ClassVar[float] = 0.2

    @property
    def width(self) -> float:
        """Standard deviation of the narrowest blob, Å."""
        return self.widths.min().item()

    def volume(
        self,
        coordinates: Float[Tensor, "*batch residue 3"],
        box_size: int,
        pixel_size: float,
        blur: float,
    ) -> Float[Tensor, "*batch z y x"]:
        """Sample the density on a cubic grid; see `ChainDensity.volume`.

        Args:
            coordinates: of the Cα, Å.
            box_size: edge of the grid, voxels.
            pixel_size: edge of a voxel, Å.
            blur: of all blobs, Å.
        """
        return band_limited_volume(
            self.placement.place(coordinates),
            self.weights.to(coordinates),
            (self.widths.square() + blur**2).sqrt().to(coordinates),
            box_size,
            pixel_size,
        )

    def residue_volumes(
        self,
        coordinates: Float[Tensor, "residue 3"],
        box_size: int,
        pixel_size: float,
    ) -> Float[Tensor, "residue z y x"]:
        """Sample each residue's blobs; see `ChainDensity.residue_volumes`.

        Args:
            coordinates: of the Cα, Å.
            box_size: edge of the grid, voxels.
            pixel_size: edge of a voxel, Å.
        """
        centres = self.placement.place(coordinates)
        weights, widths = self.weights.to(centres), self.widths.to(centres)
        residue = self.placement.residue_of_centre
        parts = [residue == index for index in range(len(coordinates))]
        return torch.stack(
            [
                band_limited_volume(
                    centres[part], weights[part], widths[part], box_size, pixel_size
                )
                for part in parts
            ]
        )

    def discount(self, normal: NormalEquations, gain: Gain) -> NormalEquations:
        """Add the model's error to the noise; see `discount_misfit`.

        Args:
            normal: of the images.
            gain: what is known of their intensity.
        """
        intensity = gain.guess(normal, self.power)
        return discount_misfit(normal, intensity**2 * self.misfit)


def single_blobs(sequence: str, width: float) -> SingleBlobs:
    """Describe each residue by its electrons at its Cα.

    Args:
        sequence: one-letter codes of standard residues.
        width: standard deviation of the blobs, Å.
    """
    weights = torch.from_numpy(residue_electrons(sequence))
    return SingleBlobs(weights=weights, width=width)


def residue_blobs(sequence: str, model: ResidueModel) -> ResidueBlobs:
    """Describe each residue by the blobs of its type.

    The weights are scaled by one number such that the chain has its number of
    electrons, as in `scatter_atoms`.

    Args:
        sequence: one-letter codes of standard residues.
        model: constants of all residue types.
    """
    types = residue_types(sequence)
    present = np.flatnonzero(blob_mask()[types])
    weights = model.weights[types].ravel()[present]
    weights = weights * (residue_electrons(sequence).sum() / weights.sum())
    return ResidueBlobs(
        placement=prepare_placement(model.offsets, sequence),
        weights=torch.from_numpy(weights),
        widths=torch.from_numpy(model.widths[types].ravel()[present]),
        power=len(sequence) * torch.from_numpy(model.power),
        misfit=torch.from_numpy(model.misfit),
    )
