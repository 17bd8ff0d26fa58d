"""How the turns of a chain's Cα trace are distributed, as a smooth potential.

Source: the counts of `trace_geometry`, smoothed and interpolated by cubic splines; for
    such potentials of mean force see Sippl 1990, doi:10.1016/S0022-2836(05)80269-4.
"""

import math
from dataclasses import dataclass
from typing import no_type_check

import numba
import numpy as np
from jaxtyping import Float64
from scipy.ndimage import gaussian_filter1d, spline_filter1d

from equicryo.structure.trace_geometry import (
    ANGLE_BINS,
    DIHEDRAL_BINS,
    TraceGeometry,
)

SMOOTHING = 0.7
"""Bins: standard deviation of the Gaussian that smooths the density."""

RAREST = 0.02
"""Least density of a turn over an even one: no real chain is impossible."""

STRAIGHT = 1e-6
"""Å⁴: three Cα on a line have no dihedral."""

BORDER = 3
"""Bins beyond the ends of each axis that the spline is filtered with."""


@dataclass(frozen=True, kw_only=True, eq=False)
class TurnPotential:
    """Log density of two angles and the dihedral between them, over an even one.

    Attributes:
        coefficients: of a spline through the bins' middles, nats.
    """

    coefficients: Float64[np.ndarray, "angle angle dihedral"]

    def score(
        self, chain: Float64[np.ndarray, "residue 3"]
    ) -> tuple[float, Float64[np.ndarray, "residue 3"]]:
        """Return the sum over a chain's turns, nats, and its slope, nats/Å.

        Args:
            chain: Cα coordinates, Å.
        """
        slope = np.zeros(chain.shape)
        return _sum_turns(self.coefficients, chain, slope), slope


def no_turns() -> TurnPotential:
    """Return the potential of a chain that turns any way."""
    angles, dihedrals = ANGLE_BINS + 2 * BORDER, DIHEDRAL_BINS + 2 * BORDER
    return TurnPotential(coefficients=np.zeros((angles, angles, dihedrals)))


def fit_potential(geometry: TraceGeometry) -> TurnPotential:
    """Smooth counted turns.

    Args:
        geometry: of chains.
    """
    density = np.exp(geometry.turn)
    for axis, mode in enumerate(("nearest", "nearest", "wrap")):
        density = gaussian_filter1d(density, SMOOTHING, axis=axis, mode=mode)
    values = np.log(density.clip(min=RAREST))
    ends = (BORDER, BORDER)
    values = np.pad(values, (ends, ends, (0, 0)), mode="edge")
    values = np.pad(values, ((0, 0), (0, 0), ends), mode="wrap")
    for axis in range(3):
        values = spline_filter1d(values, order=3, axis=axis, mode="mirror")
    return TurnPotential(coefficients=np.ascontiguousarray(values))


@numba.njit(cache=True)
@no_type_check
def _sum_turns(coefficients, chain, slope):
    """Return the sum, and add its slope.

    Source: for the slopes of a dihedral, Blondel & Karplus 1996,
        doi:10.1002/(SICI)1096-987X(19960715)17:9<1132::AID-JCC5>3.0.CO;2-T.
    """
    per_cosine, per_radian = 0.5 * ANGLE_BINS, DIHEDRAL_BINS / (2.0 * math.pi)
    total = 0.0
    for i in range(len(chain) - 3):
        a, b, c = _step(chain, i), _step(chain, i + 1), _step(chain, i + 2)
        aa, bb, cc, ab, bc = _dot(a, a), _dot(b, b), _dot(c, c), _dot(a, b), _dot(b, c)
        left, right = _cross(a, b), _cross(b, c)
        ll, rr, length = _dot(left, left), _dot(right, right), math.sqrt(bb)
        if min(ll, rr) < STRAIGHT:
            continue
        first, second = -ab / math.sqrt(aa * bb), -bc / math.sqrt(bb * cc)
        dihedral = math.atan2(length * _dot(a, right), _dot(left, right))
        value, to_first, to_second, to_dihedral = _evaluate(
            coefficients,
            per_cosine * (first + 1.0) - 0.5 + BORDER,
            per_cosine * (second + 1.0) - 0.5 + BORDER,
            per_radian * (dihedral + math.pi) - 0.5 + BORDER,
        )
        total += value
        to_first, to_second = per_cosine * to_first, per_cosine * to_second
        to_dihedral *= per_radian
        for k in range(3):
            # Slopes of the cosines with respect to the three steps.
            first_a = -b[k] / math.sqrt(aa * bb) - first * a[k] / aa
            first_b = -a[k] / math.sqrt(aa * bb) - first * b[k] / bb
            second_b = -c[k] / math.sqrt(bb * cc) - second * b[k] / bb
            second_c = -b[k] / math.sqrt(bb * cc) - second * c[k] / cc
            start, end = -length / ll * left[k], length / rr * right[k]
            inner = ab / bb * start - bc / bb * end
            to_a = to_first * first_a
            to_b = to_first * first_b + to_second * second_b
            to_c = to_second * second_c
            slope[i, k] += to_dihedral * start - to_a
            slope[i + 1, k] += to_a - to_b - to_dihedral * (start + inner)
            slope[i + 2, k] += to_b - to_c - to_dihedral * (end - inner)
            slope[i + 3, k] += to_dihedral * end + to_c
    return total


@numba.njit(cache=True)
@no_type_check
def _evaluate(coefficients, x, y, z):
    """Return a cubic spline and its slopes along the three axes."""
    i, j, k = math.floor(x), math.floor(y), math.floor(z)
    across, slopes_across = _weigh_neighbours(x - i)
    along, slopes_along = _weigh_neighbours(y - j)
    around, slopes_around = _weigh_neighbours(z - k)
    value, to_x, to_y, to_z = 0.0, 0.0, 0.0, 0.0
    for p in range(4):
        for q in range(4):
            line, slope = 0.0, 0.0
            for r in range(4):
                knot = coefficients[i - 1 + p, j - 1 + q, k - 1 + r]
                line += around[r] * knot
                slope += slopes_around[r] * knot
            value += across[p] * along[q] * line
            to_x += slopes_across[p] * along[q] * line
            to_y += across[p] * slopes_along[q] * line
            to_z += across[p] * along[q] * slope
    return value, to_x, to_y, to_z


@numba.njit(cache=True)
@no_type_check
def _weigh_neighbours(share):
    """Return the weights of the four nearest knots, and the weights' slopes."""
    rest = 1.0 - share
    before, after = rest**3 / 6.0, share**3 / 6.0
    near = (4.0 + 3.0 * share**2 * (share - 2.0)) / 6.0
    first, third = -0.5 * rest**2, 0.5 * share**2
    second = 0.5 * share * (3.0 * share - 4.0)
    weights = before, near, 1.0 - before - near - after, after
    return weights, (first, second, -first - second - third, third)


@numba.njit(cache=True)
@no_type_check
def _step(chain, i):
    return (
        chain[i + 1, 0] - chain[i, 0],
        chain[i + 1, 1] - chain[i, 1],
        chain[i + 1, 2] - chain[i, 2],
    )


@numba.njit(cache=True)
@no_type_check
def _dot(first, second):
    return first[0] * second[0] + first[1] * second[1] + first[2] * second[2]


@numba.njit(cache=True)
@no_type_check
def _cross(first, second):
    return (
        first[1] * second[2] - first[2] * second[1],
        first[2] * second[0] - first[0] * second[2],
        first[0] * second[1] - first[1] * second[0],
    )
