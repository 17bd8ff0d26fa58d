"""Image noise: white or coloured Gaussian noise, its power by Fourier shell.

A power spectrum is given as the variance per pixel that white noise of that strength
would have, one value a Fourier shell, shells 0 to box / 2.
"""

from collections.abc import Iterable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

FEWEST_MODES = 200
"""Fourier modes averaged at least, so that a shell's power is good to about 10 %."""


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


def estimate_white_power(
    images: Iterable[Float[Tensor, "_ y x"]],
) -> Float[Tensor, " shell"]:
    """Estimate the power of white noise from the corners of images.

    The corners lie outside the circle inscribed in the box, away from the particle.
    Each image's own mean over the corners is taken off first.

    Args:
        images: batches, held one at a time.

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

    The corners' periodogram, normalised by their area, is averaged over images and
    shells; the innermost shells share one value until they hold enough modes. It sees
    the spectrum blurred over about three shells, the width of the corners' transform.

    Args:
        images: batches, held one at a time.

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
        power = torch.fft.rfft2(corners - mean * mask).abs().square().sum(0)
        total = power if total is None else total + power
        count += len(batch)
    if total is None:
        raise ValueError("there are no images to estimate noise from")
    box = total.shape[0]
    average = _average_shells(total / (count * corner_mask(box).sum()), count)
    return average


def _average_shells(
    power: Float[Tensor, "k_y k_x"], count: int
) -> Float[Tensor, " shell"]:
    """Average over shells, the innermost together until they hold enough modes."""
    box = power.shape[0]
    shell = fourier_shells(box)
    kept = (shell >= 1) & (shell <= box // 2)
    modes = torch.bincount(shell[kept], minlength=box // 2 + 1)
    sums = torch.zeros(box // 2 + 1, dtype=torch.float64)
    sums.index_add_(0, shell[kept], power[kept])
    enough = torch.cumsum(modes, 0) * count >= FEWEST_MODES
    first = int(torch.nonzero(enough)[0, 0]) if enough.any() else box // 2
    average = sums / modes.clamp(min=1)
    average[: first + 1] = sums[: first + 1].sum() / modes[: first + 1].sum()
    return average


def corner_mask(box_size: int) -> Bool[Tensor, "y x"]:
    """Mark the pixels outside the circle inscribed in a square box."""
    offset = torch.arange(box_size) - box_size // 2
    return offset[:, None] ** 2 + offset**2 >= (box_size // 2) ** 2


def fourier_shells(box_size: int) -> Int[Tensor, "k_y k_x"]:
    """Return the shell round(|k| · box · pixel) of each ``rfft2`` sample."""
    k_y = torch.fft.fftfreq(box_size, 1.0 / box_size, dtype=torch.float64)
    k_x = torch.fft.rfftfreq(box_size, 1.0 / box_size, dtype=torch.float64)
    return torch.hypot(k_y[:, None], k_x).round().long()
