from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import kstest

from equicryo.errors import InputError
from equicryo.io.structures import StructureConfig, read_structure
from equicryo.structure.atoms import alpha_carbons
from equicryo.structure.bonds import closest_contacts
from equicryo.structure.chain import Chain, bond_lengths, centre_chain
from equicryo.structure.elastic import (
    EnsembleConfig,
    draw_displacements,
    elastic_modes,
    sample_conformers,
)
from equicryo.structure.superposition import rmsd, superpose

LYSOZYME = Path(__file__).parents[2] / "resources" / "structures" / "1hel.pdb"
SETTINGS = EnsembleConfig(
    conformers=60, held_out=10, modes=20, mean_rmsd=2.0, cutoff=15.0
)


@pytest.fixture(scope="module")
def chain() -> Chain:
    settings = StructureConfig(
        source="file", file="", sha256="", model=1, chain="A", altloc="highest"
    )
    return centre_chain(alpha_carbons(read_structure(LYSOZYME, settings, "1hel")))


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def ensemble(chain: Chain) -> np.ndarray:
    found = sample_conformers(chain, SETTINGS, generator=seeded(0))
    assert len(found.training) == 50
    assert len(found.held_out) == 10
    return np.concatenate([found.training, found.held_out])


def naive_hessian(coordinates: np.ndarray, cutoff: float) -> np.ndarray:
    """Sum -(u uᵀ) over springs, u the unit vector between the residues."""
    residues = len(coordinates)
    hessian = np.zeros((residues, 3, residues, 3))
    for i in range(residues):
        for j in range(residues):
            distance = np.linalg.norm(coordinates[i] - coordinates[j])
            if i != j and distance <= cutoff:
                unit = (coordinates[i] - coordinates[j]) / distance
                hessian[i, :, j] -= np.outer(unit, unit)
                hessian[i, :, i] += np.outer(unit, unit)
    return hessian.reshape(3 * residues, 3 * residues)


def test_modes_are_eigenvectors_of_the_spring_network(chain: Chain) -> None:
    modes = elastic_modes(chain.coordinates, 20, 15.0)
    hessian = naive_hessian(chain.coordinates, 15.0)
    vectors = modes.directions.reshape(20, -1)
    # float64 eigenvalue problem of size 387: 4e2 × 2⁻⁵² × stiffness of up to 10³.
    np.testing.assert_allclose(vectors @ vectors.T, np.eye(20), atol=1e-10)
    np.testing.assert_allclose(
        hessian @ vectors.T, vectors.T * modes.stiffness, atol=1e-9
    )
    np.testing.assert_allclose(
        modes.stiffness, np.linalg.eigvalsh(hessian)[6:26], rtol=1e-9
    )


def test_the_largest_component_of_a_mode_is_positive(chain: Chain) -> None:
    vectors = elastic_modes(chain.coordinates, 20, 15.0).directions.reshape(20, -1)
    np.testing.assert_array_equal(vectors.max(axis=1), np.abs(vectors).max(axis=1))


def test_modes_hold_no_rigid_motion(chain: Chain) -> None:
    modes = elastic_modes(chain.coordinates, 20, 15.0)
    turning = np.cross(chain.coordinates, modes.directions).sum(axis=1)
    np.testing.assert_allclose(modes.directions.sum(axis=1), 0.0, atol=1e-9)
    np.testing.assert_allclose(turning, 0.0, atol=1e-8)


def test_amplitudes_are_thermal(chain: Chain) -> None:
    modes = elastic_modes(chain.coordinates, 5, 15.0)
    drawn = draw_displacements(modes, 2000, generator=seeded(1)).reshape(2000, -1)
    amplitudes = drawn @ modes.directions.reshape(5, -1).T
    # 10,000 independent standard normal numbers; the seed is fixed.
    standard = amplitudes * np.sqrt(modes.stiffness)
    assert kstest(standard.ravel(), "norm").pvalue > 0.01
    correlation = np.corrcoef(standard.T) - np.eye(5)
    assert np.abs(correlation).max() < 4.0 / np.sqrt(2000)


def test_mean_rmsd_is_that_asked_for(chain: Chain, ensemble: np.ndarray) -> None:
    found = rmsd(torch.from_numpy(ensemble), torch.from_numpy(chain.coordinates))
    # The scale is solved for to 10⁻⁶.
    assert float(found.mean()) == pytest.approx(2.0, abs=1e-4)
    assert float(found.std()) > 0.2


def test_bonds_stay_as_in_the_crystal(chain: Chain, ensemble: np.ndarray) -> None:
    expected = np.broadcast_to(bond_lengths(chain.coordinates), (60, 128))
    np.testing.assert_allclose(bond_lengths(ensemble), expected, atol=0.02)


def test_no_clash_is_created(chain: Chain, ensemble: np.ndarray) -> None:
    assert closest_contacts(chain.coordinates[None])[0] > 3.6
    assert closest_contacts(ensemble).min() >= 3.6


def test_conformers_are_centred_and_superposed(
    chain: Chain, ensemble: np.ndarray
) -> None:
    np.testing.assert_allclose(ensemble.mean(axis=1), 0.0, atol=1e-10)
    again = superpose(
        torch.from_numpy(ensemble), torch.from_numpy(chain.coordinates)
    ).rotation
    expected = torch.eye(3, dtype=torch.float64).expand(60, 3, 3)
    torch.testing.assert_close(again, expected, rtol=0.0, atol=1e-10)


def test_twenty_modes_hold_nearly_all_the_variance(chain: Chain) -> None:
    settings = replace(SETTINGS, conformers=200, held_out=1)
    found = sample_conformers(chain, settings, generator=seeded(2)).training
    centred = (found - found.mean(axis=0)).reshape(len(found), -1)
    variances = np.square(np.linalg.svd(centred, compute_uv=False))
    # Bond repair bends straight modes; 0.98 with 500 conformers.
    assert variances[:20].sum() > 0.97 * variances.sum()
    assert variances[:10].sum() < 0.95 * variances.sum()


def test_equal_seeds_give_equal_bytes(chain: Chain) -> None:
    settings = replace(SETTINGS, conformers=5, held_out=2)
    first, second, other = (
        sample_conformers(chain, settings, generator=seeded(seed)) for seed in (7, 7, 8)
    )
    np.testing.assert_array_equal(first.training, second.training)
    np.testing.assert_array_equal(first.held_out, second.held_out)
    assert np.abs(first.training - other.training).max() > 0.1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"held_out": 60}, "leaves none to train on"),
        ({"modes": 382}, "129 residues have only 381 non-rigid modes"),
        ({"cutoff": 4.0}, "move freely: raise cutoff"),
        ({"mean_rmsd": 10.0}, r"of 60 conformers still clash after draw 0: lower"),
        ({"mean_rmsd": 500.0}, "bonds of a displaced conformer are still wrong"),
    ],
)
def test_settings_that_do_not_fit_are_refused(
    chain: Chain, changes: dict, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        sample_conformers(chain, replace(SETTINGS, **changes), generator=seeded(0))
