import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from equicryo.physics.density import (
    band_limited_volume,
    gaussian_volume,
    grid_positions,
    molecule_diameter,
    support_size,
)


def direct_sum(coordinates, weights, width, box, pixel) -> torch.Tensor:
    """The definition, voxel by voxel."""
    axis = (torch.arange(box, dtype=torch.float64) - box // 2) * pixel
    z, y, x = torch.meshgrid(axis, axis, axis, indexing="ij")
    voxels = torch.stack([x, y, z], dim=-1)
    volume = torch.zeros(box, box, box, dtype=torch.float64)
    for centre, weight in zip(coordinates, weights, strict=True):
        r2 = (voxels - centre).square().sum(-1)
        volume += weight * torch.exp(-r2 / (2 * width**2))
    return pixel * volume / (2 * math.pi * width**2) ** 1.5


@pytest.mark.parametrize(("box", "pixel"), [(16, 1.0), (17, 1.3)])
def test_volume_is_the_sum_of_its_gaussians(specimen, box: int, pixel: float) -> None:
    args = (specimen.coordinates, specimen.weights, specimen.width, box, pixel)
    # Products of three exponentials against one: a few roundings of values near 10.
    torch.testing.assert_close(
        gaussian_volume(*args), direct_sum(*args), atol=1e-12, rtol=0.0
    )


def test_volume_holds_all_electrons(specimen) -> None:
    volume = gaussian_volume(specimen.coordinates, specimen.weights, 1.5, 36, 1.2)
    electrons = volume.sum() * 1.2**3 / 1.2
    # Aliasing exp(−2π²σ²/pixel²) = 4e-14 and tails 13 Å out: 1e-15.
    assert electrons.item() == pytest.approx(specimen.weights.sum().item(), rel=1e-10)


def test_each_residue_may_have_its_own_width(specimen) -> None:
    widths = torch.linspace(1.0, 2.0, 20, dtype=torch.float64)
    together = gaussian_volume(specimen.coordinates, specimen.weights, widths, 24, 1.0)
    blobs = zip(specimen.coordinates, specimen.weights, widths.tolist(), strict=True)
    apart = sum(direct_sum(x[None], w[None], width, 24, 1.0) for x, w, width in blobs)
    torch.testing.assert_close(together, apart, atol=1e-12, rtol=0.0)


def test_batch_axes_are_kept(specimen) -> None:
    batch = specimen.coordinates + torch.arange(6.0).reshape(2, 3, 1, 1)
    volumes = gaussian_volume(batch, specimen.weights, 1.5, 16, 1.0)
    assert volumes.shape == (2, 3, 16, 16, 16)
    alone = gaussian_volume(batch[1, 2], specimen.weights, 1.5, 16, 1.0)
    assert torch.equal(volumes[1, 2], alone)


def test_gradient_of_the_volume() -> None:
    coordinates = torch.tensor(
        [[[0.3, -0.4, 0.7], [1.0, 0.2, -0.5]]], dtype=torch.float64, requires_grad=True
    )
    weights = torch.tensor([2.0, 3.0], dtype=torch.float64, requires_grad=True)
    widths = torch.tensor([1.0, 1.5], dtype=torch.float64, requires_grad=True)

    def volume(coordinates, weights, widths):
        return gaussian_volume(coordinates, weights, widths, 4, 1.0)

    assert torch.autograd.gradcheck(volume, (coordinates, weights, widths))


@pytest.mark.parametrize("box", [7, 8])
def test_origin_is_pixel_half_the_box(box: int) -> None:
    positions = grid_positions(box, 2.0, like=torch.zeros(1))
    assert positions[box // 2] == 0.0
    assert positions[1] - positions[0] == 2.0


@given(diameter=st.floats(1.0, 400.0), pixel=st.floats(0.5, 4.0))
def test_support_is_the_smallest_fast_even_size(diameter: float, pixel: float) -> None:
    size = support_size(diameter, pixel, 4096)
    fast = sorted(
        2 ** (1 + i) * 3**j * 5**k
        for i in range(13)
        for j in range(9)
        for k in range(6)
    )
    assert size == next(n for n in fast if n >= (diameter + 16.0) / pixel)


def test_support_is_at_most_the_box() -> None:
    assert support_size(44.5, 1.0, 128) == 64
    assert support_size(44.5, 1.0, 48) == 48


def test_diameter_is_the_largest_distance() -> None:
    corners = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 2, 0], [3, 4, 0]]).double()
    assert molecule_diameter(corners) == 5.0


