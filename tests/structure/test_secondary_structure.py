import re
from pathlib import Path

import gemmi
import numpy as np
import pytest

from equicryo.structure.secondary_structure import (
    COIL,
    HELIX,
    STRAND,
    assign_structure,
    helix_hands,
    virtual_angles,
)

LYSOZYME = "resources/structures/1hel.pdb"


def helix(residues: int) -> np.ndarray:
    index = np.arange(residues)
    angle = np.radians(100.0) * index
    return np.stack([2.3 * np.cos(angle), 2.3 * np.sin(angle), 1.5 * index], axis=-1)


def strand(residues: int) -> np.ndarray:
    """Make a flat strand: 3.3 Å a residue, 0.95 Å to either side."""
    index = np.arange(residues)
    side = 0.95 * (-1.0) ** index
    return np.stack([side, np.zeros(residues), 3.3 * index], axis=-1)


@pytest.fixture(scope="module")
def lysozyme() -> np.ndarray:
    model = gemmi.read_structure(LYSOZYME)[0]
    return np.array([list(residue["CA"][0].pos) for residue in model[0].get_polymer()])


def recorded(record: str, first: slice, last: slice) -> list[range]:
    """Read from the header of 1HEL where, from 0, its authors saw elements."""
    lines = Path(LYSOZYME).read_text().splitlines()
    found = [line for line in lines if line.startswith(record)]
    assert found
    return [range(int(line[first]) - 1, int(line[last])) for line in found]


def found(structure: str, kind: str) -> list[range]:
    return [range(*match.span()) for match in re.finditer(f"{kind}+", structure)]


def test_long_helices_of_lysozyme_are_those_of_its_authors(lysozyme):
    recorded_helices = recorded("HELIX", slice(21, 25), slice(33, 37))
    expected = [helix for helix in recorded_helices if len(helix) >= 10]
    assigned = found(assign_structure(lysozyme), HELIX)
    assert len(assigned) == len(expected) == 3
    # Methods differ about the ends of a helix by a residue or two.
    for ours, theirs in zip(assigned, expected, strict=True):
        assert abs(ours.start - theirs.start) <= 2
        assert abs(ours.stop - theirs.stop) <= 2


def test_strands_of_lysozyme_lie_in_its_sheet(lysozyme):
    sheet = recorded("SHEET", slice(22, 26), slice(33, 37))
    assigned = found(assign_structure(lysozyme), STRAND)
    # P-SEA leaves out the two strands that are short and bent.
    assert assigned
    for ours in assigned:
        assert any(set(ours) & set(theirs) for theirs in sheet)


def test_every_helix_of_lysozyme_is_right_handed(lysozyme):
    hands = helix_hands(lysozyme, assign_structure(lysozyme))
    assert len(hands) == 3
    assert np.allclose(hands, 50.0, atol=5.0)


def test_ideal_elements_are_assigned_but_for_their_ends():
    assert re.fullmatch(
        f"{COIL}?{HELIX}{{16,20}}{COIL}{{0,3}}", assign_structure(helix(20))
    )
    assert re.fullmatch(
        f"{COIL}?{STRAND}{{6,10}}{COIL}{{0,3}}", assign_structure(strand(10))
    )


@pytest.mark.parametrize("residues", [4, 5, 6])
def test_what_is_too_short_is_coil(residues):
    assert set(assign_structure(helix(residues))) == {COIL}


def test_mirrored_helix_is_a_left_handed_one(lysozyme):
    mirrored = lysozyme * [1.0, 1.0, -1.0]
    structure = assign_structure(lysozyme)
    assert found(assign_structure(mirrored), HELIX) == found(structure, HELIX)
    np.testing.assert_allclose(
        helix_hands(mirrored, structure), -np.array(helix_hands(lysozyme, structure))
    )


def test_assignment_is_the_same_in_every_place(lysozyme):
    turn, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))
    turn *= np.linalg.det(turn)
    assert assign_structure(lysozyme @ turn.T + 9.0) == assign_structure(lysozyme)


def test_random_walk_has_next_to_no_structure():
    steps = np.random.default_rng(1).normal(size=(2000, 3))
    walk = np.cumsum(3.8 * steps / np.linalg.norm(steps, axis=-1, keepdims=True), 0)
    assert assign_structure(walk).count(COIL) > 1900


def test_virtual_angles_of_a_right_angle_and_a_line():
    corner = np.array([[0.0, 0, 0], [3.8, 0, 0], [3.8, 3.8, 0], [3.8, 7.6, 0]])
    np.testing.assert_allclose(virtual_angles(corner), [90.0, 180.0], atol=1e-6)
