import numpy as np
import pytest
from scipy.optimize import minimize

from equicryo.errors import InputError
from equicryo.structure import bonds
from equicryo.structure.bonds import (
    BOND_TOLERANCE,
    closest_contacts,
    project_bonds,
    repair_bonds,
)
from equicryo.structure.chain import bond_lengths


def random_chains(seed: int, conformers: int, residues: int) -> np.ndarray:
    steps = np.random.default_rng(seed).normal(size=(conformers, residues, 3))
    steps /= np.linalg.norm(steps, axis=-1, keepdims=True)
    return np.cumsum(3.8 * steps, axis=1)


def test_repaired_bonds_have_their_own_lengths() -> None:
    chains = random_chains(0, 5, 40)
    noise = np.random.default_rng(1).normal(0.0, 0.3, chains.shape)
    lengths = np.full(39, 3.8)
    lengths[17] = 2.9  # a cis peptide bond
    repaired = repair_bonds(chains + noise, lengths)
    np.testing.assert_allclose(
        bond_lengths(repaired), np.tile(lengths, (5, 1)), atol=BOND_TOLERANCE
    )


def test_repair_converges_as_newtons_method(monkeypatch: pytest.MonkeyPatch) -> None:
    # Errors of 0.5 Å shrink quadratically, 0.5 → 0.1 → 10⁻² → 10⁻⁴; a fixed rate
    # would need a dozen steps.
    monkeypatch.setattr(bonds, "MAX_REPAIR_STEPS", 5)
    chains = random_chains(0, 5, 40)
    noise = np.random.default_rng(1).normal(0.0, 0.2, chains.shape)
    repaired = repair_bonds(chains + noise, np.full(39, 3.8))
    np.testing.assert_allclose(bond_lengths(repaired), 3.8, atol=BOND_TOLERANCE)


def test_repair_moves_neither_centroids_nor_sound_conformers() -> None:
    chains = random_chains(2, 4, 30)
    lengths = np.full(29, 3.8)
    distorted = chains.copy()
    distorted[0] += np.random.default_rng(3).normal(0.0, 0.3, (30, 3))
    repaired = repair_bonds(distorted, lengths)
    # float64 rounding of coordinates of 100 Å.
    np.testing.assert_allclose(repaired[1:], chains[1:], atol=1e-10)
    np.testing.assert_allclose(repaired.mean(1), distorted.mean(1), atol=1e-10)


def test_repair_takes_nearly_the_shortest_way() -> None:
    chain = random_chains(4, 1, 6)
    distorted = chain + np.random.default_rng(5).normal(0.0, 0.1, chain.shape)
    lengths = np.full(5, 3.8)
    repaired = repair_bonds(distorted, lengths)[0]
    best = minimize(
        lambda x: np.square(x - distorted.ravel()).sum(),
        distorted.ravel(),
        constraints={
            "type": "eq",
            "fun": lambda x: bond_lengths(x.reshape(6, 3)) - lengths,
        },
        tol=1e-10,
    ).x.reshape(6, 3)
    # Newton's second step starts elsewhere than the first: a second-order excess,
    # bond error² / bond length = 0.2² / 3.8 Å, and the bond tolerance.
    np.testing.assert_allclose(repaired, best, atol=0.011)
    assert np.linalg.norm(best - distorted) > 0.1


def test_hopeless_bonds_are_refused() -> None:
    scattered = np.random.default_rng(6).normal(0.0, 1000.0, (5, 40, 3))
    with pytest.raises(InputError, match="lower mean_rmsd"):
        repair_bonds(scattered, np.full(39, 3.8))


def test_closest_contact_ignores_bonded_neighbours() -> None:
    square = np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [1.0, 1.0, 0.0]])
    stretched = square * np.array([3.0, 1.0, 1.0])
    found = closest_contacts(np.stack([square, stretched]))
    np.testing.assert_allclose(found, [np.sqrt(2.0), np.sqrt(10.0)], rtol=1e-14)


def test_projected_bonds_are_right_and_move_less_than_inflated_ones() -> None:
    """A smoothed chain, as averages are, folds up; a scaled one would not fit."""
    chains = random_chains(7, 4, 60)
    smooth = np.stack(
        [
            np.apply_along_axis(np.convolve, 0, chain, np.ones(9) / 9.0, "valid")
            for chain in chains
        ]
    )
    assert bond_lengths(smooth).mean() < 2.0
    projected = project_bonds(smooth, 3.8)
    np.testing.assert_allclose(bond_lengths(projected), 3.8, atol=BOND_TOLERANCE)
    np.testing.assert_allclose(projected.mean(1), smooth.mean(1), atol=1e-9)
    inflated = repair_bonds(smooth, np.full(51, 3.8))
    moved = np.linalg.norm(projected - smooth, axis=-1).mean()
    # A zigzag of 1.9 Å to either side already has all its bonds right.
    assert moved < 1.95 < np.linalg.norm(inflated - smooth, axis=-1).mean()


def test_projection_is_the_nearest_chain_with_right_bonds() -> None:
    chain = random_chains(8, 1, 8)
    noisy = chain + np.random.default_rng(9).normal(0.0, 0.3, chain.shape)
    nearest = minimize(
        lambda x: np.square(x - noisy.ravel()).sum(),
        noisy.ravel(),
        constraints={
            "type": "eq",
            "fun": lambda x: bond_lengths(x.reshape(1, 8, 3)).ravel() - 3.8,
        },
        method="SLSQP",
    )
    moved = np.square(project_bonds(noisy, 3.8) - noisy).sum()
    assert nearest.success
    assert moved < 1.1 * nearest.fun
