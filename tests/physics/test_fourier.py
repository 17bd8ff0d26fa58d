import math

import pytest
import torch

from equicryo.physics.fourier import half_plane, image_to_samples, samples_to_image

BOX = 12


@pytest.fixture
def plane():
    return half_plane(BOX, 1.5)


def band_limited(plane, generator) -> torch.Tensor:
    image = torch.randn(5, BOX, BOX, dtype=torch.float64, generator=generator)
    return samples_to_image(image_to_samples(image, plane), plane)


def test_samples_are_the_definition(plane, generator) -> None:
    image = torch.randn(BOX, BOX, dtype=torch.float64, generator=generator)
    axis = (torch.arange(BOX, dtype=torch.float64) - BOX // 2) * 1.5
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    k_x, k_y = plane.frequency.T
    phase = k_x[:, None, None] * x + k_y[:, None, None] * y
    expected = (image * torch.exp(-2j * math.pi * phase)).sum((-2, -1))
    torch.testing.assert_close(
        image_to_samples(image, plane), expected, atol=1e-12, rtol=0.0
    )


def test_all_samples_lie_below_nyquist_and_none_is_missing(plane) -> None:
    assert plane.frequency.norm(dim=-1).max() < 0.5 / 1.5
    integers = torch.arange(-BOX, BOX)
    inside = (integers[:, None] ** 2 + integers**2 < (BOX / 2) ** 2).sum()
    assert plane.multiplicity.sum() == inside


def test_images_below_nyquist_return(plane, generator) -> None:
    image = band_limited(plane, generator)
    again = samples_to_image(image_to_samples(image, plane), plane)
    torch.testing.assert_close(again, image, atol=1e-12, rtol=0.0)


def test_parseval(plane, generator) -> None:
    image = band_limited(plane, generator)
    power = image_to_samples(image, plane).abs().square()
    energy = (plane.multiplicity * power).sum(-1) / BOX**2
    torch.testing.assert_close(energy, image.square().sum((-2, -1)))


def test_samples_and_images_are_adjoint(plane, generator) -> None:
    """Under Re Σ multiplicity · conj(u) v, as in χ², the adjoint is box² × inverse."""
    image = torch.randn(BOX, BOX, dtype=torch.float64, generator=generator)
    shape = len(plane.index)
    samples = torch.randn(shape, dtype=torch.complex128, generator=generator)
    samples[plane.frequency.norm(dim=-1) == 0] = 1.0
    left = plane.multiplicity * samples.conj() * image_to_samples(image, plane)
    right = BOX**2 * (image * samples_to_image(samples, plane)).sum()
    assert left.sum().real.item() == pytest.approx(right.item(), rel=1e-10)


def test_shells_round_the_radius(plane) -> None:
    radius = plane.frequency.norm(dim=-1) * BOX * 1.5
    assert (plane.shell - radius).abs().max() <= 0.5
