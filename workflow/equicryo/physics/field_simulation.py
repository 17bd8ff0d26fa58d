"""Normal equations drawn without making images, to learn from.

For known poses b is a Gaussian field of mean K * V and covariance K, and K follows from
how densely the images sample Fourier space. On a periodic grid both are diagonal, so a
draw costs one pair of FFTs, whatever the number of images.

Source: the sufficient statistics of `normal_equations`; the sampling density of central
slices is 1/(2|k|) an image, Bracewell 1956, doi:10.1071/PH560198, averaged over SO(3).
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from equicryo.physics.optics import Optics, contrast_transfer, unastigmatic
from equicryo.physics.rotations import draw_rotations
from equicryo.physics.spectra import half_grid_frequencies

MANY_IMAGES = 300
"""Images from which on their slices are taken to fill Fourier space evenly."""

OVERSAMPLING = 1.5
"""Points of a slice per frequency step of the grid, along each axis."""

ORIGIN = 1.2
"""Mean of 1/(2|k|) over the voxel of the origin, in edges of the grid: ∫ d³k/(2|k|)
over a ball of the voxel's volume."""


@dataclass(frozen=True, kw_only=True)
class ImagingConditions:
    """What decides the normal equations of a molecule's images but for their poses.

    Attributes:
        n_images: how many.
        total_snr: images × SNR, of images with pixels of 1 Å over `support`.
        support: edge of the square over which a signal's variance is taken, Å.
        optics: of the images; box and pixel size are not used.
        defocus: lowest and highest, Å.
    """

    n_images: int
    total_snr: float
    support: float
    optics: Optics
    defocus: tuple[float, float]


def simulate_transfer(
    volume: Float[Tensor, "z y x"],
    pixel_size: float,
    conditions: ImagingConditions,
    *,
    generator: torch.Generator,
) -> Float[Tensor, "z y x_half"]:
    """Draw views, and return the half spectrum of K on the volume's own grid.

    Args:
        volume: e⁻/Å³ × pixel size; only its power matters, for the noise.
        pixel_size: edge of a voxel, Å.
        conditions: of the imaging.
        generator: draws defoci and orientations.
    """
    edge = len(volume)
    frequency = half_grid_frequencies(edge, pixel_size)
    low, high = conditions.defocus
    count = min(conditions.n_images, MANY_IMAGES)
    unit = torch.rand(count, generator=generator)
    defocus = low + (high - low) * unit
    even = _even_density(frequency, edge * pixel_size, conditions.optics, defocus)
    variance = _clean_variance(volume, pixel_size, even, conditions)
    density = even
    if conditions.n_images < MANY_IMAGES:
        density = _slice_density(
            edge, pixel_size, conditions.optics, defocus, generator
        )
    # The kernel of unit-variance noise in pixels of 1 Å, per voxel of the volume.
    return (conditions.total_snr / variance * pixel_size) * density


def simulate_back_projection(
    volume: Float[Tensor, "z y x"],
    transfer: Float[Tensor, "z y x_half"],
    *,
    generator: torch.Generator,
) -> Float[Tensor, "z y x"]:
    """Draw b = K * V + noise of covariance K, on a periodic grid.

    Args:
        volume: e⁻/Å³ × pixel size.
        transfer: half spectrum of K on the same grid.
        generator: of the noise.
    """
    noise = torch.randn(volume.shape, generator=generator).to(volume)
    signal = transfer * torch.fft.rfftn(volume)
    spectrum = signal + transfer.sqrt() * torch.fft.rfftn(noise)
    return torch.fft.irfftn(spectrum, volume.shape)


def _even_density(
    frequency: Tensor, extent: float, optics: Optics, defocus: Tensor
) -> Tensor:
    """Return ⟨CTF²⟩ / (2|k|), the mean density of an image's samples, Å."""
    step = 0.25 / extent
    radius = step * torch.arange(int(frequency.max() / step) + 2)
    on_axis = torch.stack((radius, torch.zeros_like(radius)), -1)
    power = contrast_transfer(on_axis, optics, unastigmatic(defocus)).square().mean(0)
    density = 0.5 / frequency.clamp(min=0.5 / (ORIGIN * extent))
    return density * power[(frequency / step).round().long()]


def _clean_variance(
    volume: Tensor, pixel_size: float, density: Tensor, conditions: ImagingConditions
) -> Tensor:
    """Return the variance of clean images over their support, (e⁻/Å²)²."""
    edge, area = len(volume), conditions.support**2
    spectrum = torch.fft.rfftn(volume) * pixel_size**2
    # Each column of the half spectrum but the first and last stands for two.
    twice = torch.full((spectrum.shape[-1],), 2.0)
    twice[0] = twice[-1] = 1.0
    power = (density * spectrum.abs().square() * twice).sum()
    mean = conditions.optics.amplitude_contrast * spectrum[0, 0, 0].real / area
    return power / (area * (edge * pixel_size) ** 3) - mean**2


def _slice_density(
    edge: int,
    pixel_size: float,
    optics: Optics,
    defocus: Tensor,
    generator: torch.Generator,
) -> Tensor:
    """Return the density of CTF² over the slices of random views, a mean image, Å."""
    reach = int(OVERSAMPLING * edge / 2)
    axis = torch.arange(-reach, reach + 1)
    rows, columns = torch.meshgrid(axis, axis[reach:], indexing="ij")
    disk = rows.square() + columns.square() < reach**2
    places = torch.stack((columns[disk], rows[disk]), -1) / OVERSAMPLING
    # The half plane's points but those of the axis stand for their partners too.
    share = torch.where(columns[disk] > 0, 1.0, 0.5)
    extent = edge * pixel_size
    power = contrast_transfer(places / extent, optics, unastigmatic(defocus)).square()
    rotation = draw_rotations(len(defocus), generator=generator).float()
    voxel = (places @ rotation[:, :2]).round().long()
    density = torch.zeros(edge**3)
    for sign in (1, -1):
        x, y, z = (sign * voxel).remainder(edge).flatten(0, 1).unbind(-1)
        flat = (z * edge + y) * edge + x
        density += torch.bincount(flat, (share * power).flatten(), minlength=edge**3)
    density = density.view((edge,) * 3)[..., : edge // 2 + 1]
    return density * (extent / (len(defocus) * OVERSAMPLING**2))
