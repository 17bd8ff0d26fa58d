import math

import pytest
import torch

from equicryo.physics.density import gaussian_volume, grid_positions
from equicryo.physics.fourier import half_plane, samples_to_image
from equicryo.physics.image_likelihood import (
    log_likelihood_of_gaussians,
    measure_samples,
)
from equicryo.physics.optics import Optics, unastigmatic
from equicryo.physics.pose import Pose, Views
from equicryo.physics.projection import (
    project_gaussians,
    project_real_space,
    project_volume,
)
from equicryo.physics.rotations import rotation_vector_to_matrix

BOX = 48


@pytest.fixture
def plane():
    return half_plane(BOX, 1.0)


def gaussians_in_real_space(specimen, pose) -> torch.Tensor:
    """Sum of two-dimensional Gaussians on the pixels, from the definition of a pose."""
    axis = grid_positions(BOX, 1.0, like=specimen.coordinates)
    images = []
    for rotation, shift in zip(pose.rotation, pose.shift, strict=True):
        place = (rotation @ specimen.coordinates.T).T[:, :2] + shift
        x = torch.exp(-0.5 * ((axis - place[:, :1]) / specimen.width) ** 2)
        y = torch.exp(-0.5 * ((axis - place[:, 1:]) / specimen.width) ** 2)
        amplitude = specimen.weights / (2 * math.pi * specimen.width**2)
        images.append(torch.einsum("r,ry,rx->yx", amplitude, y, x))
    return torch.stack(images)


def test_gaussian_projection_is_the_real_space_image(specimen, views, plane) -> None:
    samples = project_gaussians(
        specimen.coordinates, specimen.weights, specimen.width, views.pose, plane
    )
    expected = gaussians_in_real_space(specimen, views.pose)
    # Dropped at and beyond Nyquist: exp(−2π²σ²/4) = 1.5e-5 of a blob.
    atol = 1e-4 * expected.max().item()
    actual = samples_to_image(samples, plane)
    torch.testing.assert_close(actual, expected, atol=atol, rtol=0.0)


def test_voxel_projection_is_the_gaussian_one(specimen, views, plane) -> None:
    volume = gaussian_volume(specimen.coordinates, specimen.weights, 1.5, 40, 1.0)
    exact = project_gaussians(
        specimen.coordinates, specimen.weights, 1.5, views.pose, plane
    )
    actual = project_volume(volume, views.pose, plane, 1.0)
    # Aliases of the sampled Gaussian: 2 exp(−2π²σ²/4) near Nyquist, of at most all
    # electrons at the origin.
    atol = 1e-4 * exact.abs().max().item()
    torch.testing.assert_close(actual, exact, atol=atol, rtol=0.0)


def test_real_space_projection_agrees(specimen, views) -> None:
    """Three ways to one image: the oracle interpolates linearly, so blobs are wide."""
    centred = Pose(
        rotation=views.pose.rotation, shift=torch.zeros_like(views.pose.shift)
    )
    wide = type(specimen)(
        coordinates=specimen.coordinates, weights=specimen.weights, width=3.0
    )
    volume = gaussian_volume(wide.coordinates, wide.weights, 3.0, BOX, 1.0)
    expected = gaussians_in_real_space(wide, centred)
    actual = project_real_space(volume, centred.rotation)
    # Linear interpolation adds a variance of at most 1/4 voxel² an axis: 1/36 = 3 % of
    # the peak of a lone blob of σ = 3, less where blobs overlap.
    error = (actual - expected).abs().max() / expected.max()
    assert error < 0.03


