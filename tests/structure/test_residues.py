import gemmi
import numpy as np
import pytest

from equicryo.structure.residues import (
    ONE_TO_THREE,
    RESIDUES,
    UNKNOWN_TYPE,
    residue_electrons,
    residue_types,
)

WATER_ELECTRONS = 10.0
CATIONS = "HKR"  # tabulated with one proton more


def test_there_are_twenty_residues_in_alphabetical_order() -> None:
    assert RESIDUES == "ACDEFGHIKLMNPQRSTVWY"


@pytest.mark.parametrize("letter", RESIDUES)
def test_electrons_agree_with_gemmi_weight_and_hydrogens(letter: str) -> None:
    tabulated = gemmi.find_tabulated_residue(ONE_TO_THREE[letter])
    assert tabulated.one_letter_code == letter
    hydrogens = tabulated.hydrogen_count - (letter in CATIONS)
    # Outside hydrogen an atom of these weighs two units a proton, but for traces.
    weight = tabulated.weight - (1.008 if letter in CATIONS else 0.0)
    heavy_protons = (weight - 1.008 * hydrogens) / 2.0
    expected = heavy_protons + hydrogens - WATER_ELECTRONS
    # Natural isotopes: 32.06/2 for S, 14.007/2 for N: at most 0.1 electrons.
    assert residue_electrons(letter)[0] == pytest.approx(expected, abs=0.1)


def test_electrons_follow_the_sequence() -> None:
    np.testing.assert_array_equal(residue_electrons("GAG"), [30.0, 38.0, 30.0])
    assert residue_electrons("").shape == (0,)


def test_unknown_residue_has_no_electron_count() -> None:
    with pytest.raises(ValueError, match="'X'"):
        residue_electrons("GXA")


def test_types_index_the_alphabet_and_mark_the_unknown() -> None:
    np.testing.assert_array_equal(residue_types("AYXG"), [0, 19, UNKNOWN_TYPE, 5])
