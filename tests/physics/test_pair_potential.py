"""Sums over pairs of blobs against the grid of their density."""

import numpy as np
import pytest
import torch
from scipy.optimize import check_grad

from equicryo.physics.density import gaussian_volume
from equicryo.physics.normal_equations import NormalEquations
from equicryo.physics.normal_operator import prepare_operator
from equicryo.physics.pair_potential import PairPotential, prepare_potential

from ..normal_equations import seen_through

EDGE, PIXEL_SIZE, WIDTH = 24, 1.1, 1.6
WEIGHTS = np.array([30.0, 55.0, 80.0, 41.0, 62.0])


@pytest.fixture(scope="module")
def normal() -> NormalEquations:
    """A kernel that no direction is like another in, and a noisy back-projection."""
    generator = torch.Generator().manual_seed(0)
    axis = torch.fft.fftfreq(2 * EDGE, dtype=torch.float64)
    z, y, x = torch.meshgrid(axis, axis, axis, indexing="ij")
    transfer = 1e-3 / (0.05 + (x**2 + 2.0 * y**2 + 3.0 * z**2 + x * y).sqrt())
    kernel = torch.fft.fftshift(torch.fft.ifftn(transfer).real)
    noise = torch.randn(3 * (EDGE,), generator=generator, dtype=torch.float64)
    seen = seen_through(kernel, pixel_size=PIXEL_SIZE)
    return NormalEquations(**{**vars(seen), "b": 0.01 * noise})


@pytest.fixture(scope="module")
def potential(normal) -> PairPotential:
    return prepare_potential(normal, WEIGHTS, WIDTH)


@pytest.fixture
def blobs() -> np.ndarray:
    return 3.0 * np.random.default_rng(1).normal(size=(len(WEIGHTS), 3))


def test_terms_are_those_of_the_density(normal, potential, blobs) -> None:
    positions, weights = torch.from_numpy(blobs), torch.from_numpy(WEIGHTS)
    volume = gaussian_volume(positions, weights, WIDTH, EDGE, PIXEL_SIZE)
    linear, quadratic = prepare_operator(normal).terms(volume)
    found = potential.terms(blobs)
    # Interpolation between voxels two thirds of a width apart.
    assert found[0] == pytest.approx(float(linear), rel=2e-3)
    assert found[1] == pytest.approx(float(quadratic), rel=1e-3)


@pytest.mark.parametrize("term", [0, 1])
def test_slopes_are_those_of_the_terms(potential, blobs, term) -> None:
    def value(flat: np.ndarray) -> float:
        return potential.terms(flat.reshape(-1, 3))[term]

    def slope(flat: np.ndarray) -> np.ndarray:
        return potential.terms(flat.reshape(-1, 3))[term + 2].ravel()

    flat = blobs.ravel()
    error = check_grad(value, slope, flat, epsilon=1e-2)
    # Differences of float32 tables over a hundredth of an ångström.
    assert error < 0.02 * np.linalg.norm(slope(flat))


def test_tables_are_what_the_terms_are_made_of(potential, blobs) -> None:
    field, kernel = potential.tabulate(blobs)
    linear, quadratic, _, _ = potential.terms(blobs)
    assert WEIGHTS @ field == pytest.approx(linear, rel=1e-5)
    assert WEIGHTS @ kernel @ WEIGHTS == pytest.approx(quadratic, rel=1e-5)


def test_blobs_off_the_grid_are_not_seen(potential, blobs) -> None:
    away = blobs + np.array([200.0, 0.0, 0.0])
    assert potential.terms(away)[0] == 0.0
