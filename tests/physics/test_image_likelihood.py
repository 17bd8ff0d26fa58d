import pytest
import torch

from equicryo.physics.image_likelihood import (
    log_likelihood_of_gaussians,
    measure_samples,
)
from equicryo.physics.noise import white_power
from equicryo.physics.pose import Pose, Views
from equicryo.physics.rotations import draw_rotations
from equicryo.physics.simulation import noisy_images

VARIANCE = 4.0


@pytest.fixture
def images(specimen, views, generator) -> torch.Tensor:
    flat = white_power(VARIANCE, views.optics.box_size)
    batches = noisy_images(specimen, views, flat, generator=generator)
    return torch.cat(list(batches))


@pytest.fixture
def power(views) -> torch.Tensor:
    return white_power(VARIANCE, views.optics.box_size)


def test_turning_specimen_and_poses_together_changes_nothing(
    specimen, images, views, power, generator
) -> None:
    turn = draw_rotations(1, generator=generator)[0]
    pose = Pose(rotation=views.pose.rotation @ turn.T, shift=views.pose.shift)
    turned = Views(optics=views.optics, defocus=views.defocus, pose=pose)
    before = log_likelihood_of_gaussians(
        measure_samples(images, views, power),
        specimen.coordinates,
        specimen.weights,
        1.5,
    )
    after = log_likelihood_of_gaussians(
        measure_samples(images, turned, power),
        specimen.coordinates @ turn.T,
        specimen.weights,
        1.5,
    )
    torch.testing.assert_close(after, before, rtol=1e-10, atol=0.0)


def test_moving_specimen_and_shifts_together_changes_nothing(
    specimen, images, views, power
) -> None:
    step = torch.tensor([1.0, -2.0, 0.7], dtype=torch.float64)
    shift = views.pose.shift - (views.pose.rotation @ step)[:, :2]
    pose = Pose(rotation=views.pose.rotation, shift=shift)
    moved = Views(optics=views.optics, defocus=views.defocus, pose=pose)
    args = (specimen.weights, 1.5)
    before = log_likelihood_of_gaussians(
        measure_samples(images, views, power), specimen.coordinates, *args
    )
    after = log_likelihood_of_gaussians(
        measure_samples(images, moved, power), specimen.coordinates + step, *args
    )
    torch.testing.assert_close(after, before, rtol=1e-10, atol=0.0)


def test_truth_is_more_likely_than_its_mirror_image(
    specimen, images, views, power
) -> None:
    measured = measure_samples(images, views, power)
    mirror = specimen.coordinates * torch.tensor([1.0, 1.0, -1.0])
    args = (specimen.weights, 1.5)
    truth = log_likelihood_of_gaussians(measured, specimen.coordinates, *args).sum()
    other = log_likelihood_of_gaussians(measured, mirror, *args).sum()
    assert truth > other + 100.0


def test_gradient_with_respect_to_the_specimen(specimen, images, views, power) -> None:
    measured = measure_samples(images[:2], views[:2], power)
    coordinates = specimen.coordinates[:4].clone().requires_grad_()

    def misfit(coordinates):
        weights = specimen.weights[:4]
        return log_likelihood_of_gaussians(measured, coordinates, weights, 1.5)

    assert torch.autograd.gradcheck(misfit, coordinates)
