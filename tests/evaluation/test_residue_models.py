"""Comparison of density models with all atoms, on made-up densities of known answer."""

import math

import numpy as np
import pytest
import torch

from equicryo.evaluation.noiseless import (
    density_correlation,
    draw_atoms,
    inside_molecule,
    most_likely_chain,
    typical_images,
)
from equicryo.evaluation.residue_models import (
    BIAS_COLUMNS,
    COMPARISON_COLUMNS,
    Comparison,
    side_chain_directions,
    tabulate_bias,
)
from equicryo.physics.normal_equations import NormalEquations
from equicryo.physics.residue_density import SingleBlobs
from equicryo.structure.atoms import AtomicModel
from equicryo.structure.residues import residue_electrons

from ..normal_equations import seen_through, spike

EDGE = 24


@pytest.fixture
def atoms() -> AtomicModel:
    """Alanine, glycine, serine along x, side chains pointing to +y and −y."""
    names = ("N", "CA", "C", "O", "CB", "N", "CA", "C", "O")
    names += ("N", "CA", "C", "O", "CB", "OG")
    index = np.repeat([0, 1, 2], [5, 4, 6])
    places = {"N": (-1.2, 0, 0.6), "CA": (0, 0, 0), "C": (1.2, 0, 0.6)}
    places |= {"O": (1.4, 0, 1.8), "CB": (0, 1.5, 0), "OG": (0, 2.9, 0)}
    coordinates = np.array([places[name] for name in names], dtype=float)
    coordinates[index == 2, 1] *= -1.0
    coordinates[:, 0] += 3.8 * (index - 1)
    return AtomicModel(
        name="test",
        chain_id="A",
        sequence="AGS",
        residue_numbers=np.arange(1, 4),
        insertion_codes=("",) * 3,
        atom_names=names,
        elements=tuple(name[0] for name in names),
        residue_index=index,
        coordinates=coordinates,
        b_factors=np.full(len(names), 20.0),
        occupancies=np.ones(len(names)),
    )


def test_drawn_atoms_hold_all_electrons(atoms) -> None:
    volume = draw_atoms(atoms)
    assert volume.shape == (24, 24, 24)
    electrons = residue_electrons("AGS").sum()
    assert volume.sum().item() == pytest.approx(electrons, rel=1e-3)


