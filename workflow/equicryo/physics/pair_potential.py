"""The likelihood of equal blobs as a field and a potential between pairs of them.

For a density of blobs G of one shape, V = Σ wᵢ G(· − xᵢ), the two terms of the
likelihood are sums over blobs and over pairs of them,

    ⟨b, V⟩ = Σ wᵢ β(xᵢ),   ⟨V, K * V⟩ = Σ wᵢ wⱼ κ(xᵢ − xⱼ),

where β = G ⋆ b and κ = G ⋆ K ⋆ G are smooth and known beforehand. Looked up in tables,
a chain of 150 residues costs a thirtieth of what the grid of its density does.

Source: elementary; the same step makes the Patterson function of a crystal a sum over
    pairs of atoms; Patterson 1934, doi:10.1103/PhysRev.46.372. For cubic B-splines,
    Unser 1999, doi:10.1109/79.799930.
"""

import math
from dataclasses import dataclass
from typing import no_type_check

import numba
import numpy as np
import torch
from jaxtyping import Float32, Float64
from scipy.ndimage import spline_filter
from torch import Tensor

from equicryo.physics.density import gaussian_filter
from equicryo.physics.normal_equations import NormalEquations

MARGIN = 8
"""Voxels about the support into which blobs at its faces reach."""


@dataclass(frozen=True, kw_only=True, eq=False)
class PairPotential:
    """What images say of equal blobs.

    Attributes:
        field: spline coefficients of β, nats per electron.
        kernel: spline coefficients of κ, nats per electron squared.
        weights: of the blobs, electrons.
        pixel_size: of both grids, Å; their origin is on voxel edge // 2.
    """

    field: Float32[np.ndarray, "z y x"]
    kernel: Float32[np.ndarray, "z_lag y_lag x_lag"]
    weights: Float64[np.ndarray, " blob"]
    pixel_size: float

    def terms(
        self, positions: Float64[np.ndarray, "blob 3"]
    ) -> tuple[
        float,
        float,
        Float64[np.ndarray, "blob 3"],
        Float64[np.ndarray, "blob 3"],
    ]:
        """Return ⟨b, V⟩ and ⟨V, K * V⟩, nats, and the slopes of each, nats/Å.

        Args:
            positions: of all blobs, Å.
        """
        linear, quadratic, along, across = _sum_terms(
            self.field, self.kernel, self.weights, positions / self.pixel_size
        )
        return linear, quadratic, along / self.pixel_size, across / self.pixel_size

    def tabulate(
        self, positions: Float64[np.ndarray, "place 3"]
    ) -> tuple[Float64[np.ndarray, " place"], Float64[np.ndarray, "place place"]]:
        """Return β at some places, and κ between any two, per electron.

        Args:
            positions: Å.
        """
        return _tabulate(self.field, self.kernel, positions / self.pixel_size)


def prepare_potential(
    normal: NormalEquations, weights: Float64[np.ndarray, " blob"], width: float
) -> PairPotential:
    """Blur the normal equations by the blobs.

    Args:
        normal: of the images.
        weights: of the blobs, electrons.
        width: standard deviation of all blobs, Å; two thirds of a pixel at least.
    """
    pixel_size = normal.pixel_size
    field = torch.nn.functional.pad(normal.b.double(), (MARGIN,) * 6)
    field = gaussian_filter(field, width / pixel_size) / pixel_size**2
    kernel = gaussian_filter(normal.kernel.double(), 2.0**0.5 * width / pixel_size)
    return PairPotential(
        field=_coefficients(field),
        kernel=_coefficients(kernel / pixel_size**4),
        weights=weights,
        pixel_size=pixel_size,
    )


def _coefficients(values: Tensor) -> Float32[np.ndarray, "z y x"]:
    filtered = spline_filter(values.numpy(), order=3, mode="mirror")
    return np.ascontiguousarray(filtered, dtype=np.float32)


