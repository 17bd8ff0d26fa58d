from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from equicryo.errors import InputError
from equicryo.io.points import (
    read_conformers,
    read_points,
    write_conformers,
    write_points,
)
from equicryo.structure.chain import Chain
from equicryo.structure.conformers import Conformers

CHAIN = Chain(
    name="1abc",
    chain_id="AA",
    sequence="GASV",
    residue_numbers=np.array([-1, 5, 5, 6]),
    insertion_codes=("", "", "A", ""),
    coordinates=np.linspace(-50.0, 50.0, 12).reshape(4, 3) / 3.0,
    b_factors=np.array([10.0, 20.5, 30.25, 99.99]),
)


def test_a_chain_comes_back_exactly(tmp_path: Path) -> None:
    write_points(tmp_path / "points.npz", CHAIN)
    found = read_points(tmp_path / "points.npz")
    for field in fields(Chain):
        expected = getattr(CHAIN, field.name)
        np.testing.assert_array_equal(getattr(found, field.name), expected)
    assert isinstance(found.sequence, str)
    assert found.insertion_codes == CHAIN.insertion_codes


def test_conformers_come_back_exactly(tmp_path: Path) -> None:
    written = Conformers(
        training=np.linspace(0.0, 1.0, 24).reshape(2, 4, 3),
        held_out=np.linspace(2.0, 3.0, 12).reshape(1, 4, 3),
    )
    write_conformers(tmp_path / "ensemble.npz", written)
    found = read_conformers(tmp_path / "ensemble.npz")
    np.testing.assert_array_equal(found.training, written.training)
    np.testing.assert_array_equal(found.held_out, written.held_out)


def test_points_are_not_mistaken_for_conformers(tmp_path: Path) -> None:
    write_points(tmp_path / "points.npz", CHAIN)
    with pytest.raises(InputError, match="no array held_out, training among"):
        read_conformers(tmp_path / "points.npz")
