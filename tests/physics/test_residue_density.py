import math

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal

from equicryo.io.residue_model import read_rebuilt_chains, read_residue_model
from equicryo.physics.all_atom import scatter_atoms
from equicryo.physics.density import band_limited_volume
from equicryo.physics.residue_density import residue_blobs, single_blobs
from equicryo.structure.atoms import alpha_carbons
from equicryo.structure.residue_model import BLOBS
from equicryo.structure.residues import RESIDUES, residue_electrons

FOLDER = "resources/residue_model"


@pytest.fixture(scope="module")
def model():
    return read_residue_model(f"{FOLDER}/constants.json")


@pytest.fixture(scope="module")
def chain():
    """The shortest held-out chain, centred."""
    chains = read_rebuilt_chains(f"{FOLDER}/held_out_chains.npz")
    return min(chains, key=lambda atoms: len(atoms.sequence))


@pytest.fixture
def alpha(chain):
    coordinates = torch.from_numpy(alpha_carbons(chain).coordinates)
    return coordinates - coordinates.mean(0)


def test_volume_is_the_sum_of_normal_densities(model, alpha, chain) -> None:
    """Blurred by 1.5 Å, so that plain samples of it are not aliased."""
    blobs = residue_blobs(chain.sequence, model)
    box, blur = 48, 1.5
    chosen = np.random.default_rng(0).integers(8, 40, size=(400, 3))
    actual = blobs.volume(alpha, box, 1.0, blur).numpy()[tuple(chosen.T)]
    voxels = (chosen - box // 2)[:, ::-1]
    expected = sum(
        weight * multivariate_normal.pdf(voxels, centre, width**2 + blur**2)
        for centre, weight, width in zip(
            blobs.placement.place(alpha).numpy(),
            blobs.weights.tolist(),
            blobs.widths.tolist(),
            strict=True,
        )
    )
    # Content beyond Nyquist: exp(−½ π² (0.65² + 1.5²)) = 2e-6 of a blob.
    np.testing.assert_allclose(actual, expected, atol=1e-5 * expected.max())


def test_chain_has_its_electrons(model) -> None:
    for sequence in (RESIDUES, "GGG", "WGA"):
        blobs = residue_blobs(sequence, model)
        total = residue_electrons(sequence).sum()
        assert blobs.weights.sum().item() == pytest.approx(total, rel=1e-12)
        assert len(blobs.weights) == len(blobs.widths) == len(blobs.placement.present)


def test_blobs_weigh_what_their_atoms_do(model) -> None:
    """Carbon is 1; nitrogen and oxygen scatter electrons more weakly, sulphur more."""
    weight = dict(zip(BLOBS, model.weights[RESIDUES.index("C")], strict=True))
    # Peng's f(0) in Å: C 2.51, N 2.21, O 1.98, S 5.16.
    for blob, ratio in (("C", 1.0), ("N", 0.88), ("O", 0.79), ("SC", 2.06)):
        assert weight[blob] / weight["CA"] == pytest.approx(ratio, abs=0.01), blob
    tryptophan = model.weights[RESIDUES.index("W"), BLOBS.index("SC")]
    assert tryptophan / weight["CA"] == pytest.approx(8 + 0.88, abs=0.05)


def test_residue_model_explains_unseen_density_better(model, alpha, chain) -> None:
    atoms = scatter_atoms(
        chain, chain.coordinates - alpha_carbons(chain).coordinates.mean(0)
    )
    truth = band_limited_volume(
        atoms.coordinates, atoms.weights, torch.as_tensor(atoms.width), 48, 1.25
    )

    def unexplained(density) -> float:
        volume = density.volume(alpha, 48, 1.25, 0.0)
        return float((volume - truth).square().sum() / truth.square().sum())

    # To 2.5 Å, on a chain that no constant saw: 0.21 against 0.50.
    single = unexplained(single_blobs(chain.sequence, 1.5))
    assert unexplained(residue_blobs(chain.sequence, model)) < 0.5 * single


def test_gradient_of_the_volume(model) -> None:
    blobs = residue_blobs("AWG", model)
    alpha = torch.tensor(
        [[0.0, 0.1, 0.0], [3.7, 0.4, -0.2], [5.0, 3.5, 1.0]], dtype=torch.float64
    ).requires_grad_()
    assert torch.autograd.gradcheck(
        lambda x: blobs.volume(x, 4, 2.0, 0.5), alpha, atol=1e-7
    )


def test_width_is_that_of_the_narrowest_blob(model) -> None:
    blobs = residue_blobs(RESIDUES, model)
    assert blobs.width == pytest.approx(blobs.widths.min().item())
    assert single_blobs(RESIDUES, 1.5).width == 1.5


def test_single_blobs_sit_at_the_alpha_carbons(alpha, chain) -> None:
    volume = single_blobs(chain.sequence, 1.2).volume(alpha, 60, 1.0, 0.9)
    axis = torch.arange(60, dtype=torch.float64) - 30
    centroid = torch.stack(
        [(volume.sum(axes) * axis).sum() for axes in ((0, 1), (0, 2), (1, 2))]
    )
    electrons = torch.from_numpy(residue_electrons(chain.sequence))
    torch.testing.assert_close(centroid, electrons @ alpha, rtol=0.0, atol=1e-6)
    inertia = (volume.sum((0, 1)) * axis.square()).sum()
    expected = electrons @ (alpha[:, 0].square() + math.hypot(1.2, 0.9) ** 2)
    assert inertia.item() == pytest.approx(expected.item(), rel=1e-6)


@pytest.mark.parametrize("kind", ["single", "full"])
def test_residues_add_to_the_chain(kind, model, alpha, chain) -> None:
    if kind == "full":
        density = residue_blobs(chain.sequence, model)
    else:
        density = single_blobs(chain.sequence, 1.5)
    box, pixel_size = 24, 2.0
    whole = density.volume(alpha, box, pixel_size, 0.0)
    parts = density.residue_volumes(alpha, box, pixel_size)
    assert len(parts) == len(alpha)
    # Band-limited blobs are summed in another order: rounding.
    torch.testing.assert_close(parts.sum(0), whole, rtol=1e-9, atol=1e-9)
    axis = pixel_size * (torch.arange(box, dtype=torch.float64) - box // 2)
    total = parts.sum((-3, -2, -1))
    x = (parts.sum((-3, -2)) * axis).sum(-1) / total
    # A side chain's centre is at most this far from its Cα along x.
    assert float((x - alpha[:, 0]).abs().max()) < 3.0
