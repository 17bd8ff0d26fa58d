"""Placement of atoms around a Cα trace, on chains that no constant was fitted to."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from equicryo.io.residue_model import read_rebuilt_chains, read_residue_model
from equicryo.physics.residue_fit import blob_centres
from equicryo.structure.residue_model import (
    BLOBS,
    FEATURES,
    Placement,
    blob_mask,
    local_features,
    prepare_placement,
)
from equicryo.structure.residues import RESIDUES, residue_types

FOLDER = "resources/residue_model"


@pytest.fixture(scope="module")
def held_out():
    return read_rebuilt_chains(f"{FOLDER}/held_out_chains.npz")


@pytest.fixture(scope="module")
def model():
    return read_residue_model(f"{FOLDER}/constants.json")


def place_all(model, sequence: str, alpha: torch.Tensor) -> np.ndarray:
    """Return the places as `[residue, blob, 3]`, NaN where there is no blob."""
    full = np.full((len(sequence), len(BLOBS), 3), np.nan)
    placed = prepare_placement(model.offsets, sequence).place(alpha).numpy()
    full[blob_mask()[residue_types(sequence)]] = placed
    return full


@pytest.fixture(scope="module")
def errors(model, held_out):
    """Distances of the places from the atoms, and residue types, over all chains."""
    distances, types = [], []
    for atoms in held_out:
        true = blob_centres(atoms)
        alpha = torch.from_numpy(true[:, BLOBS.index("CA")])
        placed = place_all(model, atoms.sequence, alpha)
        distances.append(np.linalg.norm(placed - true, axis=-1))
        types += residue_types(atoms.sequence).tolist()
    return np.concatenate(distances), np.array(types)


# Measured: N 0.22, C 0.24, O 0.69, Cβ 0.26, side chain 1.44 Å; each bar is a quarter
# above. Constants of the wrong atom would be off by more than 1 Å.
@pytest.mark.parametrize(
    ("blob", "largest"),
    [("N", 0.28), ("CA", 1e-12), ("C", 0.3), ("O", 0.87), ("CB", 0.33), ("SC", 1.8)],
)
def test_atoms_of_unseen_chains_are_near_their_places(errors, blob, largest) -> None:
    distances = errors[0][:, BLOBS.index(blob)]
    assert np.sqrt(np.nanmean(distances**2)) < largest


def test_small_and_branched_side_chains_are_well_placed(errors) -> None:
    distances, types = errors
    for letter in "VITP":
        chosen = distances[types == RESIDUES.index(letter), BLOBS.index("SC")]
        assert np.sqrt((chosen**2).mean()) < 0.8, letter


def test_bonds_of_the_placed_backbone_have_their_length(model, held_out) -> None:
    for atoms in held_out:
        alpha = torch.from_numpy(blob_centres(atoms)[:, BLOBS.index("CA")])
        placed = place_all(model, atoms.sequence, alpha)
        n, ca, c, o = placed[:, :4].transpose(1, 0, 2)
        for first, second, ideal in (
            (n, ca, 1.46),
            (ca, c, 1.52),
            (c, o, 1.23),
            (c[:-1], n[1:], 1.33),
        ):
            median = np.median(np.linalg.norm(first - second, axis=-1))
            # A mean over the turns of the peptide plane lies inside them: up to 0.12 Å.
            assert median == pytest.approx(ideal, abs=0.15)


def test_places_turn_and_move_with_the_chain(model, held_out) -> None:
    atoms = held_out[0]
    alpha = blob_centres(atoms)[:, BLOBS.index("CA")]
    turn = Rotation.from_rotvec([0.4, -1.1, 2.0]).as_matrix()
    before = place_all(model, atoms.sequence, torch.from_numpy(alpha))
    moved = place_all(model, atoms.sequence, torch.from_numpy(alpha @ turn.T + 7.0))
    # Rounding of coordinates near 50 Å.
    np.testing.assert_allclose(moved, before @ turn.T + 7.0, atol=1e-12)


def chirality(placed: np.ndarray) -> np.ndarray:
    """Triple product of the bonds from Cα to N, C and Cβ: positive in L residues."""
    n, c, beta = (
        placed[:, BLOBS.index(name)] - placed[:, BLOBS.index("CA")]
        for name in ("N", "C", "CB")
    )
    return np.einsum("ri,ri->r", np.cross(n, c), beta)


def test_residues_are_left_handed_and_so_not_mirror_images(model, held_out) -> None:
    for atoms in held_out:
        true = blob_centres(atoms)
        alpha = torch.from_numpy(true[:, BLOBS.index("CA")])
        with_beta = ~np.isnan(true[:, BLOBS.index("CB"), 0])
        assert (chirality(true)[with_beta] > 0).all()
        assert (chirality(place_all(model, atoms.sequence, alpha))[with_beta] > 0).all()
        # The places of a mirrored trace are not the mirrored atoms: Cβ is far off.
        mirror = torch.tensor([1.0, 1.0, -1.0], dtype=torch.float64)
        wrong = place_all(model, atoms.sequence, alpha * mirror) * mirror.numpy()
        beta = BLOBS.index("CB")
        error = np.linalg.norm(wrong[:, beta] - true[:, beta], axis=-1)[with_beta]
        assert np.median(error) > 1.0


def test_glycine_has_no_side_chain_and_alanine_only_beta() -> None:
    placement = prepare_placement(np.zeros((20, len(BLOBS), FEATURES)), "GAW")
    counts = np.bincount(placement.present.numpy() // len(BLOBS))
    assert counts.tolist() == [4, 5, 6]


def test_gradient_of_the_places_to_the_ends_of_a_chain() -> None:
    """Three residues have both their ends in every window."""
    generator = torch.Generator().manual_seed(3)
    offsets = torch.randn(
        3, len(BLOBS), FEATURES, dtype=torch.float64, generator=generator
    )
    placement = Placement(offsets=offsets, present=torch.arange(3 * len(BLOBS)))
    alpha = torch.tensor(
        [[[0.0, 0.1, 0.0], [3.7, 0.4, -0.2], [5.0, 3.5, 1.0]]], dtype=torch.float64
    ).requires_grad_()
    assert torch.autograd.gradcheck(placement.place, alpha)


def test_features_stay_finite_where_bonds_vanish() -> None:
    alpha = torch.zeros(6, 3, dtype=torch.float64, requires_grad=True)
    features = local_features(alpha)
    features.square().sum().backward()
    assert torch.isfinite(features).all()
    assert torch.isfinite(alpha.grad).all()


def test_a_batch_is_each_chain_for_itself(model, held_out) -> None:
    atoms = held_out[2]
    alpha = torch.from_numpy(blob_centres(atoms)[:, BLOBS.index("CA")])
    placement = prepare_placement(model.offsets, atoms.sequence)
    pair = torch.stack([alpha, alpha.flip(-1)])
    together = placement.place(pair)
    for one, apart in zip(together, pair, strict=True):
        torch.testing.assert_close(one, placement.place(apart), rtol=0.0, atol=1e-12)


def test_two_residues_are_refused() -> None:
    with pytest.raises(ValueError, match="3 are needed"):
        local_features(torch.zeros(2, 3))
