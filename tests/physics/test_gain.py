import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from equicryo.physics.fisher import fisher_information
from equicryo.physics.gain import (
    KnownGain,
    UnknownGain,
    gain_moments,
    marginal_log_likelihood,
)
from equicryo.physics.normal_operator import NormalOperator

EDGE = 4


def scalar(value: float) -> torch.Tensor:
    return torch.tensor(value, dtype=torch.float64)


def integrate(power: int, linear: float, quadratic: float) -> tuple[float, float]:
    """∫₀^∞ gᵖ exp(g B − ½ g² A) dg as exp(peak) times a number, by quadrature."""
    best = max(linear / quadratic, 0.0)
    peak = linear * best - 0.5 * quadratic * best**2
    # Where B < 0 the integrand falls as exp(−|B| g), else as a normal of width 1/√A.
    width = min(quadratic**-0.5, 1.0 / max(-linear, 1e-300))
    number, _ = quad(
        lambda g: g**power * math.exp(linear * g - 0.5 * quadratic * g * g - peak),
        max(0.0, best - 40.0 * width),
        best + 40.0 * width,
        points=[best + k * width for k in (-8, -3, 3, 8) if best + k * width > 0.0],
        limit=200,
        epsabs=0.0,
        epsrel=1e-11,
    )
    return peak, number


@given(z=st.floats(-60.0, 60.0), quadratic=st.floats(1e-3, 1e6))
def test_marginal_is_the_integral_over_the_gain(z: float, quadratic: float) -> None:
    linear = z * math.sqrt(quadratic)
    peak, number = integrate(0, linear, quadratic)
    actual = marginal_log_likelihood(scalar(linear), scalar(quadratic)).item()
    assert actual == pytest.approx(peak + math.log(number), rel=1e-9, abs=1e-9)


@given(z=st.floats(-60.0, 60.0), quadratic=st.floats(1e-3, 1e6))
def test_moments_are_those_of_the_integral(z: float, quadratic: float) -> None:
    linear = z * math.sqrt(quadratic)
    _, norm = integrate(0, linear, quadratic)
    moments = gain_moments(scalar(linear), scalar(quadratic))
    for power, actual in enumerate(moments, start=1):
        expected = integrate(power, linear, quadratic)[1] / norm
        # z + h cancels to 1/|z|, 1 + z (z + h) to 2/z²: 60⁴ · 10⁻¹⁶.
        assert actual.item() == pytest.approx(expected, rel=1e-7)


def test_marginal_is_finite_and_smooth_far_from_zero() -> None:
    """At z = −10⁶ and 10⁶ nothing overflows, and the slope is the mean gain."""
    for linear in (-1e6, -1.0, 0.0, 1.0, 1e6):
        b = scalar(linear).requires_grad_()
        value = marginal_log_likelihood(b, scalar(1.0))
        (slope,) = torch.autograd.grad(value, b)
        assert torch.isfinite(value)
        mean, _ = gain_moments(b.detach(), scalar(1.0))
        # The slope of the logarithm of erfcx cancels as the moments do.
        assert slope.item() == pytest.approx(mean.item(), rel=1e-3)


@pytest.fixture
def operator(generator) -> NormalOperator:
    """A random back-projection and a random positive kernel."""
    b = torch.randn((EDGE,) * 3, dtype=torch.float64, generator=generator)
    shape = (2 * EDGE, 2 * EDGE, EDGE + 1)
    transfer = 0.5 + torch.rand(shape, dtype=torch.float64, generator=generator)
    # Of a real symmetric kernel: even along y and z where x is its own mirror image.
    flipped = transfer.flip(0, 1).roll((1, 1), (0, 1))
    return NormalOperator(b=b, transfer=0.5 * (transfer + flipped), pixel_size=1.0)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_gradient_of_the_marginal(operator, sign: float) -> None:
    volume = sign * operator.b[None] + 0.3 * operator.b.flip(0)[None]

    def value(volume: torch.Tensor) -> torch.Tensor:
        return UnknownGain().log_likelihood(operator, volume)

    assert torch.autograd.gradcheck(value, volume.clone().requires_grad_())


def test_terms_are_those_of_the_likelihood(operator) -> None:
    volume = operator.b.flip(0)[None]
    linear, quadratic = operator.terms(volume)
    torch.testing.assert_close(
        linear - 0.5 * quadratic, operator.log_likelihood(volume), rtol=1e-12, atol=0.0
    )


def test_known_gain_is_the_operator_itself(operator) -> None:
    volume = operator.b.flip(1)
    known = KnownGain()
    expected = operator.log_likelihood(volume)
    assert torch.equal(known.log_likelihood(operator, volume), expected)
    assert torch.equal(
        known.curvature(operator, volume)(volume), operator.convolve(volume)
    )
    assert known.estimate(operator, volume).item() == 1.0


def test_only_the_shape_of_the_volume_counts(operator) -> None:
    """V and 5 V differ by the prior's log 5 alone, whatever the images."""
    volume = operator.b[None]
    unknown = UnknownGain()
    change = unknown.log_likelihood(operator, 5.0 * volume) - unknown.log_likelihood(
        operator, volume
    )
    assert change.item() == pytest.approx(-math.log(5.0), rel=1e-10)


def test_information_is_the_schur_complement_of_the_joint_one(operator) -> None:
    """Fisher information of (x, g), its gain eliminated by hand."""
    true_gain = 37.0
    base = operator.b
    moves = torch.stack([base.flip(0), base.flip(1), base])

    def density(x: torch.Tensor) -> torch.Tensor:
        return base + torch.einsum("p,pzyx->zyx", x, moves)

    here = density(torch.zeros(3, dtype=torch.float64))
    strong = 1e4 * operator.transfer
    images = NormalOperator(b=operator.b, transfer=strong, pixel_size=1.0)
    images = NormalOperator(
        b=true_gain * images.convolve(here), transfer=strong, pixel_size=1.0
    )
    fisher = fisher_information(
        torch.zeros(1, 3, dtype=torch.float64),
        torch.eye(3, dtype=torch.float64)[:, None],
        lambda x: density(x.flatten()),
        UnknownGain().curvature(images, here),
    )
    joint = torch.cat([true_gain * moves, here[None]])
    information = torch.einsum(
        "pzyx,qzyx->pq", joint, torch.stack([images.convolve(one) for one in joint])
    )
    expected = (
        information[:3, :3]
        - information[:3, 3:] @ information[3:, :3] / information[3, 3]
    )
    # E[g²] exceeds the square of the gain by 1/A; the last move is the gain itself.
    scale = float(information[:3, :3].diagonal().max())
    torch.testing.assert_close(fisher, expected, rtol=0.0, atol=1e-6 * scale)
    assert fisher[2, 2].abs() < 1e-8 * scale


@pytest.mark.parametrize("gain", [KnownGain(), UnknownGain()])
def test_two_terms_weigh_as_the_volume_does(gain, operator, generator) -> None:
    volume = torch.randn((EDGE,) * 3, dtype=torch.float64, generator=generator)
    terms = [float(term) for term in operator.terms(volume)]
    value, mean, square = gain.weigh(*terms)
    assert value == pytest.approx(float(gain.log_likelihood(operator, volume)))
    for place, slope in enumerate((mean, -0.5 * square)):
        step = 1e-4 * terms[place]
        ahead, back = list(terms), list(terms)
        ahead[place] += step
        back[place] -= step
        change = gain.weigh(*ahead)[0] - gain.weigh(*back)[0]
        assert change / (2.0 * step) == pytest.approx(slope, rel=1e-5)
