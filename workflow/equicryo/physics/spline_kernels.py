"""Compiled cubic B-splines on cubic grids, with their slopes.

Source: Unser 1999, doi:10.1109/79.799930.
"""

import math
from typing import no_type_check

import numba
import numpy as np


@numba.njit(cache=True, fastmath=True)
@no_type_check
def evaluate_spline(coefficients, x, y, z):
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
