"""A random field of known spectrum, seen through a known kernel with its noise."""

import pytest
import torch

from equicryo.evaluation.volume_baselines import (
    backprojection_estimate,
    estimate_power,
    wiener_estimate,
)
from equicryo.inference.volume_sampling import prepare_volume_likelihood
from equicryo.physics.gaussian_posterior import filter_volume
from equicryo.physics.normal_operator import NormalOperator
from equicryo.physics.spectra import shell_power, shells_to_grid

EDGE = 8
SPECTRUM = 8.0 * torch.exp(-0.7 * torch.arange(8, dtype=torch.float64))


@pytest.fixture(scope="module")
def problem():
    """Signal, dense kernel, and normal equations whose noise has the kernel's form."""
    generator = torch.Generator().manual_seed(3)
    shape = (2 * EDGE, 2 * EDGE, EDGE + 1)
    power = 1.0 + torch.rand(shape, dtype=torch.float64, generator=generator)
    power = power + torch.roll(power.flip(0, 1), (1, 1), (0, 1))
    empty = NormalOperator(
        b=torch.zeros((EDGE,) * 3, dtype=torch.float64), transfer=power, pixel_size=1.0
    )
    units = torch.eye(EDGE**3, dtype=torch.float64).reshape(-1, *(EDGE,) * 3)
    kernel = empty.convolve(units).reshape(EDGE**3, -1)
    white = torch.randn(2, *(EDGE,) * 3, dtype=torch.float64, generator=generator)
    signal = filter_volume(white[0], shells_to_grid(SPECTRUM, EDGE).sqrt())
    noise = torch.linalg.cholesky(kernel) @ white[1].flatten()
    b = empty.convolve(signal) + noise.view_as(signal)
    operator = NormalOperator(b=b, transfer=power, pixel_size=1.0)
    return signal, kernel, prepare_volume_likelihood(operator)


def test_wiener_filter_is_the_dense_posterior(problem):
    _, kernel, likelihood = problem
    units = torch.eye(EDGE**3, dtype=torch.float64).reshape(-1, *(EDGE,) * 3)
    before = filter_volume(units, 1.0 / shells_to_grid(SPECTRUM, EDGE))
    covariance = torch.linalg.inv(kernel + before.reshape(EDGE**3, -1))
    found = wiener_estimate(
        *("wiener_oracle", likelihood, SPECTRUM, 200),
        generator=torch.Generator().manual_seed(4),
    )
    mean = covariance @ likelihood.operator.b.flatten()
    # The solver stops at a residual of a thousandth.
    torch.testing.assert_close(found.mean.flatten(), mean, atol=5e-3, rtol=0.0)
    ratio = found.spread.flatten() ** 2 / covariance.diagonal()
    assert float(ratio.mean()) == pytest.approx(1.0, abs=0.03)


def test_spectrum_is_found_where_the_images_are_telling(problem):
    signal, _, likelihood = problem
    found = estimate_power(likelihood, generator=torch.Generator().manual_seed(5))
    true = shell_power(signal)
    # Shells 1 and 2: 18 and 62 frequencies, noise a tenth of the signal or less.
    torch.testing.assert_close(found[1:3], true[1:3], rtol=0.3, atol=0.0)
    assert float(found[6]) < 1.0


def test_noise_where_the_images_say_nothing_is_no_signal(problem):
    signal, _, likelihood = problem
    frequency = torch.fft.fftfreq(2 * EDGE, dtype=torch.float64)
    half = torch.fft.rfftfreq(2 * EDGE, dtype=torch.float64)
    square = frequency[:, None, None] ** 2 + frequency[:, None] ** 2 + half**2
    told = torch.where(square < 0.25, 1.0, 1e-7)
    transfer = 1e4 * told * likelihood.operator.transfer
    clean = NormalOperator(b=signal, transfer=transfer, pixel_size=1.0)
    generator = torch.Generator().manual_seed(9)
    noise = torch.randn(signal.shape, dtype=torch.float64, generator=generator)
    operator = NormalOperator(
        b=clean.convolve(signal) + noise, transfer=transfer, pixel_size=1.0
    )
    found = estimate_power(prepare_volume_likelihood(operator), generator=generator)
    torch.testing.assert_close(found[1:3], shell_power(signal)[1:3], rtol=0.3, atol=0.0)
    assert float(found[EDGE // 2 + 1 :].max()) < 1e-4 * float(found[1])


def test_knowing_the_spectrum_helps(problem):
    signal, _, likelihood = problem
    filtered = wiener_estimate(
        *("wiener_oracle", likelihood, SPECTRUM, 2),
        generator=torch.Generator().manual_seed(6),
    )
    flat = backprojection_estimate(likelihood, SPECTRUM)
    errors = [float((one.mean - signal).square().mean()) for one in (filtered, flat)]
    assert errors[0] < 0.9 * errors[1]
    assert flat.spread is None
