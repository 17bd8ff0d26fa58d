"""Density of a molecule as a sum of isotropic Gaussians.

Volumes carry density times pixel size (e⁻/Å³ · Å), so that a projection is their plain
sum along z, in e⁻/Å², without a factor of the pixel size.

Source: elementary; Gaussian integrals and products along the axes.
"""

import math

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

MARGIN = 16.0
"""Å kept free around a molecule in its support, both sides together."""


def gaussian_volume(
    coordinates: Float[Tensor, "*batch residue 3"],
    weights: Float[Tensor, " residue"],
    width: float | Float[Tensor, " residue"],
    box_size: int,
    pixel_size: float,
) -> Float[Tensor, "*batch z y x"]:
    """Sample the density of Gaussian blobs on a cubic grid.

    The value is pixel_size · Σ w (2πσ²)^(−3/2) exp(−r²/2σ²) at the voxel centres; the
    coordinate origin lies on voxel box_size // 2. Differentiable in all tensors.

    Args:
        coordinates: centres of the blobs (x, y, z), Å.
        weights: electrons of each blob, dtype of `coordinates`.
        width: standard deviation σ of all blobs, or of each, Å.
        box_size: edge of the grid, voxels.
        pixel_size: edge of a voxel, Å.

    Returns:
        Volumes in e⁻/Å³ × pixel size, dtype and device of `coordinates`.
    """
    centres = grid_positions(box_size, pixel_size, like=coordinates)
    width = torch.as_tensor(width).to(coordinates).expand(weights.shape)
    scaled = (coordinates[..., None] - centres) / width[:, None, None]
    profile = torch.exp(-0.5 * scaled.square())
    amplitude = pixel_size * weights / (math.sqrt(2.0 * math.pi) * width) ** 3
    return _sum_profiles(profile, amplitude)


def band_limited_volume(
    coordinates: Float[Tensor, "*batch residue 3"],
    weights: Float[Tensor, " residue"],
    width: Float[Tensor, " residue"],
    box_size: int,
    pixel_size: float,
) -> Float[Tensor, "*batch z y x"]:
    """Sample the density of blobs of any sharpness, without aliasing.

    As `gaussian_volume`, but all content at and beyond the Nyquist frequency of an axis
    is removed before sampling: a blob narrower than a voxel rings instead of folding
    its high frequencies onto low ones. Differentiable in all tensors.

    Args:
        coordinates: centres of the blobs (x, y, z), Å.
        weights: electrons of each blob, dtype of `coordinates`.
        width: standard deviation of each, Å.
        box_size: edge of the grid, voxels.
        pixel_size: edge of a voxel, Å.

    Returns:
        Volumes in e⁻/Å³ × pixel size, dtype and device of `coordinates`.
    """
    # A period of two boxes keeps blobs that leave the grid from coming in again.
    period = 2 * box_size
    frequency = torch.arange(box_size, device=coordinates.device) / period
    frequency = frequency.to(coordinates) / pixel_size
    damping = torch.exp(-2.0 * (math.pi * width[:, None] * frequency) ** 2)
    phase = -2.0 * math.pi * coordinates[..., None] * frequency
    spectrum = torch.polar(damping[:, None].expand_as(phase), phase)
    profile = torch.fft.irfft(spectrum, period) / pixel_size
    profile = profile.roll(box_size // 2, -1)[..., :box_size]
    return _sum_profiles(profile, pixel_size * weights)


def _sum_profiles(
    profile: Float[Tensor, "*batch residue 3 sample"],
    amplitude: Float[Tensor, " residue"],
) -> Float[Tensor, "*batch z y x"]:
    """Sum blobs that are products of profiles along x, y and z."""
    box_size = profile.shape[-1]
    x, y, z = profile.reshape(-1, *profile.shape[-3:]).unbind(-2)
    y = amplitude[:, None] * y
    if profile.is_cuda:
        volume = _sum_outer_products(z, y, x)
    else:
        # One molecule at a time stays in the cache: twice as fast as a batch of 8.
        volume = torch.stack(
            [_sum_outer_products(*axes) for axes in zip(z, y, x, strict=True)]
        )
    return volume.reshape(*profile.shape[:-3], *(box_size,) * 3)


def _sum_outer_products(
    z: Float[Tensor, "*batch residue z"],
    y: Float[Tensor, "*batch residue y"],
    x: Float[Tensor, "*batch residue x"],
) -> Float[Tensor, "*batch z y x"]:
    """Sum z ⊗ y ⊗ x over residues, as one matrix product."""
    plane = (y[..., :, None] * x[..., None, :]).flatten(-2)
    volume = z.transpose(-1, -2) @ plane
    return volume.unflatten(-1, (y.shape[-1], x.shape[-1]))


def gaussian_filter(
    volume: Float[Tensor, "z y x"], width: float
) -> Float[Tensor, "z y x"]:
    """Blur a volume that is zero outside its grid.

    Args:
        volume: cubic.
        width: standard deviation of the Gaussian, voxels; 0 leaves all as it is.
    """
    edge = volume.shape[-1]
    frequency = torch.fft.fftfreq(2 * edge, dtype=volume.dtype, device=volume.device)
    profile = torch.exp(-2.0 * (math.pi * width * frequency) ** 2)
    spectrum = torch.fft.fftn(volume, s=(2 * edge,) * 3)
    spectrum *= profile[:, None, None] * profile[:, None] * profile
    return torch.fft.ifftn(spectrum).real[:edge, :edge, :edge].contiguous()


def grid_positions(
    box_size: int, pixel_size: float, *, like: Shaped[Tensor, "..."]
) -> Float[Tensor, " sample"]:
    """Return the positions of pixel centres along one axis, Å, 0 at box_size // 2.

    Args:
        box_size: number of pixels.
        pixel_size: Å.
        like: tensor whose dtype and device the result takes.
    """
    index = torch.arange(box_size, dtype=like.dtype, device=like.device)
    return (index - box_size // 2) * pixel_size


def centre_distances(box_size: int, pixel_size: float) -> Float[Tensor, "z y x"]:
    """Return the distance of each voxel from voxel box_size // 2, Å, float64.

    Args:
        box_size: edge of the grid, voxels.
        pixel_size: Å.
    """
    like = torch.empty(0, dtype=torch.float64)
    squares = grid_positions(box_size, pixel_size, like=like).square()
    return (squares[:, None, None] + squares[:, None] + squares).sqrt()


def molecule_diameter(coordinates: Float[Tensor, "residue 3"]) -> float:
    """Return the largest distance between two residues, Å.

    Args:
        coordinates: Å.
    """
    return float(torch.pdist(coordinates).max())


def support_size(diameter: float, pixel_size: float, box_size: int) -> int:
    """Return the edge of the cube in which a molecule's volume is kept, pixels.

    Args:
        diameter: largest Cα distance of the molecule, Å.
        pixel_size: Å.
        box_size: edge of the images, pixels.

    Returns:
        The smallest even number with no prime factor above 5 (a fast FFT length) that
        holds the diameter and a margin of 16 Å, at most `box_size`.
    """
    return min(fast_edge((diameter + MARGIN) / pixel_size), box_size)


def fast_edge(smallest: float) -> int:
    """Return the least even number from `smallest` on with no prime factor above 5.

    Grids of these edges have fast Fourier transforms.

    Args:
        smallest: number of voxels or pixels, not below 1.
    """
    edge = 2 * math.ceil(smallest / 2.0)
    while not _is_smooth(edge):
        edge += 2
    return edge


def _is_smooth(number: int) -> bool:
    for prime in (2, 3, 5):
        while number % prime == 0:
            number //= prime
    return number == 1
