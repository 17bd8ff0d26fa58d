"""The likelihood of Cα coordinates, on a grid no finer than their density needs."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from functools import partial
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from equicryo.physics.density import fast_edge, gaussian_filter
from equicryo.physics.fisher import fisher_information
from equicryo.physics.gain import Gain
from equicryo.physics.normal_equations import NormalEquations, coarsen
from equicryo.physics.normal_operator import NormalOperator, prepare_operator
from equicryo.physics.residue_density import ChainDensity

FINENESS = 1.1
"""Widths of a blob in a voxel edge at least, where the images' own voxels are finer:
aliasing below 0.3 % of the amplitude."""


class Likelihood(ABC):
    """What samplers ask of the data, at several resolutions."""

    @abstractmethod
    def blur_for(self, spread: float) -> float:
        """Return the least blur that is not below a spread of the residues, Å."""

    @abstractmethod
    def reach(self, blur: float) -> float:
        """Return how far, root mean square, a linearisation may be trusted, Å."""

    @abstractmethod
    def log_likelihood(
        self, coordinates: Float[Tensor, "sample residue 3"], blur: float
    ) -> Float[Tensor, " sample"]:
        """Return log p(data | coordinates) but for a constant, nats.

        Args:
            coordinates: in the frame of the poses, Å.
            blur: one of those prepared, Å; 0 is the likelihood itself.
        """

    @abstractmethod
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


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class ResidueLikelihood(Likelihood):
    """Log-likelihood of images for a model of the density, at several resolutions.

    Low resolution means that the noise of each frequency k is taken to be larger by
    exp(4π² blur² k²): the likelihood is broader, and its maximum stays where it was.

    Attributes:
        operators: normal operators by blur (Å), from the largest blur to none. That of
            a blur has b blurred by it, and expects densities blurred likewise.
        density: from Cα to what the images show.
        gain: what is known of the images' intensity.
    """

    operators: dict[float, NormalOperator]
    density: ChainDensity
    gain: Gain

    def blur_for(self, spread: float) -> float:
        """Return the least blur that is not below a spread of the residues, Å."""
        enough = [blur for blur in self.operators if blur >= spread]
        return min(enough, default=max(self.operators))

    def reach(self, blur: float) -> float:
        """Return the width of the narrowest blob, blurred, Å."""
        return math.hypot(self.density.width, blur)

    def log_likelihood(
        self, coordinates: Float[Tensor, "sample residue 3"], blur: float
    ) -> Float[Tensor, " sample"]:
        """Return log p(images | coordinates); see `Likelihood.log_likelihood`.

        Args:
            coordinates: in the frame of the poses, Å.
            blur: one of those prepared, Å.
        """
        operator = self.operators[blur]
        volume = self._volume(coordinates.to(operator.b), blur=blur)
        return self.gain.log_likelihood(operator, volume)

    def information(
        self,
        coordinates: Float[Tensor, "residue 3"],
        directions: Float[Tensor, "parameter residue 3"],
        blur: float,
    ) -> Float[Tensor, "parameter parameter"]:
        """Return the Fisher information about moves; see `Likelihood.information`.

        Args:
            coordinates: where, Å.
            directions: the moves, Å per unit of each parameter.
            blur: one of those prepared, Å.
        """
        operator = self.operators[blur]
        place, moves = coordinates.to(operator.b), directions.to(operator.b)
        volume = partial(self._volume, blur=blur)
        curvature = self.gain.curvature(operator, volume(place))
        return fisher_information(place, moves, volume, curvature)

    def _volume(self, coordinates: Tensor, *, blur: float) -> Tensor:
        operator = self.operators[blur]
        return self.density.volume(
            coordinates, operator.support_size, operator.pixel_size, blur
        )


def prepare_likelihood(
    normal: NormalEquations,
    density: ChainDensity,
    gain: Gain,
    blurs: tuple[float, ...],
) -> ResidueLikelihood:
    """Prepare the operators of every resolution in float32, each on a grid that fits.

    What the density model cannot explain counts as noise.

    Args:
        normal: of the images.
        density: from Cα to what the images show.
        gain: what is known of the images' intensity.
        blurs: resolutions besides the full one, Å.
    """
    ladder = sorted({*blurs, 0.0}, reverse=True)
    normal = density.discount(normal, gain)
    return ResidueLikelihood(
        operators={blur: _operator(normal, density.width, blur) for blur in ladder},
        density=density,
        gain=gain,
    )


def _operator(normal: NormalEquations, width: float, blur: float) -> NormalOperator:
    """Blur b, and keep no more voxels than the blurred blobs need."""
    extent = normal.support_size * normal.pixel_size
    edge = fast_edge(extent * FINENESS / math.hypot(width, blur))
    edge = min(edge, normal.support_size)
    blurred = replace(normal, b=gaussian_filter(normal.b, blur / normal.pixel_size))
    return prepare_operator(coarsen(blurred, edge), dtype=torch.float32)
