import numpy as np
import pytest

from equicryo.structure.chain_selection import (
    refusal,
    select_chains,
    shared_words,
    virtual_dihedrals,
)
from equicryo.structure.chain_set import ChainSet
from equicryo.structure.residues import RESIDUES


def helix(residues: int) -> np.ndarray:
    """Make the Cα of a right-handed α-helix: 100° and 1.5 Å a residue, radius 2.3 Å."""
    index = np.arange(residues)
    angle = np.radians(100.0) * index
    return np.stack([2.3 * np.cos(angle), 2.3 * np.sin(angle), 1.5 * index], axis=-1)


def letters(seed: int, residues: int) -> str:
    generator = np.random.default_rng(seed)
    return "".join(generator.choice(list(RESIDUES), residues))


def stretched(bond: float) -> np.ndarray:
    chain = helix(60)
    step = chain[30] - chain[29]
    chain[30:] += step * (bond / np.linalg.norm(step) - 1)
    return chain


def test_helix_dihedral_is_near_plus_fifty():
    assert virtual_dihedrals(helix(20)) == pytest.approx(50.0, abs=0.5)
    mirrored = helix(20) * [1, 1, -1]
    np.testing.assert_allclose(
        virtual_dihedrals(mirrored), -virtual_dihedrals(helix(20))
    )


@pytest.mark.parametrize(
    ("sequence", "coordinates", "reason"),
    [
        ("A" * 60, helix(60), ""),
        ("A" * 40, helix(40), ""),
        ("A" * 256, helix(256), ""),
        ("A" * 39, helix(39), "outside"),
        ("A" * 257, helix(257), "outside"),
        ("A" * 59 + "X", helix(60), "standard"),
        ("A" * 60, helix(60) * [1, 1, -1], "mirrored"),
        ("A" * 60, stretched(2.9), ""),
        ("A" * 60, stretched(3.3), "broken"),
        ("A" * 60, stretched(2.5), "broken"),
        ("A" * 60, stretched(4.4), "broken"),
    ],
)
def test_chain_is_refused_for_its_fault(sequence, coordinates, reason):
    found = refusal(sequence, coordinates)
    assert reason in found
    assert bool(found) == bool(reason)


def make_set(sequences: list[str]) -> ChainSet:
    steps = [np.rint(helix(len(s)) * 100).astype(np.int16) for s in sequences]
    return ChainSet(
        ids=tuple(f"{index}ABC_A" for index in range(len(sequences))),
        lengths=np.array([len(s) for s in sequences], dtype=np.int64),
        sequence="".join(sequences),
        steps=np.concatenate(steps),
    )


def test_shared_words_agree_with_sets():
    sequences = [letters(0, 60), letters(1, 80), letters(0, 60)[:30] + letters(2, 70)]
    words = [{s[i : i + 5] for i in range(len(s) - 4)} for s in sequences]
    expected = [[len(a & b) / min(len(a), len(b)) for b in words] for a in words]
    np.testing.assert_allclose(shared_words(sequences).toarray(), expected)


def test_first_of_two_chains_alike_in_sequence_stays():
    first = letters(0, 100)
    half = first[:50] + letters(3, 50)
    chains = make_set([letters(1, 60), first, half, letters(2, 39), letters(4, 70)])
    assert select_chains(chains).ids == ("0ABC_A", "1ABC_A", "4ABC_A")


def test_dropped_chain_drops_no_other():
    left, middle, right = letters(0, 60), letters(1, 60), letters(2, 60)
    # The second is like the first, the third like the second alone.
    chains = make_set([left, left[:40] + middle[:40], middle[:40] + right])
    assert select_chains(chains).ids == ("0ABC_A", "2ABC_A")


def test_selected_chains_keep_their_own_residues():
    chains = make_set([letters(seed, 50 + seed) for seed in range(4)])
    some = chains.select([3, 1])
    assert some.sequence_of(0) == letters(3, 53)
    np.testing.assert_array_equal(some.coordinates_of(1), chains.coordinates_of(1))


@pytest.mark.parametrize(
    ("ids", "lengths", "sequence"),
    [
        (("A", "A"), [2, 2], "ACDE"),
        (("A",), [2, 2], "ACDE"),
        (("A", "B"), [2, 3], "ACDE"),
        (("A", "B"), [2, 2], "ACD"),
    ],
)
def test_fields_that_disagree_are_refused(ids, lengths, sequence):
    with pytest.raises(ValueError, match="lengths"):
        ChainSet(
            ids=ids,
            lengths=np.array(lengths, dtype=np.int64),
            sequence=sequence,
            steps=np.zeros((4, 3), dtype=np.int16),
        )
