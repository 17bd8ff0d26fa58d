"""Clean images: exact for Gaussian blobs, by non-uniform FFT for voxel volumes.

Images are given by their Fourier samples on a `HalfPlane`; multiply by
`contrast_transfer` for what the microscope records.

Source: the projection-slice theorem; Bracewell 1956, doi:10.1071/PH560198.
"""

import math

import torch
from jaxtyping import Complex, Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from equicryo.physics.compression import back_project
from equicryo.physics.density import grid_positions
from equicryo.physics.fourier import HalfPlane
from equicryo.physics.nufft import sample_transform
from equicryo.physics.pose import Pose, slice_frequencies


def project_gaussians(
    coordinates: Float[Tensor, "*particle residue 3"],
    weights: Float[Tensor, " residue"],
    width: float | Float[Tensor, " residue"],
    pose: Pose,
    plane: HalfPlane,
) -> Complex[Tensor, "particle sample"]:
    """Project Gaussian blobs in closed form, without any grid.

    Y(k) = pixel⁻² Σ w exp(−2π²σ²k²) exp(−2πi k·(R x + t)): the unnormalised discrete
    transform of an image in e⁻/Å².

    Args:
        coordinates: centres of the blobs, Å, one set for all particles or one each.
        weights: electrons of each blob.
        width: standard deviation σ of all blobs, or of each, Å.
        pose: of each particle.
        plane: the samples.
    """
    view = coordinates @ pose.rotation[:, :2].transpose(-1, -2)
    place = view + pose.shift[:, None]
    width = torch.as_tensor(width).to(weights).expand(weights.shape)
    box, step = plane.box_size, plane.frequency_step
    like = {"dtype": weights.dtype, "device": weights.device}
    k_y = step * torch.fft.fftfreq(box, 1.0 / box, **like)
    k_x = step * torch.fft.rfftfreq(box, 1.0 / box, **like)
    # Both the phase and the Gaussian factorise over the axes: a product of matrices.
    along_x = _transform_blobs(place[..., 0], width, k_x)
    along_y = _transform_blobs(place[..., 1], width, k_y) * weights[:, None]
    grid = along_y.transpose(-1, -2) @ along_x
    return grid.flatten(-2)[:, plane.index] * (step * box) ** 2


def _transform_blobs(
    position: Float[Tensor, "particle residue"],
    width: Float[Tensor, " residue"],
    frequency: Float[Tensor, " k"],
) -> Complex[Tensor, "particle residue k"]:
    """Transform blobs of unit weight along one axis."""
    damping = torch.exp(-2.0 * math.pi**2 * (width[:, None] * frequency) ** 2)
    phase = (-2.0 * math.pi) * position[..., None] * frequency
    return torch.polar(damping.expand_as(phase), phase)


def project_volume(
    volume: Float[Tensor, "z y x"], pose: Pose, plane: HalfPlane, pixel_size: float
) -> Complex[Tensor, "particle sample"]:
    """Project a voxel volume along z of each view, shifted to the particle's place.

    Each sample is the exact transform of the voxels, taken as points, to 1e-9 of the
    norm of the volume. Differentiable once in volume, rotation and shift.

    Args:
        volume: e⁻/Å³ × pixel size, float64.
        pose: of each particle, float64.
        plane: the samples.
        pixel_size: of the volume, Å.

    Returns:
        Unnormalised discrete transform of images in e⁻/Å², if the images' pixel is the
        volume's.
    """
    slices = slice_frequencies(pose.rotation, plane.frequency)
    points = (2.0 * math.pi * pixel_size) * slices.flatten(0, 1)
    samples = _SampleTransform.apply(volume, points).unflatten(0, slices.shape[:2])
    phase = (-2.0 * math.pi) * pose.shift @ plane.frequency.T
    return torch.polar(torch.ones_like(phase), phase) * samples


class _SampleTransform(torch.autograd.Function):
    """Σ_n V(n) exp(−i points · n) at non-uniform points (x, y, z), rad per voxel."""

    @staticmethod
    def forward(ctx, volume, points):
        ctx.save_for_backward(volume, points)
        return sample_transform(volume.to(torch.complex128), points)

    @staticmethod
    @once_differentiable
    def backward(ctx, cotangent):
        volume, points = ctx.saved_tensors
        for_volume = for_points = None
        if ctx.needs_input_grad[0]:
            edge = volume.shape[-1]
            for_volume = back_project(points, cotangent, edge)
        if ctx.needs_input_grad[1]:
            position = grid_positions(volume.shape[-1], 1.0, like=volume)
            moments = (
                position * volume,
                position[:, None] * volume,
                position[:, None, None] * volume,
            )
            slopes = [sample_transform(-1j * moment, points) for moment in moments]
            for_points = (cotangent.conj()[:, None] * torch.stack(slopes, -1)).real
        return for_volume, for_points


def project_real_space(
    volume: Float[Tensor, "z y x"], rotation: Float[Tensor, "particle 3 3"]
) -> Float[Tensor, "particle y x"]:
    """Project by turning the volume with trilinear interpolation and summing along z.

    Slow and blurred by the interpolation, but shares nothing with the Fourier methods:
    their oracle.

    Args:
        volume: e⁻/Å³ × pixel size, even edge.
        rotation: from specimen to view.

    Returns:
        Images, e⁻/Å².
    """
    edge = volume.shape[-1]
    axis = grid_positions(edge, 1.0, like=volume)
    z, y, x = torch.meshgrid(axis, axis, axis, indexing="ij")
    view = torch.stack([x, y, z], dim=-1)
    images = []
    for matrix in rotation:
        specimen = view @ matrix  # x = Rᵀ x_view
        # grid_sample counts from −1 to 1 between the centres of the outermost voxels.
        grid = (specimen + edge // 2) * (2.0 / (edge - 1)) - 1.0
        turned = torch.nn.functional.grid_sample(
            volume[None, None], grid[None], align_corners=True
        )
        images.append(turned[0, 0].sum(0))
    return torch.stack(images)