@numba.njit(cache=True, fastmath=True)
@no_type_check
def _sum_terms(field, kernel, weights, positions):
    origin, lag_origin = len(field) // 2, len(kernel) // 2
    linear, quadratic = 0.0, 0.0
    along, across = np.zeros(positions.shape), np.zeros(positions.shape)
    own, _, _, _ = _evaluate_spline(kernel, lag_origin, lag_origin, lag_origin)
    for i in range(len(positions)):
        x, y, z = positions[i]
        value, to_x, to_y, to_z = _evaluate_spline(
            field, x + origin, y + origin, z + origin
        )
        linear += weights[i] * value
        along[i, 0] = weights[i] * to_x
        along[i, 1] = weights[i] * to_y
        along[i, 2] = weights[i] * to_z
        quadratic += weights[i] * weights[i] * own
        for j in range(i):
            pair = 2.0 * weights[i] * weights[j]
            value, to_x, to_y, to_z = _evaluate_spline(
                kernel,
                x - positions[j, 0] + lag_origin,
                y - positions[j, 1] + lag_origin,
                z - positions[j, 2] + lag_origin,
            )
            quadratic += pair * value
            across[i, 0] += pair * to_x
            across[i, 1] += pair * to_y
            across[i, 2] += pair * to_z
            across[j, 0] -= pair * to_x
            across[j, 1] -= pair * to_y
            across[j, 2] -= pair * to_z
    return linear, quadratic, along, across


@numba.njit(cache=True, fastmath=True)
@no_type_check
def _tabulate(field, kernel, positions):
    origin, lag_origin = len(field) // 2, len(kernel) // 2
    size = len(positions)
    single, pairs = np.empty(size), np.empty((size, size))
    for i in range(size):
        x, y, z = positions[i]
        single[i], _, _, _ = _evaluate_spline(field, x + origin, y + origin, z + origin)
        for j in range(i + 1):
            pairs[i, j], _, _, _ = _evaluate_spline(
                kernel,
                x - positions[j, 0] + lag_origin,
                y - positions[j, 1] + lag_origin,
                z - positions[j, 2] + lag_origin,
            )
            pairs[j, i] = pairs[i, j]
    return single, pairs


@numba.njit(cache=True, fastmath=True)
@no_type_check
def _evaluate_spline(coefficients, x, y, z):
    """Return a spline's value and its slopes along x, y and z; zero off its grid.

    Args:
        coefficients: float32, (z, y, x).
        x: where, in voxels from the grid's first one.
        y: the same.
        z: the same.
    """
    edge = len(coefficients)
    zero = np.float32(0.0)
    column, row, plane = math.floor(x), math.floor(y), math.floor(z)
    inside = 1 <= min(column, row, plane) and max(column, row, plane) < edge - 2
    if not inside:
        return zero, zero, zero, zero
    x0, x1, x2, x3, p0, p1, p2, p3 = _weigh_neighbours(np.float32(x - column))
    along_y = _weigh_neighbours(np.float32(y - row))
    along_z = _weigh_neighbours(np.float32(z - plane))
    value, slope_x, slope_y, slope_z = zero, zero, zero, zero
    for k in range(4):
        flat, flat_x, flat_y = zero, zero, zero
        for j in range(4):
            line = coefficients[plane - 1 + k, row - 1 + j]
            c0, c1, c2, c3 = (
                line[column - 1],
                line[column],
                line[column + 1],
                line[column + 2],
            )
            here = x0 * c0 + x1 * c1 + x2 * c2 + x3 * c3
            flat += along_y[j] * here
            flat_y += along_y[4 + j] * here
            flat_x += along_y[j] * (p0 * c0 + p1 * c1 + p2 * c2 + p3 * c3)
        value += along_z[k] * flat
        slope_x += along_z[k] * flat_x
        slope_y += along_z[k] * flat_y
        slope_z += along_z[4 + k] * flat
    return value, slope_x, slope_y, slope_z


@numba.njit(cache=True, fastmath=True)
@no_type_check
def _weigh_neighbours(share):
    """Return the weights of the four nearest points, and the weights' slopes."""
    rest = np.float32(1.0) - share
    sixth, half = np.float32(1.0 / 6.0), np.float32(0.5)
    three, four = np.float32(3.0), np.float32(4.0)
    before = rest * rest * rest * sixth
    after = share * share * share * sixth
    near = (four + three * share * share * (share - np.float32(2.0))) * sixth
    slope_before, slope_after = -half * rest * rest, half * share * share
    slope_near = half * share * (three * share - four)
    return (
        before,
        near,
        np.float32(1.0) - before - near - after,
        after,
        slope_before,
        slope_near,
        -slope_before - slope_near - slope_after,
        slope_after,
    )
