import math

import pytest
import torch

from equicryo.physics.fourier import half_plane, image_to_samples, samples_to_image

PIXEL_SIZE = 1.5


@pytest.fixture(params=[12, 13], ids=["even", "odd"])
def box(request) -> int:
    return request.param


@pytest.fixture
def plane(box):
    return half_plane(box, PIXEL_SIZE)


def band_limited(plane, generator) -> torch.Tensor:
    box = plane.box_size
    image = torch.randn(5, box, box, dtype=torch.float64, generator=generator)
    return samples_to_image(image_to_samples(image, plane), plane)


def test_samples_are_the_definition(box, plane, generator) -> None:
    image = torch.randn(box, box, dtype=torch.float64, generator=generator)
    axis = (torch.arange(box, dtype=torch.float64) - box // 2) * PIXEL_SIZE
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    k_x, k_y = plane.frequency.T
    phase = k_x[:, None, None] * x + k_y[:, None, None] * y
    expected = (image * torch.exp(-2j * math.pi * phase)).sum((-2, -1))
    torch.testing.assert_close(
        image_to_samples(image, plane), expected, atol=1e-12, rtol=0.0
    )


def test_all_samples_lie_below_nyquist_and_none_is_missing(box, plane) -> None:
    assert plane.frequency.norm(dim=-1).max() < 0.5 / PIXEL_SIZE
    integers = torch.arange(-box, box)
    inside = (integers[:, None] ** 2 + integers**2 < (box / 2) ** 2).sum()
    assert plane.multiplicity.sum() == inside


def test_images_below_nyquist_return(plane, generator) -> None:
    image = band_limited(plane, generator)
    again = samples_to_image(image_to_samples(image, plane), plane)
    torch.testing.assert_close(again, image, atol=1e-12, rtol=0.0)


def test_parseval(box, plane, generator) -> None:
    image = band_limited(plane, generator)
    power = image_to_samples(image, plane).abs().square()
    energy = (plane.multiplicity * power).sum(-1) / box**2
    torch.testing.assert_close(energy, image.square().sum((-2, -1)))


def test_samples_and_images_are_adjoint(box, plane, generator) -> None:
    """Under Re Σ multiplicity · conj(u) v, as in χ², the adjoint is box² × inverse."""
    image = torch.randn(box, box, dtype=torch.float64, generator=generator)
    shape = len(plane.index)
    samples = torch.randn(shape, dtype=torch.complex128, generator=generator)
    samples[plane.frequency.norm(dim=-1) == 0] = 1.0
    left = plane.multiplicity * samples.conj() * image_to_samples(image, plane)
    right = box**2 * (image * samples_to_image(samples, plane)).sum()
    assert left.sum().real.item() == pytest.approx(right.item(), rel=1e-10)


def test_shells_round_the_radius(box, plane) -> None:
    radius = plane.frequency.norm(dim=-1) * box * PIXEL_SIZE
    assert (plane.shell - radius).abs().max() <= 0.5
