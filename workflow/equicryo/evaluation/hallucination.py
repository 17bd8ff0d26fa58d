"""Does a density show a protein that its images do not? Searches over orientations."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from equicryo.physics.density import gaussian_filter
from equicryo.physics.normal_operator import NormalOperator
from equicryo.physics.rotations import quaternion_to_matrix, rotation_vector_to_matrix
from equicryo.structure.chain_set import ChainSet
from equicryo.structure.residues import residue_electrons

CONTROL_COLUMNS = ("chain", "correlation", "control")
"""A chain, its correlation with a map, and that of a cloud without its fold."""

SPACING = math.radians(15.0)
"""Of the grid of orientations, rad."""

WIDTH = 3.0
"""Å: standard deviation of the blob at each Cα, and of the map's blur."""

REFINEMENTS = 4
"""Halvings of the step about the best orientations of the grid."""

KEPT = 8
"""Best orientations of the grid that are refined."""


def noise_only(
    operator: NormalOperator, truth: Float[Tensor, "z y x"]
) -> NormalOperator:
    """Return what images say from which their own signal was taken: noise alone.

    Args:
        operator: of simulated images.
        truth: what they show, e⁻/Å³ × pixel size.
    """
    return NormalOperator(
        b=operator.b - operator.convolve(truth.to(operator.b)),
        transfer=operator.transfer,
        pixel_size=operator.pixel_size,
    )


def rotation_grid(spacing: float) -> Float[Tensor, "rotation 3 3"]:
    """Return rotations that fill SO(3) evenly, about `spacing` rad apart.

    Source: Alexa 2022, doi:10.1109/CVPR52688.2022.00811 (super-Fibonacci spirals).
    """
    count = math.ceil(8.0 * math.pi**2 / spacing**3)
    place = torch.arange(count, dtype=torch.float64) + 0.5
    inner, outer = (place / count).sqrt(), (1.0 - place / count).sqrt()
    golden = 2.0 * math.pi * place / math.sqrt(2.0)
    other = 2.0 * math.pi * place / 1.533751168755204288118041
    quaternion = torch.stack(
        [
            inner * golden.sin(),
            inner * golden.cos(),
            outer * other.sin(),
            outer * other.cos(),
        ],
        dim=-1,
    )
    return quaternion_to_matrix(quaternion)


def best_correlation(
    volume: Float[Tensor, "z y x"],
    points: Float[Tensor, "point 3"],
    weights: Float[Tensor, " point"],
    pixel_size: float,
    spacing: float,
) -> float:
    """Return the largest correlation of a map with blobs, over all orientations.

    The blobs turn about their centroid, which lies at the map's centre. Both are at
    low resolution: a Gaussian of `WIDTH` Å blurs the map, and is each blob.

    Args:
        volume: cubic, in any unit.
        points: centres of the blobs, Å.
        weights: of each.
        pixel_size: Å.
        spacing: of the grid of orientations, rad; the best of it are refined.
    """
    search = _Search(volume, points, weights, pixel_size)
    rotations = rotation_grid(spacing)
    values = torch.cat([search.correlations(part) for part in rotations.split(500)])
    best = rotations[values.topk(min(KEPT, len(values))).indices]
    axes = torch.cat([torch.eye(3), -torch.eye(3), torch.zeros(1, 3)]).double()
    step = spacing / 2.0
    for _ in range(REFINEMENTS):
        tried = rotation_vector_to_matrix(step * axes) @ best[:, None]
        found = search.correlations(tried.flatten(0, 1)).view(len(best), -1)
        best = tried[torch.arange(len(best)), found.argmax(1)]
        step /= 2.0
    return float(search.correlations(best).max())


class _Search:
    """A map, and blobs to be laid over it."""

    def __init__(
        self, volume: Tensor, points: Tensor, weights: Tensor, pixel_size: float
    ) -> None:
        width, voxels = WIDTH / pixel_size, volume.numel()
        blurred = gaussian_filter(volume.double(), width)
        # Overlaps with blobs are values of the map, blurred once more.
        self.overlap = gaussian_filter(blurred, width)
        self.points = (points - points.mean(0)).double() / pixel_size
        self.weights = weights.double()
        distance2 = (self.points[:, None] - self.points).square().sum(-1)
        pair = (
            torch.exp(-distance2 / (4.0 * width**2)) / (4.0 * math.pi * width**2) ** 1.5
        )
        square = self.weights @ pair @ self.weights
        total, deviation = self.weights.sum(), blurred.std(correction=0)
        self.offset = blurred.mean() * total
        self.scale = deviation * (voxels * (square - total**2 / voxels)).sqrt()

    def correlations(self, rotations: Tensor) -> Tensor:
        """Return the correlation in each orientation."""
        placed = self.points @ rotations.mT
        edge = self.overlap.shape[-1]
        # Voxel i of n lies at (2 i − n + 1) / n between the outer faces.
        where = (2.0 * (placed + edge // 2) - edge + 1) / edge
        values = torch.nn.functional.grid_sample(
            self.overlap[None, None],
            where[None, None],
            mode="bilinear",
            padding_mode="zeros",
            align_corners=False,
        )[0, 0, 0]
        return (values @ self.weights - self.offset) / self.scale


def smooth_cloud(
    points: Float[Tensor, "point 3"], *, generator: torch.Generator
) -> Float[Tensor, "point 3"]:
    """Draw a cloud of as many points with the same second moments: a blob, no fold.

    Args:
        points: of a chain, Å.
        generator: source of the randomness.
    """
    centred = points - points.mean(0)
    root = torch.linalg.cholesky(centred.T @ centred / len(points))
    drawn = torch.randn(points.shape, dtype=points.dtype, generator=generator)
    drawn -= drawn.mean(0)
    own = torch.linalg.cholesky(drawn.T @ drawn / len(points))
    return torch.linalg.solve_triangular(own, drawn.T, upper=False).T @ root.T


def compare_with_chains(
    volume: Float[Tensor, "z y x"],
    chains: ChainSet,
    pixel_size: float,
    *,
    generator: torch.Generator,
) -> list[dict[str, str | float]]:
    """Lay chains over a map, and beside each a cloud of its size that has no fold.

    Args:
        volume: made of images that show nothing.
        chains: of standard residues, which the prior has learnt from.
        pixel_size: Å.
        generator: draws the clouds.

    Returns:
        Rows under `CONTROL_COLUMNS`: the best correlations over all orientations.
    """
    rows = []
    for index, name in enumerate(chains.ids):
        points = torch.from_numpy(chains.coordinates_of(index))
        weights = torch.from_numpy(residue_electrons(chains.sequence_of(index)))
        cloud = smooth_cloud(points, generator=generator)
        found = [
            best_correlation(volume, place, weights, pixel_size, SPACING)
            for place in (points, cloud)
        ]
        rows.append(dict(zip(CONTROL_COLUMNS, (name, *found), strict=True)))
    return rows
