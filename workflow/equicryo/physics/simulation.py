"""Simulated particle images: Gaussian blobs seen through a microscope, with noise.

Source: the linear model of image formation; Frank 2006, Three-Dimensional Electron
Microscopy of Macromolecular Assemblies, doi:10.1093/acprof:oso/9780195182187.001.0001.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from equicryo.physics.density import fast_edge, gaussian_volume
from equicryo.physics.fourier import HalfPlane, half_plane, samples_to_image
from equicryo.physics.noise import draw_noise
from equicryo.physics.optics import contrast_transfer
from equicryo.physics.pose import Pose, Views
from equicryo.physics.projection import project_gaussians, project_volume
from equicryo.structure.chain import Chain
from equicryo.structure.residues import residue_electrons

BLOBS = 13_000
"""Gaussians projected together, over all images of a batch: about 50 MB."""

MANY = 1000
"""Blobs from which on a volume is projected in their place: measured six times faster
for 5,005 blobs, and slower for 129."""

LARGEST = 250
"""Edge of the largest volume projected, voxels: 2 GB. Larger molecules are projected
blob by blob, which takes no more memory."""

BLOCK = 250
"""Blobs sampled together on a volume: at most 125 MB."""

BATCH = 250
"""Images projected together from a volume: 0.6 GB at 128 pixels, with the volume."""

FINENESS = 0.74
"""Widths of a blob in an image's pixel, on a grid twice as fine, at which the sampled
density has the blobs' transform below Nyquist: aliasing exp(−2π² (1.5 · 0.74)²), 3e-11
of a blob's weight."""

