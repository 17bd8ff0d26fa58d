"""Agreement of two density maps: by shell, and inside a mask at a resolution."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from equicryo.physics.density import centre_distances

SOFTNESS = 4.0
"""Å over which the edge of a mask falls: as wide as the finest detail compared."""


def soft_sphere(
    box_size: int, pixel_size: float, radius: float
) -> Float[Tensor, "z y x"]:
    """Return a sphere about voxel n // 2 whose edge falls to 0 as a raised cosine.

    Args:
        box_size: edge of the grid, voxels.
        pixel_size: Å.
        radius: where the mask reaches 0, Å; it is 1 up to `SOFTNESS` less.
    """
    inside = ((radius - centre_distances(box_size, pixel_size)) / SOFTNESS).clamp(
        0.0, 1.0
    )
    return 0.5 - 0.5 * torch.cos(math.pi * inside)


def shell_correlation(
    first: Float[Tensor, "z y x"], second: Float[Tensor, "z y x"]
) -> Float[Tensor, " shell"]:
    """Return the Fourier shell correlation (FSC) of two maps on one grid.

    Args:
        first: cubic, already masked; in any unit.
        second: likewise.

    Returns:
        Σ Re(F₁ F₂*) / √(Σ|F₁|² Σ|F₂|²) over shells 0 to box / 2; shell s lies at
        s / (box · pixel) Å⁻¹.

    Source: Harauz & van Heel 1986, Optik 73, 146-156.
    """
    box = first.shape[-1]
    index = torch.fft.fftfreq(box, 1.0 / box, dtype=torch.float64)
    radius2 = index[:, None, None] ** 2 + index[:, None] ** 2 + index**2
    shell = radius2.sqrt().round().long().flatten()
    spectra = [torch.fft.fftn(volume.double()).flatten() for volume in (first, second)]

    def sums(values: Float[Tensor, " voxel"]) -> Float[Tensor, " shell"]:
        return torch.bincount(shell, weights=values)[: box // 2 + 1]

    cross = sums((spectra[0] * spectra[1].conj()).real)
    powers = [sums(spectrum.abs().square()) for spectrum in spectra]
    return cross / (powers[0] * powers[1]).sqrt()


def low_pass(
    volume: Float[Tensor, "z y x"], pixel_size: float, resolution: float
) -> Float[Tensor, "z y x"]:
    """Remove all frequencies at and beyond 1 / resolution.

    Args:
        volume: any grid.
        pixel_size: Å.
        resolution: Å.
    """
    z, y, x = (
        torch.fft.fftfreq(n, pixel_size, dtype=torch.float64) for n in volume.shape
    )
    k2 = z[:, None, None] ** 2 + y[:, None] ** 2 + x**2
    kept = k2 < resolution**-2
    return torch.fft.ifftn(torch.fft.fftn(volume.double()) * kept).real


def masked_correlation(
    first: Float[Tensor, "z y x"],
    second: Float[Tensor, "z y x"],
    mask: Float[Tensor, "z y x"],
) -> float:
    """Return Pearson's correlation of two maps, each voxel weighted by a mask.

    Args:
        first: in any unit.
        second: likewise.
        mask: weights, not negative.
    """

    def centred(volume: Float[Tensor, "z y x"]) -> Float[Tensor, "z y x"]:
        return volume - (mask * volume).sum() / mask.sum()

    a, b = centred(first.double()), centred(second.double())
    scale = ((mask * a * a).sum() * (mask * b * b).sum()).sqrt()
    return ((mask * a * b).sum() / scale).item()


@dataclass(frozen=True, kw_only=True, eq=False)
class MapAgreement:
    """How well two maps agree inside a mask.

    Attributes:
        fsc: by Fourier shell, from shell 0.
        worst: the lowest FSC from shell 1 down to the resolution.
        correlation: Pearson's, of the maps low-passed to the resolution.
    """

    fsc: Float[Tensor, " shell"]
    worst: float
    correlation: float


def compare_maps(
    first: Float[Tensor, "z y x"],
    second: Float[Tensor, "z y x"],
    mask: Float[Tensor, "z y x"],
    pixel_size: float,
    resolution: float,
) -> MapAgreement:
    """Compare two maps by shell, and as a whole down to a resolution.

    Args:
        first: cubic, in any unit.
        second: likewise.
        mask: 1 inside, with a soft edge.
        pixel_size: Å.
        resolution: Å.
    """
    fsc = shell_correlation(mask * first, mask * second)
    last = math.floor(len(mask) * pixel_size / resolution)
    pair = (low_pass(volume, pixel_size, resolution) for volume in (first, second))
    return MapAgreement(
        fsc=fsc,
        worst=fsc[1 : last + 1].min().item(),
        correlation=masked_correlation(*pair, mask),
    )
