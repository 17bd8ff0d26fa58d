import math

import pytest
import torch

from equicryo.physics.deconvolution import (
    LEAST_RATIO,
    SHELLS,
    blur_operator,
    deconvolve,
    describe_resolution,
    point_variance,
)
from equicryo.physics.normal_equations import NormalEquations

from ..normal_equations import seen_through

EDGE = 8


@pytest.fixture(scope="module")
def normal() -> NormalEquations:
    generator = torch.Generator().manual_seed(0)
    k = torch.fft.fftfreq(2 * EDGE, dtype=torch.float64)
    k2 = k[:, None, None] ** 2 + k[:, None] ** 2 + k**2
    transfer = 3.0 * torch.exp(-10.0 * k2)
    kernel = torch.fft.fftshift(torch.fft.ifftn(transfer).real)
    return seen_through(
        kernel,
        torch.randn(EDGE, EDGE, EDGE, dtype=torch.float64, generator=generator),
        pixel_size=1.5,
    )


def test_the_map_solves_its_normal_equations(normal) -> None:
    operator = blur_operator(normal, EDGE, 1.5)
    unit = torch.eye(EDGE**3).view(-1, EDGE, EDGE, EDGE)
    matrix = operator.convolve(unit).view(EDGE**3, EDGE**3)
    variance = 0.7
    (field,) = deconvolve(operator, variance, (2.0,))
    system = matrix + torch.eye(EDGE**3) / (2.0 * variance)
    expected = torch.linalg.solve(system, operator.b.flatten()).view_as(field)
    expected = expected / variance**0.5
    assert float((field - expected).norm() / expected.norm()) < 0.02


def test_resolution_is_the_log_signal_to_noise_ratio_of_each_shell() -> None:
    transfer = torch.full((40, 40, 21), 5.0)
    found = describe_resolution(transfer, 2.0, 1.25)
    torch.testing.assert_close(found, torch.full((len(SHELLS),), math.log(10.0)))
    nothing = describe_resolution(torch.zeros(40, 40, 21), 2.0, 1.25)
    assert nothing.exp().tolist() == pytest.approx([LEAST_RATIO] * len(SHELLS))


def test_variance_of_a_voxel_is_that_of_points_at_random() -> None:
    """u of N points of weight w in a volume: Var = N w²/V per Å³, over one voxel."""
    generator = torch.Generator().manual_seed(1)
    edge, pixel_size = 40, 1.25
    extent = edge * pixel_size
    count = round(extent**3 / 134.0)
    voxels = torch.randint(edge**3, (count,), generator=generator)
    weight = 30.0  # glycine's electrons
    values = weight * voxels.bincount(minlength=edge**3) / pixel_size**3 * pixel_size
    expected = point_variance("GGG", pixel_size)
    # The variance of 933 Poisson counts: 1/√933, 3 %.
    assert float(values.var()) == pytest.approx(expected, rel=0.1)
