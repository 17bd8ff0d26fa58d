"""All heavy atoms as Gaussians: electron scattering factors and B-factors.

Source: Peng et al. 1996, doi:10.1107/S0108767395014371, table of 0-2 Å⁻¹, as gemmi has
it.
"""

import math

import gemmi
import numpy as np
import torch
from jaxtyping import Float64, Int64

from equicryo.physics.simulation import Specimen
from equicryo.structure.atoms import AtomicModel, alpha_carbons
from equicryo.structure.chain import Chain
from equicryo.structure.residues import residue_electrons


def scatter_atoms(
    atoms: AtomicModel, coordinates: Float64[np.ndarray, "atom 3"]
) -> Specimen:
    """Describe a molecule by five Gaussians an atom.

    Peng's factors are in Å of scattering length; they are scaled by one number such
    that the molecule's total weight is its number of electrons, hydrogens included, as
    in the matched density: intensities of both kinds of data then compare.

    Args:
        atoms: elements, B-factors and occupancies.
        coordinates: of the atoms, Å.

    Returns:
        Blobs of weight a · occupancy and variance (b + B)/8π², five for each atom.
    """
    factors = [gemmi.Element(element).c4322 for element in atoms.elements]
    amplitude = np.array([factor.a for factor in factors])
    spread = np.array([factor.b for factor in factors])
    weights = (amplitude * atoms.occupancies[:, None]).ravel()
    weights *= residue_electrons(atoms.sequence).sum() / weights.sum()
    variance = (spread + atoms.b_factors[:, None]).ravel() / (8.0 * math.pi**2)
    components = amplitude.shape[1]
    return Specimen(
        coordinates=torch.from_numpy(np.repeat(coordinates, components, axis=0)),
        weights=torch.from_numpy(weights),
        width=torch.from_numpy(np.sqrt(variance)),
    )


def all_atom_specimen(atoms: AtomicModel, truth: Chain) -> Specimen:
    """Describe every heavy atom of a conformer that is known by its Cα.

    Args:
        atoms: the molecule in one conformation.
        truth: the same residues in another.

    Raises:
        ValueError: the two do not have the same sequence.
    """
    alpha = alpha_carbons(atoms)
    if alpha.sequence != truth.sequence:
        raise ValueError("the atoms and the conformer differ in sequence")
    coordinates = carry_atoms(
        atoms.coordinates, atoms.residue_index, alpha.coordinates, truth.coordinates
    )
    return scatter_atoms(atoms, coordinates)


def carry_atoms(
    coordinates: Float64[np.ndarray, "atom 3"],
    residue_index: Int64[np.ndarray, " atom"],
    alpha_before: Float64[np.ndarray, "residue 3"],
    alpha_after: Float64[np.ndarray, "residue 3"],
) -> Float64[np.ndarray, "atom 3"]:
    """Move all atoms with their Cα, each residue as a rigid body.

    A residue turns with the plane of its Cα and its two neighbours'.

    Args:
        coordinates: of the atoms, Å.
        residue_index: residue of each atom.
        alpha_before: Cα positions that belong to `coordinates`, Å.
        alpha_after: Cα positions to move to, Å.

    Returns:
        Coordinates of the atoms, Å.
    """
    turn = _frames(alpha_after) @ _frames(alpha_before).transpose(0, 2, 1)
    offset = coordinates - alpha_before[residue_index]
    turned = np.einsum("aij,aj->ai", turn[residue_index], offset)
    return turned + alpha_after[residue_index]


def _frames(
    alpha: Float64[np.ndarray, "residue 3"],
) -> Float64[np.ndarray, "residue 3 3"]:
    """Return a proper frame, in columns, a Cα; the ends share their neighbour's."""
    along = alpha[2:] - alpha[:-2]
    along /= np.linalg.norm(along, axis=-1, keepdims=True)
    normal = np.cross(along, alpha[1:-1] - alpha[:-2])
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    frames = np.stack([along, normal, np.cross(along, normal)], axis=-1)
    return np.concatenate([frames[:1], frames, frames[-1:]])