def test_inside_is_within_three_angstrom_of_an_atom(atoms) -> None:
    inside = inside_molecule(atoms, EDGE)
    z, y, x = np.argwhere(inside.numpy()).T - EDGE // 2
    for voxel in np.stack([x, y, z], axis=1):
        assert np.linalg.norm(atoms.coordinates - voxel, axis=1).min() < 3.0
    assert inside[EDGE // 2, EDGE // 2 + 4, EDGE // 2 - 4]  # past Cβ of the first
    assert not inside[EDGE // 2, EDGE // 2 - 4, EDGE // 2 - 4]


def test_correlation_is_one_for_a_multiple_and_sees_only_the_inside() -> None:
    generator = torch.Generator().manual_seed(0)
    volume = torch.randn((EDGE,) * 3, dtype=torch.float64, generator=generator)
    inside = torch.zeros((EDGE,) * 3, dtype=torch.bool)
    inside[8:16, 8:16, 8:16] = True
    same = density_correlation(3.0 * volume + 1e-9, volume, inside, 2.0)
    assert same == pytest.approx(1.0, abs=1e-8)
    other = torch.where(inside, volume, -volume)
    # A low-pass of almost nothing lets no voxel see its neighbours.
    assert density_correlation(other, volume, inside, 1e-3) == pytest.approx(1.0)
    assert density_correlation(other, volume, ~inside, 1e-3) == pytest.approx(-1.0)


def test_low_pass_falls_to_one_over_e_at_the_resolution() -> None:
    """A wave keeps its shape; one of twice the resolution's length keeps e^(−1/4)."""
    axis = torch.arange(64, dtype=torch.float64)
    fast, slow = torch.cos(math.pi * axis / 2.0), torch.cos(math.pi * axis / 4.0)
    inside = torch.zeros(64, 64, 64, dtype=torch.bool)
    inside[:, :, 24:40] = True  # away from the faces

    def volume(wave: torch.Tensor) -> torch.Tensor:
        return wave.expand(64, 64, 64).contiguous()

    # At 4 Å the wave of 4 Å is e⁻¹, that of 8 Å e^(−1/4); they are orthogonal.
    mixed = math.exp(-1.0) / math.hypot(math.exp(-1.0), math.exp(-0.25))
    actual = density_correlation(volume(fast + slow), volume(fast), inside, 4.0)
    assert actual == pytest.approx(mixed, abs=0.02)


def white_images() -> NormalEquations:
    """Volumes seen voxel by voxel."""
    return seen_through(spike(EDGE, 1.0))


def test_most_likely_chain_is_where_the_density_is() -> None:
    """From 0.5 Å away, for a density that the model can make exactly."""
    place = torch.tensor([[-4.0, 1.0, 0.3], [0.2, -1.0, 0.0], [4.1, 0.5, -0.4]])
    place = place.double()
    density = SingleBlobs(weights=torch.tensor([40.0, 30.0, 50.0]), width=1.5)
    truth = density.volume(place, EDGE, 1.0, 0.0)
    found = most_likely_chain(place + 0.5, density, truth, white_images())
    torch.testing.assert_close(found, place, rtol=0.0, atol=1e-3)


def test_single_blob_goes_to_the_centroid_of_two() -> None:
    """A model with one blob for two equal ones: the bias is half their distance."""
    pair = torch.tensor([[0.0, 0.0, 0.0], [0.0, 1.6, 0.0]], dtype=torch.float64)
    two = SingleBlobs(weights=torch.tensor([20.0, 20.0]), width=1.5)
    one = SingleBlobs(weights=torch.tensor([40.0]), width=1.5)
    truth = two.volume(pair, EDGE, 1.0, 0.0)
    found = most_likely_chain(pair[:1], one, truth, white_images())
    expected = torch.tensor([[0.0, 0.8, 0.0]], dtype=torch.float64)
    torch.testing.assert_close(found, expected, rtol=0.0, atol=1e-3)


@pytest.mark.slow
def test_typical_images_inform_alike_in_all_directions() -> None:
    normal = typical_images(EDGE, generator=torch.Generator().manual_seed(0))
    centre = normal.kernel[EDGE, EDGE, EDGE]
    along = [
        normal.kernel[EDGE + 2, EDGE, EDGE],
        normal.kernel[EDGE, EDGE + 2, EDGE],
        normal.kernel[EDGE, EDGE, EDGE + 2],
    ]
    values = torch.stack(along) / centre
    # 200 random views: 1/√200.
    assert (values - values.mean()).abs().max() < 0.07 * 3


def test_tables_pool_residues_of_one_type(atoms) -> None:
    assert side_chain_directions(atoms).tolist() == [[0, 1, 0], [0, 0, 0], [0, -1, 0]]

    def comparison(model: str, shifts: list) -> Comparison:
        return Comparison(
            atoms=atoms,
            model=model,
            correlations=(0.5, 0.6, 0.7),
            shifts=torch.tensor(shifts, dtype=torch.float64),
        )

    first = comparison("single", [[0, 1.0, 0], [2.0, 0, 0], [0, -3.0, 4.0]])
    second = comparison("single", [[0, -3.0, 4.0], [0, 0, 0], [0, 1.0, 0]])
    row = first.row()
    assert tuple(row) == COMPARISON_COLUMNS
    assert row["ml_rmsd"] == pytest.approx(math.sqrt((1 + 4 + 25) / 3))
    assert (row["ml_median"], row["chain"], row["residues"]) == (2.0, "test_A", 3)
    alanine, glycine, serine = tabulate_bias([first, second])
    assert tuple(alanine) == BIAS_COLUMNS
    assert alanine["ml_rmsd"] == pytest.approx(math.sqrt((1 + 25) / 2))
    assert alanine["along_side_chain"] == pytest.approx(-1.0)
    assert serine["along_side_chain"] == pytest.approx(1.0)
    assert (glycine["along_side_chain"], glycine["count"]) == (None, 2)
