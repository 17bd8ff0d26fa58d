import numpy as np
import pytest
import torch

from equicryo.models.polymer import PolymerWhitening, fit_polymer, rouse_modes


def everywhere(count: int, residues: int) -> torch.Tensor:
    return torch.ones(count, residues, dtype=torch.bool)


@pytest.fixture(scope="module")
def walks() -> list[np.ndarray]:
    """Ideal chains of bonds of 3.8 Å, 40 to 250 residues."""
    generator = np.random.default_rng(0)
    lengths = generator.integers(40, 250, 3000)
    step = 3.8 / 3**0.5
    return [np.cumsum(step * generator.normal(size=(n, 3)), 0) for n in lengths]


@pytest.fixture(scope="module")
def polymer(walks) -> PolymerWhitening:
    return fit_polymer(walks)


def test_modes_are_orthonormal_and_centred():
    modes = rouse_modes(everywhere(1, 30), torch.float64)[0]
    torch.testing.assert_close(
        modes.T @ modes, torch.eye(29, dtype=torch.float64), rtol=0.0, atol=1e-12
    )
    torch.testing.assert_close(
        modes.sum(0), torch.zeros(29, dtype=torch.float64), rtol=0.0, atol=1e-12
    )


def test_modes_of_padded_chains_end_with_the_chain():
    present = everywhere(2, 30)
    present[1, 20:] = False
    modes = rouse_modes(present, torch.float64)
    torch.testing.assert_close(
        modes[1, :20, :19], rouse_modes(everywhere(1, 20), torch.float64)[0]
    )
    assert not modes[1, 20:].any()
    assert not modes[1, :, 19:].any()


def test_the_spectrum_of_ideal_chains_is_that_of_an_ideal_chain(polymer):
    """Rouse's closed form: b²/(12 sin²(πp/2N)) a coordinate, so that w = 1."""
    for residues in (60, 128, 220):
        variance = polymer.variance(everywhere(1, residues))[0]
        mode = torch.arange(1, residues, dtype=torch.float64)
        ideal = 3.8**2 / 12.0 / torch.sin(torch.pi * mode / 2 / residues) ** 2
        # 400 chains of three axes a mode: 4 %; neighbouring modes are averaged.
        torch.testing.assert_close(variance, ideal, rtol=0.2, atol=0.0)
        assert float((variance / ideal).mean()) == pytest.approx(1.0, abs=0.03)


def test_posterior_mean_equals_the_gaussian_formula(polymer):
    modes = rouse_modes(everywhere(1, 50), torch.float64)[0]
    covariance = modes @ torch.diag(polymer.variance(everywhere(1, 50))[0]) @ modes.T
    generator = torch.Generator().manual_seed(1)
    noisy = 10.0 * torch.randn(50, 3, dtype=torch.float64, generator=generator)
    noisy -= noisy.mean(0)
    eye = torch.eye(50, dtype=torch.float64)
    expected = covariance @ torch.linalg.solve(covariance + 4.0 * eye, noisy)
    level = torch.tensor([2.0], dtype=torch.float64)
    actual = polymer(noisy[None], level, everywhere(1, 50))[0]
    torch.testing.assert_close(actual, expected, rtol=0.0, atol=1e-9)
    left = covariance @ torch.linalg.solve(covariance + 4.0 * eye, 4.0 * eye)
    torch.testing.assert_close(
        polymer.deviation(level, everywhere(1, 50))[0] ** 2, left.trace() / 50
    )


def test_directions_hold_the_same_gaussian_and_free_translations(polymer):
    basis, variance = polymer.directions(torch.zeros(20, 3))
    torch.testing.assert_close(
        basis.T @ basis, torch.eye(60, dtype=torch.float64), rtol=0.0, atol=1e-12
    )
    assert torch.isinf(variance[:3]).all()
    shift = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64).repeat(20)
    inside = basis[:, :3] @ (basis[:, :3].T @ shift)
    torch.testing.assert_close(inside, shift, rtol=0.0, atol=1e-12)
    expected = polymer.variance(everywhere(1, 20))[0].repeat_interleave(3)
    torch.testing.assert_close(variance[3:], expected)
