"""Candidates proposed by a trained network."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations, product

import numpy as np
import torch
from jaxtyping import Float, Float64, Int64
from scipy.ndimage import convolve
from torch import Tensor

from equicryo.errors import InputError
from equicryo.inference.candidates import cover_greedily, sample_map
from equicryo.models.precision import bfloat16_is_fast
from equicryo.models.proposer import CELL, Marks, Proposer
from equicryo.models.proposer_examples import WIDTH, fitting_edge
from equicryo.physics.deconvolution import (
    STRENGTHS,
    blur_operator,
    deconvolve,
    describe_resolution,
    point_variance,
)
from equicryo.physics.normal_equations import NormalEquations
from equicryo.structure.residues import residue_types

BALL = 1.25
"""Å: radius of the balls in which the network's occupancy is summed."""

SURE = 0.99
"""Sums are kept from 1 − this to this: the network is never surer."""

OCCUPANCY_WEIGHT, TYPE_WEIGHT, BOND_WEIGHT = 0.6, 0.5, 0.5
"""Of the network's log odds: what it says of neighbouring places is not independent."""


@dataclass(frozen=True, kw_only=True)
class CubeTurn:
    """A proper rotation that maps a cube onto itself.

    Attributes:
        axes: which axis of the cube comes to each place.
        reversed: places whose axis is reversed.
    """

    axes: tuple[int, ...]
    reversed: tuple[int, ...]

    def apply(self, grid: Float[Tensor, "*lead z y x"]) -> Tensor:
        """Turn the last three axes of a grid."""
        lead = grid.ndim - 3
        moved = grid.permute(*range(lead), *(lead + axis for axis in self.axes))
        return moved.flip([lead + place for place in self.reversed])

    def undo(self, grid: Float[Tensor, "*lead z y x"]) -> Tensor:
        """Turn back what `apply` has turned."""
        lead = grid.ndim - 3
        back = np.argsort(self.axes).tolist()
        moved = grid.flip([lead + place for place in self.reversed])
        return moved.permute(*range(lead), *(lead + axis for axis in back))


def cube_turns() -> Iterator[CubeTurn]:
    """Yield the 24 proper rotations of a cube."""
    for axes, flips in product(permutations(range(3)), product((0, 1), repeat=3)):
        inversions = sum(axes[i] > axes[j] for i in range(3) for j in range(i, 3))
        if (inversions + sum(flips)) % 2 == 0:
            places = tuple(place for place, flip in enumerate(flips) if flip)
            yield CubeTurn(axes=axes, reversed=places)


