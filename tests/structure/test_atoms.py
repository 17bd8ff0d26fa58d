from dataclasses import replace

import numpy as np
import pytest

from equicryo.structure.atoms import AtomicModel, alpha_carbons

MODEL = AtomicModel(
    name="1abc",
    chain_id="A",
    sequence="GM",
    residue_numbers=np.array([4, 4]),
    insertion_codes=("", "B"),
    atom_names=("N", "CA", "C", "CA", "SD"),
    elements=("N", "C", "C", "C", "S"),
    residue_index=np.array([0, 0, 0, 1, 1]),
    coordinates=np.arange(15.0).reshape(5, 3),
    b_factors=np.array([5.0, 6.0, 7.0, 8.0, 9.0]),
    occupancies=np.ones(5),
)


def test_alpha_carbons_are_those_named_ca() -> None:
    chain = alpha_carbons(MODEL)
    np.testing.assert_array_equal(chain.coordinates, [[3, 4, 5], [9, 10, 11]])
    np.testing.assert_array_equal(chain.b_factors, [6.0, 8.0])
    assert (chain.sequence, chain.insertion_codes) == ("GM", ("", "B"))


@pytest.mark.parametrize(
    "names", [("N", "CB", "C", "CA", "SD"), ("CA", "CA", "C", "CA", "SD")]
)
def test_a_residue_without_exactly_one_alpha_carbon_is_refused(names: tuple) -> None:
    with pytest.raises(ValueError, match="exactly one CA"):
        alpha_carbons(replace(MODEL, atom_names=names))
