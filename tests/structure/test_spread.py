import numpy as np
import pytest

from equicryo.structure.spread import spread_to_b_factor


def test_gaussian_spread_gives_the_debye_waller_factor() -> None:
    width = np.array([0.1, 0.5, 2.0])  # standard deviation along each axis, Å
    noise = np.random.default_rng(0).normal(size=(20_000, 3, 3))
    found = spread_to_b_factor(50.0 + noise * width[:, None])
    # An atom of standard deviation u along each axis has B = 8π²u²; the relative
    # error of a variance from 60,000 numbers is √(2/60,000) = 0.6 %, here 3 of them.
    np.testing.assert_allclose(found, 8.0 * np.pi**2 * width**2, rtol=0.018)


def test_two_samples_give_an_unbiased_variance() -> None:
    samples = np.array([[[0.0, 0.0, 0.0]], [[2.0, 0.0, 0.0]]])
    # Variance 2 Å² with n - 1, 1 Å² with n.
    assert spread_to_b_factor(samples)[0] == pytest.approx(16.0 * np.pi**2 / 3.0)


def test_one_sample_has_no_spread() -> None:
    np.testing.assert_array_equal(spread_to_b_factor(np.ones((1, 4, 3))), np.zeros(4))