@dataclass(frozen=True, kw_only=True, eq=False)
class Proposals:
    """Where a proposer sees Cα atoms, and what it says of any place.

    Attributes:
        places: the fullest balls of its occupancy, Å.
        occupancy: expected number of Cα in a ball about each voxel.
        midpoints: expected number of bonds' middles there.
        types: log odds of each residue type in each cell, against its frequency.
        sequence_types: types of the chain's residues.
        pixel_size: edge of a voxel, Å.
    """

    places: Float64[np.ndarray, "place 3"]
    occupancy: Float[Tensor, "z y x"]
    midpoints: Float[Tensor, "z y x"]
    types: Float[Tensor, "type z_cell y_cell x_cell"]
    sequence_types: Int64[np.ndarray, " residue"]
    pixel_size: float

    def score_residues(
        self, positions: Float64[np.ndarray, "candidate 3"]
    ) -> Float64[np.ndarray, "residue candidate"]:
        """Return the log odds of each residue at each position, nats.

        The weighted sum of those of occupancy and type.

        Args:
            positions: Å.
        """
        occupied = self._log_odds(self.occupancy, positions)
        edge = len(self.occupancy)
        voxels = (positions[:, ::-1] / self.pixel_size).round().astype(int) + edge // 2
        z, y, x = (voxels.clip(0, edge - 1) // CELL).T
        kinds = self.types[:, z, y, x].double().numpy()[self.sequence_types]
        return OCCUPANCY_WEIGHT * occupied + TYPE_WEIGHT * kinds

    def score_bonds(
        self, positions: Float64[np.ndarray, "candidate 3"]
    ) -> Float64[np.ndarray, "candidate candidate"]:
        """Return the log odds of each pair being bonded, but for its distance, nats.

        Weighted ones of the middle between them.

        Args:
            positions: Å.
        """
        middles = 0.5 * (positions[:, None] + positions)
        odds = self._log_odds(self.midpoints, middles.reshape(-1, 3))
        return BOND_WEIGHT * odds.reshape(middles.shape[:2])

    def _log_odds(
        self, expected: Tensor, points: Float64[np.ndarray, "point 3"]
    ) -> Float64[np.ndarray, " point"]:
        share = sample_map(expected, points, self.pixel_size).clip(1.0 - SURE, SURE)
        return np.log(share / (1.0 - share))


def is_fine_enough(normal: NormalEquations) -> bool:
    """Tell whether a proposer has seen pixels as coarse as those of the images."""
    return _map_edge(normal) <= normal.support_size


def _map_edge(normal: NormalEquations) -> int:
    return fitting_edge(normal.support_size * normal.pixel_size)


def propose_candidates(
    normal: NormalEquations, sequence: str, proposer: Proposer, count: int
) -> Proposals:
    """Ask a network where the Cα atoms of a chain may lie.

    Args:
        normal: of the images.
        sequence: one-letter codes.
        proposer: trained.
        count: how many places.

    Raises:
        InputError: the images' pixels are coarser than any that the network has seen.
    """
    edge = _map_edge(normal)
    if not is_fine_enough(normal):
        needed = normal.support_size * normal.pixel_size / edge
        raise InputError(
            f"images: a pixel size of {normal.pixel_size:.3g} Å is too coarse for the "
            f"network that proposes Cα positions, which needs {needed:.3g} Å: "
            "take images that are binned less, or residue_model: single"
        )
    operator = blur_operator(normal, edge, WIDTH)
    pixel_size = operator.pixel_size
    variance = point_variance(sequence, pixel_size)
    field = deconvolve(operator, variance, STRENGTHS)
    resolution = describe_resolution(operator.transfer, variance, pixel_size)
    marks = mark_map(proposer, field, resolution)
    places, _ = cover_greedily(marks.alpha, pixel_size, count, BALL)
    types = residue_types(sequence)
    frequency = torch.from_numpy(np.bincount(types, minlength=20)[:20] + 1.0)
    frequency = (frequency / frequency.sum()).to(marks.types)
    return Proposals(
        places=places,
        occupancy=_sum_in_balls(marks.alpha, pixel_size),
        midpoints=_sum_in_balls(marks.midpoint, pixel_size),
        types=(marks.types / frequency[:, None, None, None]).log(),
        sequence_types=types,
        pixel_size=pixel_size,
    )


@dataclass(frozen=True, kw_only=True)
class Probabilities:
    """Marks of one map as probabilities, averaged over rotations.

    Attributes:
        alpha: that a Cα lies in the voxel.
        midpoint: that the middle of a bond does.
        types: of the residue types, if a Cα lies in the cell.
    """

    alpha: Float[Tensor, "z y x"]
    midpoint: Float[Tensor, "z y x"]
    types: Float[Tensor, "type z_cell y_cell x_cell"]


@torch.no_grad()
def mark_map(
    proposer: Proposer,
    field: Float[Tensor, "strength z y x"],
    resolution: Float[Tensor, " shell"],
) -> Probabilities:
    """Mark a map, as the mean over all rotations of the cube.

    Args:
        proposer: trained.
        field: see `deconvolve`.
        resolution: see `describe_resolution`.
    """
    sums: list[Tensor] = []
    turns = list(cube_turns())
    for turn in turns:
        turned = turn.apply(field)[None].contiguous()
        with torch.autocast(field.device.type, torch.bfloat16, bfloat16_is_fast()):
            marks = proposer(turned, resolution[None])
        parts = [turn.undo(part) for part in _probabilities(marks)]
        sums = [a + b for a, b in zip(sums, parts, strict=True)] if sums else parts
    alpha, midpoint, types = (part / len(turns) for part in sums)
    return Probabilities(alpha=alpha, midpoint=midpoint, types=types)


def _probabilities(marks: Marks) -> tuple[Tensor, Tensor, Tensor]:
    return (
        marks.alpha[0].sigmoid(),
        marks.midpoint[0].sigmoid(),
        marks.types[0].softmax(0),
    )


def _sum_in_balls(
    probability: Float[Tensor, "z y x"], pixel_size: float
) -> Float[Tensor, "z y x"]:
    reach = int(np.ceil(BALL / pixel_size))
    offset = np.mgrid[(slice(-reach, reach + 1),) * 3]
    ball = ((offset**2).sum(0) * pixel_size**2 <= BALL**2).astype(np.float32)
    return torch.from_numpy(convolve(probability.numpy(), ball, mode="constant"))
