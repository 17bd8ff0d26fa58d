"""The likelihood of Cα coordinates, on a grid no finer than their density needs."""

import math
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from equicryo.physics.density import (
    fast_edge,
    gaussian_filter,
    gaussian_volume,
)
from equicryo.physics.fisher import fisher_information
from equicryo.physics.normal_equations import NormalEquations, coarsen
from equicryo.physics.normal_operator import NormalOperator, prepare_operator

FINENESS = 1.1
"""Widths of a blob in a voxel edge at least: aliasing below 0.3 % of the amplitude."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ResidueLikelihood:
    """Log-likelihood of images for one Gaussian blob a residue, at several resolutions.

    Low resolution means that the noise of each frequency k is taken to be larger by
    exp(4π² blur² k²): the likelihood is broader, and its maximum stays where it was.

    Attributes:
        operators: normal operators by blur (Å), from the largest blur to none. That of
            a blur has b blurred by it, and expects densities blurred likewise.
        weights: electrons of each residue.
        width: standard deviation of a blob, Å.
    """

    operators: dict[float, NormalOperator]
    weights: Float[Tensor, " residue"]
    width: float

    def blur_for(self, spread: float) -> float:
        """Return the least blur that is not below a spread of the residues, Å."""
        enough = [blur for blur in self.operators if blur >= spread]
        return min(enough, default=max(self.operators))

    def log_likelihood(
        self, coordinates: Float[Tensor, "sample residue 3"], blur: float
    ) -> Float[Tensor, " sample"]:
        """Return log p(images | coordinates) but for a constant, nats.

        Args:
            coordinates: in the frame of the poses, Å.
            blur: one of those prepared, Å; 0 is the likelihood itself.
        """
        volume = self._density(coordinates.to(self.weights), blur)
        return self.operators[blur].log_likelihood(volume)

    def information(
        self,
        coordinates: Float[Tensor, "residue 3"],
        directions: Float[Tensor, "parameter residue 3"],
        blur: float,
    ) -> Float[Tensor, "parameter parameter"]:
        """Return the Fisher information about moves of the residues, nats.

        Args:
            coordinates: where, Å.
            directions: the moves, Å per unit of each parameter.
            blur: as for `log_likelihood`.
        """
        return fisher_information(
            coordinates.to(self.weights),
            directions.to(self.weights),
            lambda place: self._density(place, blur),
            self.operators[blur].convolve,
        )

    def _density(self, coordinates: Tensor, blur: float) -> Tensor:
        operator = self.operators[blur]
        return gaussian_volume(
            coordinates,
            self.weights,
            math.hypot(self.width, blur),
            operator.support_size,
            operator.pixel_size,
        )


def prepare_likelihood(
    normal: NormalEquations,
    weights: Float[Tensor, " residue"],
    width: float,
    blurs: tuple[float, ...],
) -> ResidueLikelihood:
    """Prepare the operators of every resolution in float32, each on a grid that fits.

    Args:
        normal: of the images.
        weights: electrons of each residue.
        width: standard deviation of a blob, Å.
        blurs: resolutions besides the full one, Å.
    """
    ladder = sorted({*blurs, 0.0}, reverse=True)
    return ResidueLikelihood(
        operators={blur: _operator(normal, width, blur) for blur in ladder},
        weights=weights.float(),
        width=width,
    )


def _operator(normal: NormalEquations, width: float, blur: float) -> NormalOperator:
    """Blur b, and keep no more voxels than the blurred blobs need."""
    extent = normal.support_size * normal.pixel_size
    edge = fast_edge(extent * FINENESS / math.hypot(width, blur))
    edge = min(edge, normal.support_size)
    blurred = replace(normal, b=gaussian_filter(normal.b, blur / normal.pixel_size))
    return prepare_operator(coarsen(blurred, edge), dtype=torch.float32)