def test_three_projections_agree(specimen, views, plane) -> None:
    """On blobs so wide that sampling them loses nothing; each has its own error."""
    centred = Pose(
        rotation=views.pose.rotation, shift=torch.zeros_like(views.pose.shift)
    )
    blobs = (specimen.coordinates, specimen.weights, 3.0)
    volume = gaussian_volume(*blobs, BOX, 1.0)
    exact = project_gaussians(*blobs, centred, plane)
    voxels = project_volume(volume, centred, plane, 1.0)
    # finufft's 1e-9; aliases are exp(−2π² 3²/4) = 5e-20, tails at the rim of the box
    # 5 σ from a blob 3e-6 of its weight, spread over the samples.
    assert (voxels - exact).norm() / exact.norm() < 1e-7
    slow = project_real_space(volume, centred.rotation)
    image = samples_to_image(exact, plane)
    # Linear interpolation blurs each axis by at most 1/4 voxel²: see below.
    assert (slow - image).norm() / image.norm() < 0.03


def test_error_of_the_real_space_projection_falls_with_the_pixel(views) -> None:
    """It is the blur of linear interpolation, of second order in the pixel."""
    rotation = views.pose.rotation[:3]
    pose = Pose(rotation=rotation, shift=torch.zeros(3, 2, dtype=torch.float64))
    place = torch.tensor([[3.0, -2.0, 4.0]], dtype=torch.float64)
    one = torch.ones(1, dtype=torch.float64)
    errors = []
    for box, pixel_size in ((24, 1.0), (48, 0.5)):
        volume = gaussian_volume(place, one, 2.0, box, pixel_size)
        plane = half_plane(box, pixel_size)
        exact = samples_to_image(project_gaussians(place, one, 2.0, pose, plane), plane)
        actual = project_real_space(volume, rotation)
        errors.append(((actual - exact).norm() / exact.norm()).item())
    # Second order: 4; the next order is (pixel / σ)² = 1/4 of it on the coarse grid.
    assert errors[0] / errors[1] == pytest.approx(4.0, rel=0.15)


def test_voxel_projection_agrees_with_torch_fourier_slice(
    specimen, views, plane
) -> None:
    theirs = pytest.importorskip("torch_fourier_slice")
    centred = Pose(
        rotation=views.pose.rotation, shift=torch.zeros_like(views.pose.shift)
    )
    volume = gaussian_volume(specimen.coordinates, specimen.weights, 1.5, BOX, 1.0)
    # Its matrices turn the slice, ours the specimen.
    expected = theirs.project_3d_to_2d(
        volume.float(), centred.rotation.mT.float(), pad_factor=3.0
    ).double()
    actual = samples_to_image(project_volume(volume, centred, plane, 1.0), plane)
    # It interpolates linearly between Fourier voxels: at three-fold padding a factor of
    # sinc²(8 Å / 144 Å) = 0.99 at the specimen's rim.
    error = (actual - expected).norm() / expected.norm()
    assert error < 0.02


