import math
from dataclasses import replace

import gemmi
import numpy as np
import pytest
import torch

from equicryo.physics.all_atom import all_atom_specimen, carry_atoms, scatter_atoms
from equicryo.physics.rotations import draw_rotations
from equicryo.structure.atoms import AtomicModel, alpha_carbons
from equicryo.structure.residues import residue_electrons

NAMES = ("N", "CA", "C", "O", "CB", "SG")


@pytest.fixture
def atoms() -> AtomicModel:
    """A peptide of three cysteines with random coordinates."""
    draw = np.random.default_rng(0)
    return AtomicModel(
        name="test",
        chain_id="A",
        sequence="CCC",
        residue_numbers=np.arange(1, 4),
        insertion_codes=("",) * 3,
        atom_names=NAMES * 3,
        elements=("N", "C", "C", "O", "C", "S") * 3,
        residue_index=np.repeat(np.arange(3), 6),
        coordinates=draw.normal(size=(18, 3)) * 4,
        b_factors=draw.uniform(5, 40, 18),
        occupancies=draw.uniform(0.5, 1, 18),
    )


def test_transform_is_the_sum_of_scattering_factors(atoms) -> None:
    """At any frequency k: Σ occupancy f(k/2) exp(−B k²/4) exp(−2πi k·x), scaled."""
    specimen = scatter_atoms(atoms, atoms.coordinates)
    vectors = np.random.default_rng(1).normal(size=(20, 3)) * 0.15

    def expected(k: np.ndarray) -> complex:
        total = 0.0
        for index, element in enumerate(atoms.elements):
            factor = gemmi.Element(element).c4322.calculate_sf(k @ k / 4)
            damping = math.exp(-atoms.b_factors[index] * (k @ k) / 4)
            phase = np.exp(-2j * math.pi * (k @ atoms.coordinates[index]))
            total += atoms.occupancies[index] * factor * damping * phase
        return total

    def actual(k: np.ndarray) -> complex:
        phase = torch.exp(-2j * math.pi * (specimen.coordinates @ torch.from_numpy(k)))
        damping = torch.exp(-2 * math.pi**2 * specimen.width**2 * (k @ k))
        return complex((specimen.weights * damping * phase).sum())

    scale = residue_electrons("CCC").sum() / expected(np.zeros(3)).real
    for k in vectors:
        # gemmi evaluates factors in float32.
        assert actual(k) == pytest.approx(scale * expected(k), rel=1e-5, abs=1e-4)


def test_atoms_stay_where_the_chain_stays(atoms) -> None:
    alpha = atoms.coordinates[1::6]
    carried = carry_atoms(atoms.coordinates, atoms.residue_index, alpha, alpha)
    np.testing.assert_allclose(carried, atoms.coordinates, atol=1e-12)


def test_atoms_follow_a_rigid_motion_of_the_chain(atoms, generator) -> None:
    rotation = draw_rotations(1, generator=generator)[0].numpy()
    shift = np.array([1.0, -2.0, 3.0])
    alpha = atoms.coordinates[1::6]
    carried = carry_atoms(
        atoms.coordinates, atoms.residue_index, alpha, alpha @ rotation.T + shift
    )
    expected = atoms.coordinates @ rotation.T + shift
    np.testing.assert_allclose(carried, expected, atol=1e-12)


def test_residues_stay_rigid_with_their_alpha_carbon_in_place(atoms) -> None:
    alpha = atoms.coordinates[1::6]
    moved = alpha + np.random.default_rng(2).normal(size=alpha.shape)
    carried = carry_atoms(atoms.coordinates, atoms.residue_index, alpha, moved)
    np.testing.assert_allclose(carried[1::6], moved, atol=1e-12)
    before = atoms.coordinates.reshape(3, 6, 3)
    after = carried.reshape(3, 6, 3)
    for i in range(6):
        np.testing.assert_allclose(
            np.linalg.norm(after - after[:, i : i + 1], axis=-1),
            np.linalg.norm(before - before[:, i : i + 1], axis=-1),
            atol=1e-12,
        )


def test_specimen_of_a_conformer_has_its_atoms_at_its_alpha_carbons(atoms) -> None:
    alpha = alpha_carbons(atoms)
    truth = replace(alpha, coordinates=alpha.coordinates + 5.0)
    specimen = all_atom_specimen(atoms, truth)
    expected = scatter_atoms(atoms, atoms.coordinates + 5.0)
    torch.testing.assert_close(specimen.coordinates, expected.coordinates)
    assert torch.equal(specimen.weights, expected.weights)


def test_another_sequence_is_refused(atoms) -> None:
    truth = replace(alpha_carbons(atoms), sequence="CCG")
    with pytest.raises(ValueError, match="sequence"):
        all_atom_specimen(atoms, truth)