TAIL = 7.0
"""Widths of the widest blob kept around the centres: 1e-11 of its weight is beyond."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Specimen:
    """What is imaged: Gaussian blobs.

    Attributes:
        coordinates: centres, Å.
        weights: electrons of each blob.
        width: standard deviation of all blobs, or of each, Å.
    """

    coordinates: Float[Tensor, "residue 3"]
    weights: Float[Tensor, " residue"]
    width: float | Float[Tensor, " residue"]


def matched_specimen(truth: Chain, width: float) -> Specimen:
    """Describe each residue by one Gaussian at its Cα, as reconstructions do.

    Args:
        truth: the conformer.
        width: standard deviation of the Gaussians, Å.
    """
    return Specimen(
        coordinates=torch.from_numpy(truth.coordinates),
        weights=torch.from_numpy(residue_electrons(truth.sequence)),
        width=width,
    )


def clean_images(
    specimen: Specimen, views: Views
) -> Iterator[Float[Tensor, "particle y x"]]:
    """Yield noiseless, CTF-filtered images in batches, e⁻/Å², float64.

    Args:
        specimen: what is imaged.
        views: of all images.
    """
    plane = half_plane(views.optics.box_size, views.optics.pixel_size)
    blobs, pixel_size = len(specimen.weights), views.optics.pixel_size
    if is_projected_from_volume(specimen, pixel_size):
        batch, project = BATCH, volume_projector(specimen, pixel_size)
    else:
        batch, project = max(1, BLOBS // blobs), direct_projector(specimen)
    for start in range(0, len(views), batch):
        part = views[start : start + batch]
        ctf = contrast_transfer(plane.frequency, part.optics, part.defocus)
        yield samples_to_image(ctf * project(part.pose, plane), plane)


def is_projected_from_volume(specimen: Specimen, pixel_size: float) -> bool:
    """Tell whether `clean_images` projects a volume, or blob by blob.

    Args:
        specimen: what is imaged.
        pixel_size: of the images, Å.
    """
    if len(specimen.weights) < MANY:
        return False
    return _fine_grid(specimen, pixel_size).edge <= LARGEST


Projector = Callable[[Pose, HalfPlane], Complex[Tensor, "particle sample"]]


def direct_projector(specimen: Specimen) -> Projector:
    """Return the projection of blobs one by one, exact.

    Args:
        specimen: blobs.
    """

    def project(pose: Pose, plane: HalfPlane) -> Complex[Tensor, "particle sample"]:
        return project_gaussians(
            specimen.coordinates, specimen.weights, specimen.width, pose, plane
        )

    return project


def volume_projector(specimen: Specimen, pixel_size: float) -> Projector:
    """Return the projection of blobs through one volume: flat cost in their number.

    The blobs, blurred where they are too sharp, are sampled on a grid twice as fine as
    the images; the blur is taken off again in Fourier space. Samples below Nyquist
    equal the direct ones to 1e-8 of the largest.

    Args:
        specimen: blobs.
        pixel_size: of the images, Å.
    """
    grid = _fine_grid(specimen, pixel_size)
    volume = blob_volume(specimen, grid.width, grid.edge, grid.pixel_size)
    area = (grid.pixel_size / pixel_size) ** 2

    def project(pose: Pose, plane: HalfPlane) -> Complex[Tensor, "particle sample"]:
        k2 = plane.frequency.square().sum(-1)
        sharpen = area * torch.exp(2.0 * math.pi**2 * grid.blur2 * k2)
        return sharpen * project_volume(volume, pose, plane, grid.pixel_size)

    return project


@dataclass(frozen=True, kw_only=True, eq=False)
class _FineGrid:
    """A grid twice as fine as images, and blobs wide enough to be sampled on it.

    Attributes:
        pixel_size: Å.
        edge: voxels.
        width: standard deviation of each blob with the blur, Å.
        blur2: variance of the blur, Å².
    """

    pixel_size: float
    edge: int
    width: Float[Tensor, " residue"]
    blur2: float


def _fine_grid(specimen: Specimen, pixel_size: float) -> _FineGrid:
    width = torch.as_tensor(specimen.width).to(specimen.weights)
    width = width.expand(specimen.weights.shape)
    blur2 = max(0.0, (FINENESS * pixel_size) ** 2 - width.min().item() ** 2)
    width = (width.square() + blur2).sqrt()
    reach = specimen.coordinates.abs().max().item() + TAIL * width.max().item()
    fine = 0.5 * pixel_size
    edge = fast_edge(2.0 * reach / fine)
    return _FineGrid(pixel_size=fine, edge=edge, width=width, blur2=blur2)


def blob_volume(
    specimen: Specimen,
    width: Float[Tensor, " residue"],
    box_size: int,
    pixel_size: float,
) -> Float[Tensor, "z y x"]:
    """Sample any number of blobs as `gaussian_volume` does, in bounded memory.

    Args:
        specimen: where the blobs are and what they weigh.
        width: standard deviation of each blob, Å; the specimen's own is not used.
        box_size: edge of the grid, voxels.
        pixel_size: edge of a voxel, Å.
    """
    volume = torch.zeros((box_size,) * 3, dtype=specimen.coordinates.dtype)
    for start in range(0, len(width), BLOCK):
        part = slice(start, start + BLOCK)
        volume += gaussian_volume(
            specimen.coordinates[part],
            specimen.weights[part],
            width[part],
            box_size,
            pixel_size,
        )
    return volume


def specimen_map(
    specimen: Specimen, box_size: int, pixel_size: float
) -> Float[Tensor, "z y x"]:
    """Sample a specimen's density up to the Nyquist frequency, however sharp its blobs.

    Frequencies at and beyond Nyquist, corners included, are zero, as in maps made of
    images; where blobs are much wider than a pixel this is `gaussian_volume`.

    Args:
        specimen: blobs, all within the box.
        box_size: edge of the grid, voxels.
        pixel_size: edge of a voxel, Å.

    Returns:
        e⁻/Å³ × pixel size, origin on voxel box_size // 2.
    """
    grid = _fine_grid(specimen, pixel_size)
    fine = blob_volume(specimen, grid.width, 2 * box_size, grid.pixel_size)
    spectrum = torch.fft.fftshift(torch.fft.fftn(torch.fft.ifftshift(fine)))
    window = slice(box_size // 2, box_size // 2 + box_size)
    kept = torch.fft.ifftshift(spectrum[window, window, window])
    axis = torch.fft.fftfreq(box_size, pixel_size, dtype=fine.dtype)
    k2 = axis[:, None, None] ** 2 + axis[:, None] ** 2 + axis**2
    sharpen = torch.exp(2.0 * math.pi**2 * grid.blur2 * k2)
    sharpen = (
        sharpen * (k2 < (0.5 / pixel_size) ** 2) * (grid.pixel_size / pixel_size) ** 2
    )
    return torch.fft.fftshift(torch.fft.ifftn(kept * sharpen).real)


def noise_variance(
    specimen: Specimen, views: Views, snr: float, support_size: int
) -> float:
    """Return the noise variance per pixel that gives a signal-to-noise ratio.

    The signal is the variance of all clean, CTF-filtered images over their central
    support_size × support_size pixels; other definitions differ by factors of 2 to 10.

    Args:
        specimen: what is imaged.
        views: of all images.
        snr: signal variance over noise variance.
        support_size: pixels.

    Returns:
        (e⁻/Å²)².
    """
    first = (views.optics.box_size - support_size) // 2
    centre = slice(first, first + support_size)
    count, total, squares = 0, 0.0, 0.0
    for images in clean_images(specimen, views):
        support = images[:, centre, centre]
        count += support.numel()
        total += float(support.sum())
        squares += float(support.square().sum())
    return (squares / count - (total / count) ** 2) / snr


def noisy_images(
    specimen: Specimen,
    views: Views,
    noise_power: Float[Tensor, " shell"],
    *,
    generator: torch.Generator,
) -> Iterator[Float[Tensor, "particle y x"]]:
    """Yield images with stationary Gaussian noise, in batches, e⁻/Å², float64.

    Args:
        specimen: what is imaged.
        views: of all images.
        noise_power: noise variance per pixel in each Fourier shell, (e⁻/Å²)².
        generator: source of the noise.
    """
    for images in clean_images(specimen, views):
        yield images + draw_noise(len(images), noise_power, generator=generator)
