import pytest
import torch

from equicryo.physics import gaussian_posterior
from equicryo.physics.compression import compress_images
from equicryo.physics.gaussian_posterior import (
    GaussianPosterior,
    circulant_part,
    conjugate_gradients,
    filter_volume,
)
from equicryo.physics.noise import white_power
from equicryo.physics.normal_operator import NormalOperator, prepare_operator
from equicryo.physics.simulation import clean_images
from equicryo.physics.spectra import shells_to_grid

EDGE = 4
UNITS = torch.eye(EDGE**3, dtype=torch.float64).reshape(-1, *(EDGE,) * 3)


@pytest.fixture
def operator(generator) -> NormalOperator:
    """A random positive kernel."""
    shape = (2 * EDGE, 2 * EDGE, EDGE + 1)
    power = torch.rand(shape, dtype=torch.float64, generator=generator)
    power = power + torch.roll(power.flip(0, 1), (1, 1), (0, 1))
    b = torch.randn((EDGE,) * 3, dtype=torch.float64, generator=generator)
    return NormalOperator(b=b, transfer=power, pixel_size=1.0)


@pytest.fixture
def posterior(operator, generator, monkeypatch) -> GaussianPosterior:
    monkeypatch.setattr(gaussian_posterior, "TOLERANCE", 1e-10)
    spectrum = torch.tensor([4.0, 2.0, 1.0, 0.5], dtype=torch.float64)
    return GaussianPosterior(
        operator=operator,
        diagonal=circulant_part(operator),
        variance=shells_to_grid(spectrum, EDGE),
        amplitude=0.5
        + torch.rand((EDGE,) * 3, dtype=torch.float64, generator=generator),
    )


def dense(linear) -> torch.Tensor:
    return linear(UNITS).reshape(EDGE**3, -1)


def precision(posterior) -> torch.Tensor:
    scale = posterior.amplitude
    prior = dense(lambda v: scale * filter_volume(scale * v, posterior.variance))
    return dense(posterior.operator.convolve) + torch.linalg.inv(prior)


def test_mean_solves_the_dense_system(posterior, generator):
    centre = torch.randn(2, *(EDGE,) * 3, dtype=torch.float64, generator=generator)
    operator = posterior.operator
    misfit = (operator.b - operator.convolve(centre)).reshape(2, -1)
    step = torch.linalg.solve(precision(posterior), misfit.T).T.view_as(centre)
    # A condition number of about 10 times the tolerance.
    torch.testing.assert_close(posterior.mean(centre), centre + step, atol=1e-8, rtol=0)


def test_colouring_has_the_inverse_precision_as_covariance(posterior):
    root = dense(posterior.colour)
    expected = torch.linalg.inv(precision(posterior))
    torch.testing.assert_close(root.T @ root, expected, atol=1e-8, rtol=0.0)


def test_circulant_part_is_the_nearest_circulant(operator):
    """Its eigenvalues are what K shows along each Fourier mode."""
    matrix = dense(operator.convolve).to(torch.complex128)
    modes = torch.fft.fftn(UNITS.to(torch.complex128), dim=(1, 2, 3)).reshape(64, -1)
    seen = torch.einsum("mi,ij,mj->m", modes.conj(), matrix, modes).real / EDGE**3
    expected = seen.reshape((EDGE,) * 3)[..., : EDGE // 2 + 1]
    torch.testing.assert_close(circulant_part(operator), expected)


def test_few_iterations_suffice_for_images(specimen, views, generator, monkeypatch):
    """The preconditioner earns its place: plain conjugate gradients need far more."""
    images = torch.cat(list(clean_images(specimen, views)))
    variance = 5.0 * float(images.var())
    noise = torch.randn(images.shape, dtype=torch.float64, generator=generator)
    noisy = images + variance**0.5 * noise
    normal = compress_images([(noisy, views)], white_power(variance, 48), 24)
    operator = prepare_operator(normal)
    spectrum = 40.0 * torch.exp(-0.6 * torch.arange(22, dtype=torch.float64)) + 1e-4
    posterior = GaussianPosterior(
        operator=operator,
        diagonal=circulant_part(operator),
        variance=shells_to_grid(spectrum, 24),
        amplitude=torch.ones(()),
    )
    monkeypatch.setattr(gaussian_posterior, "MAX_ITERATIONS", 30)
    mean = posterior.mean(torch.zeros_like(operator.b))
    left = operator.b - posterior._precision(mean)  # Its amplitude is one.
    assert float(posterior._condition(left).norm() / mean.norm()) < 0.01
    with pytest.raises(RuntimeError, match="no convergence"):
        conjugate_gradients(posterior._precision, lambda volume: volume, operator.b)
