"""Virtual bonds between consecutive Cα atoms, and contacts between all others."""

import numpy as np
from jaxtyping import Float64
from scipy.linalg import solveh_banded
from scipy.spatial.distance import pdist

from equicryo.errors import InputError

BOND_TOLERANCE = 1e-3
"""Largest error of a repaired bond, Å."""

MAX_REPAIR_STEPS = 100

RELAXATION_SWEEPS = 50
"""Sweeps that leave bonds of a smoothed chain wrong by hundredths of an Å."""


def repair_bonds(
    coordinates: Float64[np.ndarray, "conformer residue 3"],
    lengths: Float64[np.ndarray, " bond"],
) -> Float64[np.ndarray, "conformer residue 3"]:
    """Move residues as little as possible until every bond has its length.

    Newton's method on the constraints |x[i+1] - x[i]| = lengths[i], each step the
    smallest displacement that satisfies them to first order. Centroids stay.

    Args:
        coordinates: Cα positions, Å.
        lengths: of the bonds, the same in every conformer, Å.

    Returns:
        Coordinates whose bonds are right within `BOND_TOLERANCE`, Å.

    Raises:
        InputError: the bonds are too distorted to be repaired.

    Source: Barth, Kuczera, Leimkuhler & Skeel 1995, doi:10.1002/jcc.540161003
    (matrix form of SHAKE).
    """
    for _ in range(MAX_REPAIR_STEPS):
        bonds = np.diff(coordinates, axis=1)
        found = np.linalg.norm(bonds, axis=-1)
        excess = found - lengths
        if np.abs(excess).max() < BOND_TOLERANCE:
            return coordinates
        directions = bonds / found[..., None]
        tension = _solve_constraints(directions, excess)[..., None] * directions
        pull = np.pad(tension, ((0, 0), (1, 1), (0, 0)))
        coordinates = coordinates + np.diff(pull, axis=1)
    raise InputError(
        f"the Cα-Cα bonds of a displaced conformer are still wrong after "
        f"{MAX_REPAIR_STEPS} repairs: lower mean_rmsd or use fewer modes"
    )


def project_bonds(
    coordinates: Float64[np.ndarray, "conformer residue 3"], length: float
) -> Float64[np.ndarray, "conformer residue 3"]:
    """Find chains near some others whose bonds all have one length.

    Bonds far too short, as of an average of chains, are first relaxed one by one: the
    chain then folds up on itself where Newton's method would inflate it as a whole,
    which moves residues much further. Centroids stay.

    Args:
        coordinates: Cα positions, no two consecutive ones in one place, Å.
        length: of every bond, Å.

    Returns:
        Coordinates whose bonds are right within `BOND_TOLERANCE`, Å.

    Raises:
        InputError: the bonds are too distorted to be repaired.

    Source: Müller et al. 2007, doi:10.1016/j.jvcir.2007.01.005, section 3.3 (all bonds
        of a sweep at once, half a step each).
    """
    for _ in range(RELAXATION_SWEEPS):
        bonds = np.diff(coordinates, axis=1)
        found = np.linalg.norm(bonds, axis=-1, keepdims=True)
        tension = 0.25 * (1.0 - length / found) * bonds
        pull = np.pad(tension, ((0, 0), (1, 1), (0, 0)))
        coordinates = coordinates + np.diff(pull, axis=1)
    return repair_bonds(coordinates, np.full(coordinates.shape[1] - 1, length))


def closest_contacts(
    coordinates: Float64[np.ndarray, "conformer residue 3"],
) -> Float64[np.ndarray, " conformer"]:
    """Find the least distance of residues that are not bonded to each other, Å."""
    first, second = np.triu_indices(coordinates.shape[1], k=1)
    apart = second - first > 1
    # One conformer at a time: all pairs of a long chain's ensemble are gigabytes.
    return np.array([pdist(conformer)[apart].min() for conformer in coordinates])


def _solve_constraints(
    directions: Float64[np.ndarray, "conformer bond 3"],
    excess: Float64[np.ndarray, "conformer bond"],
) -> Float64[np.ndarray, "conformer bond"]:
    """Solve J Jᵀ t = excess, where J is the Jacobian of the bond lengths.

    Only neighbouring bonds share a residue, so J Jᵀ is tridiagonal with 2 on the
    diagonal; all conformers together are one such system with zeros in between.
    """
    coupling = np.zeros_like(excess)
    coupling[:, 1:] = -(directions[:, 1:] * directions[:, :-1]).sum(-1)
    bands = np.stack([coupling.ravel(), np.full(excess.size, 2.0)])
    return solveh_banded(bands, excess.ravel()).reshape(excess.shape)
