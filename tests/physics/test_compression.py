import math

import pytest
import torch

from equicryo.physics.compression import back_project, compress_images, image_digest
from equicryo.physics.density import gaussian_volume
from equicryo.physics.image_likelihood import log_likelihood_of_volume, measure_samples
from equicryo.physics.noise import white_power
from equicryo.physics.normal_equations import (
    NormalEquations,
    add_digests,
    add_normal_equations,
    coarsen,
)
from equicryo.physics.normal_operator import prepare_operator
from equicryo.physics.pose import Views
from equicryo.physics.simulation import noisy_images

SUPPORT = 32
VARIANCE = 4.0


@pytest.fixture
def images(specimen, views, generator) -> torch.Tensor:
    flat = white_power(VARIANCE, views.optics.box_size)
    batches = noisy_images(specimen, views, flat, generator=generator)
    return torch.cat(list(batches))


@pytest.fixture
def power(views) -> torch.Tensor:
    """Not flat, so that the weighting is tested too."""
    flat = white_power(VARIANCE, views.optics.box_size)
    return flat * torch.linspace(3.0, 1.0, len(flat), dtype=torch.float64)


@pytest.fixture
def normal(images, views, power) -> NormalEquations:
    return compress_images([(images, views)], power, SUPPORT)


def reorder(views: Views, order: torch.Tensor) -> Views:
    defocus = {name: value[order] for name, value in vars(views.defocus).items()}
    pose = {name: value[order] for name, value in vars(views.pose).items()}
    return Views(
        optics=views.optics,
        defocus=type(views.defocus)(**defocus),
        pose=type(views.pose)(**pose),
    )


def test_normal_equations_hold_the_likelihood_of_the_images(
    images, views, power, normal, generator
) -> None:
    """Value and gradient equal those of the image loop, for any volume."""
    volume = torch.randn((SUPPORT,) * 3, dtype=torch.float64, generator=generator)
    volume.requires_grad_()
    operator = prepare_operator(normal)
    fast = operator.log_likelihood(volume) - 0.5 * normal.data_energy
    measured = measure_samples(images, views, power)
    slow = log_likelihood_of_volume(measured, volume).sum()
    # finufft's 1e-9, with a margin for the cancellation of large terms.
    assert fast.item() == pytest.approx(slow.item(), rel=1e-8)
    (fast_gradient,) = torch.autograd.grad(fast, volume)
    (slow_gradient,) = torch.autograd.grad(slow, volume)
    error = (fast_gradient - slow_gradient).norm() / slow_gradient.norm()
    assert error.item() < 1e-6


def test_chi2_at_the_truth_is_one(specimen, images, views) -> None:
    flat = white_power(VARIANCE, views.optics.box_size)
    normal = compress_images([(images, views)], flat, SUPPORT)
    truth = gaussian_volume(
        specimen.coordinates, specimen.weights, specimen.width, SUPPORT, 1.0
    )
    misfit = normal.data_energy - 2 * prepare_operator(normal).log_likelihood(truth)
    # χ² of n observations has a relative deviation of √(2/n) = 1 %: three of them.
    chi2 = misfit.item() / normal.n_observations
    assert abs(chi2 - 1.0) < 3 * math.sqrt(2 / normal.n_observations)


def test_a_constant_added_to_an_image_changes_nothing(
    images, views, power, normal
) -> None:
    offsets = 1e3 * torch.arange(1.0, 1.0 + len(images), dtype=torch.float64)
    moved = compress_images([(images + offsets[:, None, None], views)], power, SUPPORT)
    # Rounding of pixels of 1e4, and finufft's 1e-9.
    atol = 1e-8 * normal.b.abs().max().item()
    torch.testing.assert_close(moved.b, normal.b, atol=atol, rtol=0.0)
    assert moved.data_energy == pytest.approx(normal.data_energy, rel=1e-9)
    assert torch.equal(moved.kernel, normal.kernel)


def test_chunks_add(images, views, power, normal) -> None:
    parts = [slice(0, 5), slice(5, 6), slice(6, None)]
    chunks = [
        compress_images([(images[part], views[part])], power, SUPPORT) for part in parts
    ]
    total = add_normal_equations(iter(chunks))
    # The same sums in another order, and finufft's accuracy of 1e-9.
    for name in ("b", "kernel"):
        whole = getattr(normal, name)
        atol = 1e-8 * whole.abs().max().item()
        torch.testing.assert_close(getattr(total, name), whole, atol=atol, rtol=0.0)
    assert total.data_energy == pytest.approx(normal.data_energy, rel=1e-12)
    assert total.n_observations == normal.n_observations
    assert total.n_images == normal.n_images == len(images)
    assert total.input_sha256 == normal.input_sha256


