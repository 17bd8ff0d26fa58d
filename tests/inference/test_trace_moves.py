"""Moves keep what they say they keep."""

import numpy as np
import pytest

from equicryo.inference.trace_moves import (
    LINK,
    MOST_CRANKED,
    MOST_SWUNG,
    MOVES,
    crank_residues,
    relocate_stretch,
    reverse_stretch,
    shift_stretch,
    swing_end,
)

RESIDUES, DRAWS = 40, 60


@pytest.fixture(scope="module")
def chain() -> np.ndarray:
    """A compact walk whose bonds are 3.8 Å long."""
    generator = np.random.default_rng(0)
    chain = [np.zeros(3)]
    while len(chain) < RESIDUES:
        step = generator.normal(size=3) - 0.1 * chain[-1]
        chain.append(chain[-1] + 3.8 * step / np.linalg.norm(step))
    return np.array(chain)


def draw(move, chain: np.ndarray) -> np.ndarray:
    generator = np.random.default_rng(1)
    return np.array([move(chain, generator) for _ in range(DRAWS)])


def bonds(chains: np.ndarray) -> np.ndarray:
    return np.linalg.norm(np.diff(chains, axis=-2), axis=-1)


@pytest.mark.parametrize("move", MOVES)
def test_a_move_leaves_the_chain_that_it_is_given(move, chain) -> None:
    before = chain.copy()
    moved = draw(move, chain)
    assert (chain == before).all()
    assert moved.shape == (DRAWS, RESIDUES, 3)
    assert np.isfinite(moved).all()
    assert ((moved != chain).any((1, 2))).mean() > 0.9


@pytest.mark.parametrize("move", [reverse_stretch, relocate_stretch])
def test_links_change_and_places_do_not(move, chain) -> None:
    for moved in draw(move, chain):
        assert {tuple(place) for place in moved} == {tuple(place) for place in chain}
        lengths = bonds(moved)
        # At most three links are new, and none is long.
        assert (np.abs(lengths - 3.8) > 1e-9).sum() <= 3
        assert lengths.max() < LINK


def test_every_reversal_is_of_one_stretch(chain) -> None:
    for moved in draw(reverse_stretch, chain):
        (changed,) = np.nonzero((moved != chain).any(-1))
        stretch = slice(changed[0], changed[-1] + 1)
        np.testing.assert_array_equal(moved[stretch], chain[stretch][::-1])


def test_what_fits_nowhere_else_stays() -> None:
    line = 10.0 * np.arange(6.0)[:, None] * np.array([1.0, 0.0, 0.0])
    assert (relocate_stretch(line, np.random.default_rng(0)) == line).all()


def test_a_shift_moves_each_residue_along_the_chain(chain) -> None:
    moved = draw(shift_stretch, chain)
    along = np.linalg.norm(moved - chain, axis=-1)
    # No residue goes farther than the next one's place.
    assert along.max() < 3.8 + 1e-9
    assert (along.max(1) > 3.7).mean() > 0.5


def test_cranks_and_swings_keep_bonds(chain) -> None:
    for move, most in ((crank_residues, MOST_CRANKED), (swing_end, MOST_SWUNG)):
        moved = draw(move, chain)
        np.testing.assert_allclose(bonds(moved), 3.8, rtol=1e-9)
        changed = (np.abs(moved - chain) > 1e-9).any(-1)
        assert (changed.sum(1) <= most).all()
    inner = draw(crank_residues, chain)[:, [0, -1]]
    assert (inner == chain[[0, -1]]).all()


def test_both_ends_swing(chain) -> None:
    changed = (np.abs(draw(swing_end, chain) - chain) > 1e-9).any(-1)
    assert changed[:, 0].any()
    assert changed[:, -1].any()
    assert not changed[:, MOST_SWUNG:-MOST_SWUNG].any()
