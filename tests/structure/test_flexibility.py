import numpy as np

from equicryo.structure.flexibility import relative_b_factors


def test_residues_of_a_ring_are_alike_and_ends_of_a_rod_move_most():
    angle = np.linspace(0.0, 2.0 * np.pi, 12, endpoint=False)
    ring = 9.0 * np.stack([np.cos(angle), np.sin(angle), 0.0 * angle], -1)
    np.testing.assert_allclose(relative_b_factors(ring), 1.0, rtol=1e-12)
    rod = 3.8 * np.arange(9.0)[:, None] * np.array([1.0, 0.0, 0.0])
    found = relative_b_factors(rod)
    np.testing.assert_allclose(found, found[::-1], rtol=1e-12)
    assert (np.diff(found[:5]) < 0.0).all()


def test_three_in_a_row_by_hand():
    rod = np.array([[0.0, 0, 0], [1.0, 0, 0], [2.0, 0, 0]])
    # Contact numbers 5/4, 2, 5/4: inverses 4/5, 1/2, 4/5 over their mean 7/10.
    expected = np.array([8.0, 5.0, 8.0]) / 7.0
    np.testing.assert_allclose(relative_b_factors(rod), expected, rtol=1e-12)