def test_order_of_particles_does_not_matter(images, views, power, normal) -> None:
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(1))
    shuffled = compress_images([(images[order], reorder(views, order))], power, SUPPORT)
    atol = 1e-8 * normal.b.abs().max().item()  # finufft's accuracy
    torch.testing.assert_close(shuffled.b, normal.b, atol=atol, rtol=0.0)
    assert shuffled.input_sha256 == normal.input_sha256


def test_compression_repeats_bit_for_bit(images, views, power, normal) -> None:
    again = compress_images([(images, views)], power, SUPPORT)
    assert torch.equal(again.b, normal.b)
    assert torch.equal(again.kernel, normal.kernel)


def test_back_projection_is_the_definition(generator) -> None:
    edge = 6
    points = torch.rand(40, 3, dtype=torch.float64, generator=generator) * 6 - 3
    samples = torch.randn(40, dtype=torch.complex128, generator=generator)
    axis = torch.arange(edge, dtype=torch.float64) - edge // 2
    z, y, x = torch.meshgrid(axis, axis, axis, indexing="ij")
    voxels = torch.stack([x, y, z], dim=-1)
    expected = (samples * torch.exp(1j * (voxels @ points.T))).sum(-1).real
    actual = back_project(points, samples, edge)
    # finufft's 1e-9 relative to Σ |samples| of about 40.
    torch.testing.assert_close(actual, expected, atol=1e-7, rtol=0.0)


def test_digest_sees_every_field(images, views) -> None:
    one = views[:1]
    digests = {image_digest(images[:1], one)}
    digests.add(image_digest(images[:1] + 1e-3, one))
    for part in ("defocus", "pose"):
        for name, value in vars(getattr(one, part)).items():
            changed = type(getattr(one, part))(
                **{**vars(getattr(one, part)), name: value + 1e-6}
            )
            digests.add(image_digest(images[:1], Views(**{**vars(one), part: changed})))
    for name, value in vars(one.optics).items():
        optics = type(one.optics)(**{**vars(one.optics), name: value + 1})
        digests.add(image_digest(images[:1], Views(**{**vars(one), "optics": optics})))
    assert len(digests) == 1 + 1 + 5 + 2 + 5


def test_digests_add_without_order() -> None:
    first, second, third = "f" * 64, "0" * 63 + "2", "a" * 64
    assert add_digests([first, second]) == "0" * 63 + "1"
    assert add_digests([first, second, third]) == add_digests([third, second, first])


def test_nothing_to_add_or_compress_is_refused(power) -> None:
    with pytest.raises(ValueError, match="no normal equations"):
        add_normal_equations([])
    with pytest.raises(ValueError, match="no images"):
        compress_images([], power, SUPPORT)


def test_chunks_of_different_noise_are_refused(images, views, power, normal) -> None:
    other = compress_images([(images, views)], 2 * power, SUPPORT)
    with pytest.raises(ValueError, match="differ"):
        add_normal_equations([normal, other])


@pytest.mark.parametrize("edge", [20, 24])
def test_coarse_likelihood_equals_the_fine_one(specimen, normal, edge: int) -> None:
    coarse = coarsen(normal, edge)
    width = 1.5 * coarse.pixel_size
    fine_volume = gaussian_volume(
        specimen.coordinates, specimen.weights, width, SUPPORT, 1.0
    )
    coarse_volume = gaussian_volume(
        specimen.coordinates, specimen.weights, width, edge, coarse.pixel_size
    )
    fine = prepare_operator(normal).log_likelihood(fine_volume)
    actual = prepare_operator(coarse).log_likelihood(coarse_volume)
    # A blob of 1.5 voxels has exp(−2π² 1.5²/4) = 1.5e-5 of its amplitude at Nyquist.
    assert actual.item() == pytest.approx(fine.item(), rel=1e-3)
    assert coarse.pixel_size * edge == SUPPORT


def test_coarsening_to_the_same_grid_changes_nothing(normal) -> None:
    same = coarsen(normal, SUPPORT)
    assert torch.equal(same.b, normal.b)
    assert torch.equal(same.kernel, normal.kernel)


@pytest.mark.parametrize("edge", [15, 34, 0])
def test_impossible_coarse_grids_are_refused(normal, edge: int) -> None:
    with pytest.raises(ValueError, match="support_size"):
        coarsen(normal, edge)
