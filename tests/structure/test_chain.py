from dataclasses import replace

import numpy as np
import pytest

from equicryo.errors import InputError
from equicryo.structure.chain import (
    Chain,
    bond_lengths,
    centre_chain,
    chain_breaks,
    require_unbroken,
)

LINE = Chain(
    name="line",
    chain_id="B",
    sequence="GAVL",
    residue_numbers=np.array([70, 71, 71, 75]),
    insertion_codes=("", "", "A", ""),
    coordinates=np.array([[3.8 * index, 0.0, 0.0] for index in range(4)]),
    b_factors=np.full(4, 20.0),
)


def test_bond_lengths_are_distances_of_neighbours() -> None:
    batch = np.stack([LINE.coordinates, 2.0 * LINE.coordinates])
    expected = [[3.8] * 3, [7.6] * 3]
    np.testing.assert_allclose(bond_lengths(batch), expected, rtol=1e-14)


def test_numbering_alone_does_not_break_a_chain() -> None:
    assert chain_breaks(LINE) == []


def test_a_break_names_both_residues_and_the_distance() -> None:
    coordinates = LINE.coordinates + np.array([[0.0], [0.0], [0.0], [5.0]])
    expected_distance = np.linalg.norm(coordinates[3] - coordinates[2])
    broken = replace(LINE, coordinates=coordinates)
    assert chain_breaks(broken) == [f"B/V71A to B/L75 ({expected_distance:.1f} Å)"]


def test_fields_of_different_length_are_refused() -> None:
    with pytest.raises(ValueError, match="differ in length"):
        replace(LINE, sequence="GAV")


def test_a_broken_chain_is_refused_by_name() -> None:
    require_unbroken(LINE)
    broken = replace(LINE, coordinates=LINE.coordinates * 1.2)
    with pytest.raises(InputError, match=r"chain B is broken: B/G70 to B/A71 \(4\.6 Å"):
        require_unbroken(broken)


def test_centring_moves_the_centroid_only() -> None:
    centred = centre_chain(LINE)
    np.testing.assert_allclose(centred.coordinates.mean(axis=0), 0.0, atol=1e-14)
    np.testing.assert_allclose(
        bond_lengths(centred.coordinates), bond_lengths(LINE.coordinates), rtol=1e-14
    )
