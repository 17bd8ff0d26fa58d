import pytest
import torch
from scipy.signal import fftconvolve

from equicryo.physics.normal_equations import NormalEquations
from equicryo.physics.normal_operator import prepare_operator

from ..normal_equations import seen_through

EDGE = 6


@pytest.fixture
def normal(generator) -> NormalEquations:
    """A random b and a random kernel that is symmetric but for its unused planes."""
    b = torch.randn((EDGE,) * 3, dtype=torch.float64, generator=generator)
    kernel = torch.randn((2 * EDGE,) * 3, dtype=torch.float64, generator=generator)
    inner = kernel[1:, 1:, 1:]
    inner += inner.flip(0, 1, 2).clone()
    return seen_through(kernel, b, data_energy=1.0)


@pytest.fixture
def volume(generator) -> torch.Tensor:
    return torch.randn((3, *(EDGE,) * 3), dtype=torch.float64, generator=generator)


def test_convolution_agrees_with_scipy(normal, volume) -> None:
    operator = prepare_operator(normal)
    for one, actual in zip(volume, operator.convolve(volume), strict=True):
        full = fftconvolve(one.numpy(), normal.kernel.numpy())
        # Zero lag sits at index EDGE of the kernel.
        part = slice(EDGE, 2 * EDGE)
        expected = torch.from_numpy(full[part, part, part])
        # Two FFT orders of float64 sums of 216 unit terms.
        torch.testing.assert_close(actual, expected, atol=1e-11, rtol=0.0)


def test_convolution_is_its_own_adjoint(normal, volume) -> None:
    operator = prepare_operator(normal)
    first, second = volume[0], volume[1]
    left = (operator.convolve(first) * second).sum().item()
    assert (first * operator.convolve(second)).sum().item() == pytest.approx(
        left, rel=1e-10
    )


def test_log_likelihood_is_the_quadratic_form(normal, volume) -> None:
    operator = prepare_operator(normal)
    linear = (normal.b * volume).sum((-3, -2, -1))
    quadratic = (volume * operator.convolve(volume)).sum((-3, -2, -1))
    torch.testing.assert_close(
        operator.log_likelihood(volume), linear - 0.5 * quadratic
    )


def test_gradient_of_the_log_likelihood(normal) -> None:
    operator = prepare_operator(normal)
    volume = torch.ones((2, *(EDGE,) * 3), dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(operator.log_likelihood, volume)


def test_single_precision_follows_double(normal, volume) -> None:
    double = prepare_operator(normal).log_likelihood(volume)
    single = prepare_operator(normal, dtype=torch.float32)
    # 216 terms of up to 1e3, each good to 2⁻²⁴ and a few roundings of the FFT.
    torch.testing.assert_close(
        single.log_likelihood(volume.float()).double(), double, rtol=1e-5, atol=1e-2
    )


def test_a_kernel_of_the_wrong_size_is_refused(normal) -> None:
    fields = {**vars(normal), "kernel": normal.kernel[1:, 1:, 1:]}
    with pytest.raises(ValueError, match="kernel"):
        NormalEquations(**fields)
