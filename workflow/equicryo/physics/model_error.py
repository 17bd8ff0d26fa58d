"""What a density model of a chain leaves unexplained, taken for noise of its images.

Images show V(x) + m: the model's density and what it lacks. If m is a stationary
Gaussian field of spectral density S(k) wherever the molecule is, its projections are
noise of the images like any other, and the normal equations about V(x) become, at each
frequency,

    b / (1 + K S)   and   K / (1 + K S),

however many the images: beyond K = 1/S more of them tell nothing more. Without it, the
more images there are, the surer a reconstruction is of places that the model's error
has moved.

Source: model discrepancy as a Gaussian process; Kennedy & O'Hagan 2001,
doi:10.1111/1467-9868.00294. Its marginal likelihood: Woodbury's identity.
"""

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from equicryo.errors import InputError
from equicryo.physics.normal_equations import NormalEquations
from equicryo.physics.normal_operator import convolve_kernel, prepare_operator
from equicryo.physics.spectra import (
    grid_to_shells,
    half_grid_frequencies,
    shell_counts,
)
from equicryo.physics.wiener import wiener_map
from equicryo.structure.residue_model import SHELL, SHELLS

RESIDUE_EXTENT = 200.0
"""Å³ within 3 Å of the atoms of a residue, mean of the training chains: where a model's
error is."""

GENEROUS = 10.0
"""Variance of the map that explains b, over that of a model's error."""

TOLERANCE = 1e-3
"""Relative residual of the map that explains b."""

ALIKE = (0.14, 0.30)
"""Å⁻¹: here proteins have the same power; below, it depends on their fold and on the
solvent around them, above, on their B-factors."""

ROUNDS = 10
"""Of reweighting, for the gain: it has then converged."""


def residue_power(
    volume: Float[Tensor, "z y x"], residues: int, pixel_size: float
) -> Float64[np.ndarray, " shell"]:
    """Measure the power of a density's Fourier transform, a residue.

    Args:
        volume: e⁻/Å³ × pixel size.
        residues: that it shows.
        pixel_size: at most 1 Å, so that Nyquist is beyond all shells.

    Returns:
        Squared electrons, in shells of `SHELL`.
    """
    edge = 2 * len(volume)
    transform = pixel_size**2 * torch.fft.rfftn(volume.double(), s=(edge,) * 3)
    shell = (half_grid_frequencies(edge, pixel_size) / SHELL).long().flatten()
    counts = torch.bincount(shell)
    sums = torch.bincount(shell, transform.abs().square().flatten())
    return (sums / counts)[:SHELLS].numpy() / residues


def power_on_grid(
    power: Float[Tensor, " shell"], edge: int, pixel_size: float
) -> Float64[Tensor, "z y x_half"]:
    """Return the power of a volume's half spectrum, (e⁻/Å³ × pixel size)².

    Args:
        power: squared electrons, in shells of `SHELL`; it keeps the last one's value
            beyond.
        edge: of the grid, voxels.
        pixel_size: Å.
    """
    frequency = half_grid_frequencies(edge, pixel_size)
    centres = SHELL * (np.arange(len(power)) + 0.5)
    values = np.interp(frequency, centres, power.numpy())
    return torch.from_numpy(values) / pixel_size**4


def guess_gain(normal: NormalEquations, power: Float[Tensor, " shell"]) -> float:
    """Estimate the gain of images from their power, whatever the structure.

    Between frequencies that tell folds apart and those that B-factors damp, proteins
    have one power a residue. The likelihood of Fourier coefficients of that power and
    the noise's is climbed by iteratively reweighted least squares.

    Args:
        normal: of the images.
        power: of the density's Fourier transform, squared electrons.

    Returns:
        Intensity units per e⁻/Å²; where the power is no more than the noise's, the
        standard error of the estimate.

    Raises:
        InputError: the images' pixels are too coarse.

    Source: Wilson 1942, doi:10.1038/150152a0, for crystals.
    """
    edge = 2 * normal.support_size
    transfer = wave_information(normal)
    found = torch.fft.rfftn(normal.b, s=(edge,) * 3).abs().square()
    signal = transfer.square() * power_on_grid(power, edge, normal.pixel_size)
    # By shell: single frequencies next to zeros of the CTF show their neighbours.
    noise = normal.support_size**3 * grid_to_shells(transfer)
    excess = grid_to_shells(found) - noise
    signal = grid_to_shells(signal)
    low, high = (round(k * edge * normal.pixel_size) for k in ALIKE)
    band = slice(low, min(high, edge // 2))
    noise, excess, signal = (each[band] for each in (noise, excess, signal))
    if not noise.any():
        raise InputError(
            f"pixels of {normal.pixel_size:g} Å show nothing beyond {ALIKE[0]:g} Å⁻¹, "
            "where the images' intensity is read: give particles of finer pixels, or "
            "set residue_model to single"
        )
    count = shell_counts(edge)[band]
    square = 0.0
    for _ in range(ROUNDS):
        weight = count * signal / (noise + square * signal).square()
        information = float((weight * signal).sum())
        square = max(float((weight * excess).sum()) / information, information**-0.5)
    return square**0.5


def wave_information(
    normal: NormalEquations,
) -> Float64[Tensor, "z_lag y_lag x_half"]:
    """Return what the images tell of a plane wave over the support, nats a voxel.

    That is the kernel's spectrum as the support resolves it, and never negative: with
    N voxels along each axis, lag l occurs in N − |l| pairs of N.

    Args:
        normal: of the images.

    Source: Fejér 1900, as a window for spectra.
    """
    lag = torch.arange(-normal.support_size, normal.support_size)
    share = 1.0 - lag.abs().double() / normal.support_size
    tapered = normal.kernel * share[:, None, None] * share[:, None] * share
    spectrum = torch.fft.rfftn(torch.fft.ifftshift(tapered)).real
    return spectrum.clamp(min=0.0)  # rounding


def discount_misfit(
    normal: NormalEquations, misfit: Float[Tensor, " shell"]
) -> NormalEquations:
    """Take what a density model lacks for noise.

    Args:
        normal: of images of a molecule.
        misfit: power of what the model lacks, squared electrons a residue, positive.

    Returns:
        Of the same `data_energy` and `noise_power`, which are those of the images: χ²
        follows from the given normal equations alone.
    """
    operator = prepare_operator(normal)
    support, edge = normal.support_size, 2 * normal.support_size
    # Of a voxel inside the molecule, by frequency: it is the power of a volume of one.
    lacking = power_on_grid(misfit, edge, normal.pixel_size)
    lacking *= normal.pixel_size**3 / RESIDUE_EXTENT
    trust = 1.0 / (1.0 + wave_information(normal) * lacking)
    transfer = operator.transfer * trust

    # The filter reaches beyond the support, where b is not known. So it is left to what
    # no map explains; what one does explain is discounted as its image.
    variance = GENEROUS * float(lacking.mean())
    explained = wiener_map(operator, variance, TOLERANCE)
    rest = normal.b - operator.convolve(explained)
    filtered = torch.fft.irfftn(torch.fft.rfftn(rest, s=(edge,) * 3) * trust)
    b = filtered[:support, :support, :support]
    b = b + convolve_kernel(transfer, explained)
    kernel = torch.fft.fftshift(torch.fft.irfftn(transfer, s=(edge,) * 3))
    return replace(normal, b=b, kernel=kernel)
