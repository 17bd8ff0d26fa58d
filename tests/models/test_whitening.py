import pytest
import torch

from equicryo.models.whitening import EnsembleWhitening, fit_whitening, orient
from equicryo.physics.rotations import draw_rotations
from equicryo.structure.superposition import rmsd, superpose


def everywhere(chains: torch.Tensor) -> torch.Tensor:
    return torch.ones(chains.shape[:2], dtype=torch.bool)


def test_mean_of_a_turned_ensemble_is_found(ensemble, helix):
    # Nine amplitudes of 1 Å with cos² = ½, averaged over 200: √(9/2/200) = 0.15 Å.
    assert float(rmsd(fit_whitening(ensemble).mean, helix)) < 0.3


def test_only_the_planted_modes_vary(ensemble):
    variance = fit_whitening(ensemble).variance
    # Nine planted directions; rotation is taken out, second-order leftovers are small.
    assert float(variance[:9].sum() / variance.sum()) > 0.98


def test_posterior_mean_equals_the_gaussian_formula(ensemble):
    """Without rotation and far from saturation, W is C (C + σ²)⁻¹ about the mean."""
    whitening = fit_whitening(ensemble)
    generator = torch.Generator().manual_seed(1)
    z = 0.2 * torch.randn(whitening.modes, dtype=torch.float64, generator=generator)
    offset = whitening.basis @ (whitening.variance.sqrt() * z)
    noisy = (whitening.mean + offset)[None]
    sigma = 1.5
    covariance = torch.einsum(
        "icm,m,jdm->icjd", whitening.basis, whitening.variance, whitening.basis
    ).reshape(120, 120)
    eye = torch.eye(120, dtype=torch.float64)
    expected = covariance @ torch.linalg.solve(
        covariance + sigma**2 * eye, offset.ravel()
    )
    actual = whitening(
        noisy, torch.tensor([sigma], dtype=torch.float64), everywhere(noisy)
    )
    # The basis has no net torque only to first order, so μ turns by about 1e-3 rad.
    torch.testing.assert_close(
        actual[0] - whitening.mean, expected.view(40, 3), rtol=0.0, atol=2e-2
    )


def test_deviation_is_the_error_of_the_posterior_mean(ensemble):
    whitening = fit_whitening(ensemble)
    generator = torch.Generator().manual_seed(2)
    z = torch.randn(4000, whitening.modes, dtype=torch.float64, generator=generator)
    clean = whitening.mean + torch.einsum(
        "icm,bm->bic", whitening.basis, z * whitening.variance.sqrt()
    )
    noise = torch.randn(clean.shape, dtype=torch.float64, generator=generator)
    noise -= noise.mean(1, keepdim=True)
    level = torch.full((4000,), 1.0, dtype=torch.float64)
    estimate = whitening(clean + noise, level, everywhere(clean))
    error = (estimate - clean).square().mean().sqrt()
    # 4,000 × 12 squared errors: 1 % Monte-Carlo; saturation and rotation add 2 %.
    assert float(
        error / whitening.deviation(level[:1], everywhere(clean[:1]))[0]
    ) == pytest.approx(1.0, abs=0.03)


def test_amplitudes_within_two_deviations_are_left_alone(ensemble):
    whitening = fit_whitening(ensemble)
    step = whitening.basis[..., 0] * whitening.variance[0].sqrt()
    tiny = torch.tensor([1e-6], dtype=torch.float64)
    near = (whitening.mean + 2.0 * step)[None]
    moved = whitening(near, tiny, everywhere(near))[0]
    assert float(rmsd(moved, whitening.mean + 2.0 * step)) < 1e-3 * 2.0 * float(
        step.square().sum(-1).mean().sqrt()
    )
    beyond = (whitening.mean + 50.0 * step)[None]
    far = whitening(beyond, tiny, everywhere(beyond))[0]
    # 4 standard deviations at most, whatever was asked for.
    assert float((far - whitening.mean).norm() / step.norm()) < 4.3


def test_orient_is_the_proper_superposition(ensemble):
    mean = fit_whitening(ensemble).mean
    chains = ensemble[:10] - ensemble[:10].mean(1, keepdim=True)
    torch.testing.assert_close(
        orient(mean, chains), superpose(mean, chains).rotation, rtol=0.0, atol=1e-12
    )


def test_orient_has_the_derivative_of_the_superposition(ensemble):
    mean = fit_whitening(ensemble).mean[:6]
    mean = mean - mean.mean(0)
    generator = torch.Generator().manual_seed(3)
    chain = mean @ draw_rotations(1, generator=generator)[0].T
    chain = chain + 0.5 * torch.randn(6, 3, dtype=torch.float64, generator=generator)
    chain = (chain - chain.mean(0))[None].requires_grad_()
    assert torch.autograd.gradcheck(lambda x: orient(mean, x), chain)


def test_directions_are_orthonormal_and_begin_with_rigid_motions(ensemble):
    whitening = fit_whitening(ensemble)
    chain = ensemble[0] + 5.0
    basis, variance = whitening.directions(chain)
    torch.testing.assert_close(
        basis.T @ basis, torch.eye(basis.shape[1]).double(), rtol=0.0, atol=1e-10
    )
    assert torch.isinf(variance[:6]).all()
    assert torch.isfinite(variance[6:]).all()
    turn = torch.linalg.cross(
        torch.tensor([0.3, -0.2, 0.5]).double().expand(40, 3), chain - chain.mean(0)
    )
    inside = basis[:, :6] @ (basis[:, :6].T @ turn.ravel())
    torch.testing.assert_close(inside, turn.ravel(), rtol=0.0, atol=1e-9)


def test_buffers_are_kept_in_float64():
    whitening = EnsembleWhitening(
        torch.zeros(4, 3), torch.zeros(4, 3, 2), torch.ones(2)
    )
    assert {buffer.dtype for buffer in whitening.buffers()} == {torch.float64}


def test_a_chain_with_residues_missing_is_refused(ensemble):
    whitening = fit_whitening(ensemble)
    present = everywhere(ensemble[:1])
    present[0, -1] = False
    with pytest.raises(ValueError, match="fewer than the 40 residues"):
        whitening(ensemble[:1], torch.ones(1).double(), present)