def transform(volume, pixel: float, frequency) -> torch.Tensor:
    """Sum a volume's samples at any frequencies, one by one."""
    axis = grid_positions(len(volume), pixel, like=volume)
    waves = [torch.exp(-2j * math.pi * frequency[:, k, None] * axis) for k in (2, 1, 0)]
    samples = volume.to(waves[0].dtype)
    return pixel**2 * torch.einsum("zyx,kz,ky,kx->k", samples, *waves)


def test_sharp_blobs_are_not_aliased(specimen, generator) -> None:
    """Near Nyquist the samples have the blobs' own transform, though voxels are 1.5 Å.

    Plain samples of the same blobs are off by 14 % there.
    """
    pixel, width = 1.5, torch.full((20,), 0.8, dtype=torch.float64)
    frequency = torch.randn(300, 3, dtype=torch.float64, generator=generator)
    radius = (0.30 + 0.13 * torch.rand(300, 1, generator=generator)) / pixel
    frequency *= radius / frequency.norm(dim=1, keepdim=True)
    waves = torch.exp(-2j * math.pi * (frequency @ specimen.coordinates.T))
    damping = torch.exp(-2.0 * math.pi**2 * 0.8**2 * frequency.square().sum(1))
    expected = damping * (waves * specimen.weights).sum(1)

    def error(sample) -> float:
        volume = sample(specimen.coordinates, specimen.weights, width, 32, pixel)
        return ((transform(volume, pixel, frequency) - expected).norm()) / (
            expected.norm()
        )

    # What is left is the ringing that leaves the grid.
    assert error(band_limited_volume) < 0.025
    assert error(gaussian_volume) > 0.1


@pytest.mark.parametrize("box", [31, 32])
def test_band_limit_does_nothing_to_wide_blobs(specimen, box: int) -> None:
    widths = torch.linspace(1.8, 2.5, 20, dtype=torch.float64)
    args = (specimen.coordinates, specimen.weights, widths, box, 1.0)
    plain = gaussian_volume(*args)
    # Content beyond Nyquist is exp(−½ π² 1.8²) = 1e-7 of the weight.
    torch.testing.assert_close(
        band_limited_volume(*args), plain, atol=1e-6 * float(plain.max()), rtol=0.0
    )


def test_blobs_beyond_the_box_do_not_come_back(specimen) -> None:
    weights, widths = specimen.weights, torch.full((20,), 0.8, dtype=torch.float64)
    inside = band_limited_volume(specimen.coordinates, weights, widths, 32, 1.0)
    outside = band_limited_volume(specimen.coordinates + 32.0, weights, widths, 32, 1.0)
    # Ringing of blobs sharper than the grid reaches a few voxels.
    assert outside[4:-4, 4:-4, 4:-4].abs().max() < 1e-4 * inside.max()


def test_gradient_of_the_band_limited_volume() -> None:
    coordinates = torch.tensor(
        [[[0.3, -0.4, 0.7], [1.0, 0.2, -0.5]]], dtype=torch.float64, requires_grad=True
    )
    weights = torch.tensor([2.0, 3.0], dtype=torch.float64, requires_grad=True)
    widths = torch.tensor([0.6, 1.1], dtype=torch.float64, requires_grad=True)

    def volume(coordinates, weights, widths):
        return band_limited_volume(coordinates, weights, widths, 4, 1.0)

    assert torch.autograd.gradcheck(volume, (coordinates, weights, widths))