def test_rotation_turns_the_specimen_not_the_view(plane) -> None:
    """R maps +x of the specimen to +y of the view: the blob is found on +y."""
    quarter = rotation_vector_to_matrix(
        torch.tensor([[0.0, 0.0, math.pi / 2]], dtype=torch.float64)
    )
    pose = Pose(rotation=quarter, shift=torch.zeros(1, 2, dtype=torch.float64))
    place = torch.tensor([[6.0, 0.0, 0.0]], dtype=torch.float64)
    one = torch.ones(1, dtype=torch.float64)
    image = samples_to_image(project_gaussians(place, one, 1.5, pose, plane), plane)[0]
    assert divmod(int(image.argmax()), BOX) == (BOX // 2 + 6, BOX // 2)


def test_shift_is_where_the_particle_lies(plane) -> None:
    pose = Pose(
        rotation=torch.eye(3, dtype=torch.float64)[None],
        shift=torch.tensor([[5.0, -3.0]], dtype=torch.float64),
    )
    place = torch.zeros(1, 3, dtype=torch.float64)
    one = torch.ones(1, dtype=torch.float64)
    image = samples_to_image(project_gaussians(place, one, 1.5, pose, plane), plane)[0]
    assert divmod(int(image.argmax()), BOX) == (BOX // 2 - 3, BOX // 2 + 5)


def test_each_particle_may_have_its_own_conformer(specimen, views, plane) -> None:
    moved = specimen.coordinates + torch.arange(len(views))[:, None, None]
    together = project_gaussians(moved, specimen.weights, 1.5, views.pose, plane)
    alone = project_gaussians(moved[3], specimen.weights, 1.5, views[3:4].pose, plane)
    torch.testing.assert_close(together[3:4], alone, atol=1e-9, rtol=0.0)


def test_voxel_projection_and_its_gradient_are_adjoint(views, plane, generator) -> None:
    """⟨A V, y⟩ = ⟨V, Aᵀ y⟩, Aᵀ being what backward applies."""
    volume = torch.randn(16, 16, 16, dtype=torch.float64, generator=generator)
    volume.requires_grad_()
    projected = project_volume(volume, views.pose, plane, 1.0)
    y = torch.randn(projected.shape, dtype=torch.complex128, generator=generator)
    left = (y.conj() * projected).sum().real
    (adjoint,) = torch.autograd.grad(left, volume)
    right = (volume * adjoint).sum()
    # The requested accuracy of both transforms is 1e-9 of the norms; what breaks the
    # identity is only the rounding of the two spreadings, which share their kernel.
    scale = projected.detach().norm() * y.norm()
    assert abs(left - right).item() <= 1e-10 * scale.item()


def test_gradient_of_the_voxel_projection(generator) -> None:
    plane = half_plane(4, 1.0)
    volume = torch.randn(4, 4, 4, dtype=torch.float64, generator=generator)
    turn = torch.randn(2, 3, dtype=torch.float64, generator=generator)
    shift = torch.randn(2, 2, dtype=torch.float64, generator=generator)

    def project(volume, turn, shift):
        pose = Pose(rotation=rotation_vector_to_matrix(turn), shift=shift)
        return torch.view_as_real(project_volume(volume, pose, plane, 1.0))

    inputs = [value.requires_grad_() for value in (volume, turn, shift)]
    # finufft's 1e-9 over gradcheck's step 1e-6 leaves 1e-3 of the unit-size samples.
    assert torch.autograd.gradcheck(project, inputs, atol=2e-3, rtol=1e-3)


def test_gradient_of_the_recorded_image(generator) -> None:
    """Through CTF and pose to a χ²: coordinates, turn, shift and defocus at once."""
    optics = Optics(
        voltage=3e5,
        spherical_aberration=2.7e7,
        amplitude_contrast=0.1,
        pixel_size=2.0,
        box_size=6,
    )
    images = torch.randn(2, 6, 6, dtype=torch.float64, generator=generator)
    weights = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
    power = torch.tensor([1.0, 2.0, 3.0, 4.0], dtype=torch.float64)

    def log_likelihood(coordinates, turn, shift, defocus):
        views = Views(
            optics=optics,
            defocus=unastigmatic(1e3 * defocus),
            pose=Pose(rotation=rotation_vector_to_matrix(turn), shift=shift),
        )
        measured = measure_samples(images, views, power)
        return log_likelihood_of_gaussians(measured, coordinates, weights, 1.5)

    shapes = ((3, 3), (2, 3), (2, 2), (2,))
    inputs = [
        torch.randn(shape, dtype=torch.float64, generator=generator).requires_grad_()
        for shape in shapes
    ]
    assert torch.autograd.gradcheck(log_likelihood, inputs)


def test_gradient_of_the_gaussian_projection(generator) -> None:
    plane = half_plane(4, 1.0)
    coordinates = torch.randn(3, 3, dtype=torch.float64, generator=generator)
    turn = torch.randn(2, 3, dtype=torch.float64, generator=generator)
    shift = torch.randn(2, 2, dtype=torch.float64, generator=generator)
    weights = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)

    def project(coordinates, turn, shift, weights):
        pose = Pose(rotation=rotation_vector_to_matrix(turn), shift=shift)
        samples = project_gaussians(coordinates, weights, 0.8, pose, plane)
        return torch.view_as_real(samples)

    inputs = [v.requires_grad_() for v in (coordinates, turn, shift, weights)]
    assert torch.autograd.gradcheck(project, inputs)
