import math

import pytest
import torch

from equicryo.evaluation.cramer_rao import (
    cramer_rao_bound,
    cramer_rao_rmsd,
    position_information,
)
from equicryo.physics.density import gaussian_volume

BOX_SIZE = 24
WIDTH = 1.5


def density(coordinates: torch.Tensor) -> torch.Tensor:
    weights = torch.tensor([54.0, 70.0, 36.0], dtype=torch.float64)
    return gaussian_volume(
        coordinates, weights[: len(coordinates)], WIDTH, BOX_SIZE, 1.0
    )


def smooth(volumes: torch.Tensor) -> torch.Tensor:
    """Convolve with a symmetric positive kernel, one Gaussian a frequency."""
    frequency = torch.fft.fftfreq(BOX_SIZE, dtype=torch.float64)
    profile = torch.exp(-4.0 * frequency**2)
    transfer = profile[:, None, None] * profile[:, None] * profile
    spectrum = torch.fft.fftn(volumes, dim=(-3, -2, -1)) * transfer
    return torch.fft.ifftn(spectrum, dim=(-3, -2, -1)).real


def three_atoms() -> torch.Tensor:
    return torch.tensor(
        [[0.3, -0.2, 0.1], [3.1, 1.0, -1.2], [-2.0, 2.7, 1.4]], dtype=torch.float64
    )


def test_fisher_is_the_hessian_of_the_noiseless_misfit() -> None:
    truth = three_atoms()
    target = density(truth)

    def misfit(flat: torch.Tensor) -> torch.Tensor:
        difference = density(flat.view(-1, 3)) - target
        return 0.5 * (difference * smooth(difference)).sum()

    hessian = torch.autograd.functional.hessian(misfit, truth.flatten())
    fisher = position_information(truth, density, smooth)
    # Without residual the Gauss-Newton matrix is the Hessian: rounding of sums of
    # 24³ products.
    torch.testing.assert_close(fisher, hessian, rtol=1e-9, atol=1e-9)


def test_one_atom_in_white_noise_has_the_closed_form() -> None:
    precision = 0.37

    def white(volumes: torch.Tensor) -> torch.Tensor:
        return precision * volumes

    atom = torch.tensor([[0.2, 0.4, -0.3]], dtype=torch.float64)
    fisher = position_information(atom, density, white)
    # ∫ (∂g/∂x)² = w² / (16 π^{3/2} σ⁵); the sum over voxels of 1 Å aliases
    # 2π²σ² exp(−π²σ²) = 1e-8 of it.
    expected = precision * 54.0**2 / (16.0 * math.pi**1.5 * WIDTH**5)
    torch.testing.assert_close(
        fisher, expected * torch.eye(3, dtype=torch.float64), rtol=1e-7, atol=1e-7
    )
    assert cramer_rao_rmsd(fisher) == pytest.approx(math.sqrt(3.0 / expected))


def test_bound_is_the_error_of_the_efficient_estimator() -> None:
    """Maximum likelihood in a linear model reaches the bound."""
    generator = torch.Generator().manual_seed(1)
    design = torch.randn(40, 6, generator=generator, dtype=torch.float64)
    fisher = design.T @ design
    noise = torch.randn(20_000, 40, generator=generator, dtype=torch.float64)
    errors = noise @ torch.linalg.pinv(design).T
    actual = errors.square().sum(-1).div(2).mean().sqrt().item()
    # Sampling error of a mean of 20,000 squares of about 3 effective numbers: 0.3 %.
    assert cramer_rao_rmsd(fisher) == pytest.approx(actual, rel=0.012)
    residues = errors.view(-1, 2, 3).square().sum(-1).mean(0).sqrt()
    torch.testing.assert_close(cramer_rao_bound(fisher), residues, rtol=0.02, atol=0.0)


def test_bound_is_infinite_when_depth_is_invisible() -> None:
    """One projection says nothing of z."""

    def projected(volumes: torch.Tensor) -> torch.Tensor:
        return volumes.sum(-3, keepdim=True).expand_as(volumes)

    fisher = position_information(three_atoms(), density, projected)
    assert cramer_rao_rmsd(fisher) == math.inf
