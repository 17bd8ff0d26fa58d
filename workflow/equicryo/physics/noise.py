"""Image noise: white or coloured Gaussian noise, its power by Fourier shell.

A power spectrum is given as the variance per pixel that white noise of that strength
would have, one value a Fourier shell, shells 0 to box / 2.

Source: the Wiener-Khinchin theorem: Fourier coefficients of stationary noise are
independent, with the power spectrum as their variances.
"""

from collections.abc import Iterable, Mapping

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Int
from scipy.optimize import lsq_linear
from torch import Tensor

FIRST_KNOTS = (1, 3, 6, 9, 12)
KNOT_SPACING = 4
"""Shells where a radial spectrum is fitted, and their distance from there on: as close
as the narrow corners of an image can tell apart."""

LEAST_POWER = 0.05
"""Of the corners' raw spectrum: the fit goes no lower, so that power stays positive."""


def draw_noise(
    count: int, noise_power: Float[Tensor, " shell"], *, generator: torch.Generator
) -> Float[Tensor, "particle y x"]:
    """Draw stationary Gaussian noise.

    Args:
        count: number of images.
        noise_power: variance per pixel in each shell of the images' box.
        generator: source of the randomness.

    Returns:
        Square images of edge 2 · (shells − 1), float64.
    """
    box = 2 * (len(noise_power) - 1)
    white = torch.randn(count, box, box, dtype=torch.float64, generator=generator)
    # Beyond the last shell, in the corners of Fourier space, its power goes on.
    shell = fourier_shells(box).clamp(max=box // 2)
    spectrum = torch.fft.rfft2(white) * noise_power.sqrt()[shell]
    return torch.fft.irfft2(spectrum, s=(box, box))


def white_power(variance: float, box_size: int) -> Float[Tensor, " shell"]:
    """Return the power of white noise of a variance per pixel, the same in all shells.

    Args:
        variance: per pixel.
        box_size: edge of the images, pixels.
    """
    return torch.full((box_size // 2 + 1,), variance, dtype=torch.float64)


def coloured_power(
    variance: float, box_size: int, floor: float, correlation: float
) -> Float[Tensor, " shell"]:
    """Return a power spectrum that falls off from the centre to a white floor.

    It is proportional to floor + (1 − floor) / (1 + (s · correlation / box)²), with s
    the shell, scaled such that the variance per pixel of the noise is `variance`.

    Args:
        variance: per pixel, over all frequencies.
        box_size: edge of the images, pixels.
        floor: power at high frequency over power at zero frequency, in [0, 1].
        correlation: length of the coloured part, pixels, times 2π.
    """
    shell = torch.arange(box_size // 2 + 1, dtype=torch.float64)
    shape = floor + (1.0 - floor) / (1.0 + (shell * correlation / box_size).square())
    full = fourier_shells(box_size).clamp(max=box_size // 2)
    multiplicity = torch.full(full.shape, 2.0, dtype=torch.float64)
    multiplicity[:, [0, -1]] = 1.0
    mean = (shape[full] * multiplicity).sum() / box_size**2
    return variance * shape / mean


def noise_spectrum(
    settings: Mapping[str, str | float],
    variance: float,
    box_size: int,
    pixel_size: float,
) -> Float[Tensor, " shell"]:
    """Return the power of the noise that a config asks for.

    Args:
        settings: `kind`, ``white`` or ``coloured``; coloured noise has `floor` and
            `correlation` (Å), its power as in `coloured_power`.
        variance: per pixel, over all frequencies.
        box_size: edge of the images, pixels.
        pixel_size: Å.
    """
    if settings["kind"] == "white":
        return white_power(variance, box_size)
    correlation = float(settings["correlation"]) / pixel_size
    return coloured_power(variance, box_size, float(settings["floor"]), correlation)


def estimate_white_power(
    images: Iterable[Float[Tensor, "_ y x"]],
) -> Float[Tensor, " shell"]:
    """Estimate the power of white noise from the corners of images.

    The corners lie outside the circle inscribed in the box, away from the particle.
    Each image's own mean over the corners is taken off first.

    Args:
        images: batches, held one at a time.

    Returns:
        Variance per pixel, in the squared unit of the images.

    Raises:
        ValueError: no images.
    """
    squares, freedom, box = 0.0, 0, 0
    for batch in images:
        box = batch.shape[-1]
        corners = batch.double()[:, corner_mask(box)]
        squares += float((corners - corners.mean(-1, keepdim=True)).square().sum())
        freedom += corners.numel() - len(corners)
    if not freedom:
        raise ValueError("there are no images to estimate noise from")
    return white_power(squares / freedom, box)


def estimate_radial_power(
    images: Iterable[Float[Tensor, "_ y x"]],
) -> Float[Tensor, " shell"]:
    """Estimate a radial power spectrum from the corners of images.

    The corners' periodogram, less each image's mean, is the spectrum blurred over about
    three shells, and without its origin. The blur is known exactly, so a spectrum that
    is linear between knots is fitted through it; shell 0 takes the value of shell 1.
    The corners are taken to join across the edges of the box.

    Args:
        images: batches, held one at a time.

    Returns:
        Variance per pixel, in the squared unit of the images.

    Raises:
        ValueError: no images.

    Source: Welch 1967, doi:10.1109/TAU.1967.1161901, with the corners as the window.
    """
    total: Tensor | None = None
    count = 0
    for batch in images:
        mask = corner_mask(batch.shape[-1])
        corners = batch.double() * mask
        mean = corners.sum((-2, -1), keepdim=True) / mask.sum()
        power = torch.fft.fft2(corners - mean * mask).abs().square().sum(0)
        total = power if total is None else total + power
        count += len(batch)
    if total is None:
        raise ValueError("there are no images to estimate noise from")
    box = total.shape[0]
    mask = corner_mask(box)
    found = _shell_means(total / (count * mask.sum()))[1:]
    hats = _knot_basis(box)
    modes = np.bincount(_full_shells(box).ravel())[1 : box // 2 + 1]
    weight = np.sqrt(modes) / found
    fit = lsq_linear(
        weight[:, None] * (_corner_blur(mask) @ hats)[1:],
        weight * found,
        bounds=(LEAST_POWER * found[_knots(box) - 1], np.inf),
    )
    return torch.from_numpy(hats @ fit.x)


def _corner_blur(mask: Bool[Tensor, "y x"]) -> Float64[np.ndarray, "shell shell"]:
    """Return the matrix from a power spectrum to the corners' expected periodogram.

    With M the window's transform and n its area, a mode q of power 1 adds
    |M(k − q) − M(k) M(−q) / n|² / (n · pixels) at k; the second term is the mean's.
    """
    box = mask.shape[-1]
    window = torch.fft.fft2(mask.double())
    area = mask.sum()
    square = window.abs().square()
    shell = torch.from_numpy(_full_shells(box))
    columns = []
    for source in range(box // 2 + 1):
        # Beyond the last shell its power goes on, as in `draw_noise`.
        modes = (shell.clamp(max=box // 2) == source).double()
        spread = torch.fft.fft2(torch.fft.ifft2(square) * torch.fft.ifft2(modes))
        crossed = torch.fft.ifft2(window.conj()) * torch.fft.ifft2(
            modes * window.conj()
        )
        cross = (torch.fft.fft2(crossed) * window).real * box**2
        mean = square * (modes * square).sum()
        power = spread.real * box**2 - 2.0 * cross / area + mean / area**2
        columns.append(_shell_means(power / (area * box**2)))
    return np.stack(columns, axis=-1)


def _knots(box_size: int) -> Int[np.ndarray, " knot"]:
    last = box_size // 2
    later = range(FIRST_KNOTS[-1] + KNOT_SPACING, last, KNOT_SPACING)
    return np.array([*(knot for knot in (*FIRST_KNOTS, *later) if knot < last), last])


def _knot_basis(box_size: int) -> Float64[np.ndarray, "shell knot"]:
    """Return the hat functions that interpolate linearly between the knots."""
    knots, shells = _knots(box_size), np.arange(box_size // 2 + 1)
    return np.stack([np.interp(shells, knots, row) for row in np.eye(len(knots))], -1)


def _shell_means(power: Float[Tensor, "k_y k_x"]) -> Float64[np.ndarray, " shell"]:
    """Average a full spectrum over shells 0 to box / 2."""
    shell = _full_shells(power.shape[-1]).ravel()
    sums = np.bincount(shell, weights=power.numpy().ravel())
    return (sums / np.bincount(shell))[: power.shape[-1] // 2 + 1]


def _full_shells(box_size: int) -> Int[np.ndarray, "k_y k_x"]:
    frequency = np.fft.fftfreq(box_size, 1.0 / box_size)
    return np.hypot(frequency[:, None], frequency).round().astype(np.int64)


def corner_mask(box_size: int) -> Bool[Tensor, "y x"]:
    """Mark the pixels outside the circle inscribed in a square box.

    Args:
        box_size: edge, pixels.
    """
    offset = torch.arange(box_size) - box_size // 2
    return offset[:, None] ** 2 + offset**2 >= (box_size // 2) ** 2


def fourier_shells(box_size: int) -> Int[Tensor, "k_y k_x"]:
    """Return the shell round(|k| · box · pixel) of each ``rfft2`` sample.

    Args:
        box_size: edge, pixels.
    """
    k_y = torch.fft.fftfreq(box_size, 1.0 / box_size, dtype=torch.float64)
    k_x = torch.fft.rfftfreq(box_size, 1.0 / box_size, dtype=torch.float64)
    return torch.hypot(k_y[:, None], k_x).round().long()
