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

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64
from torch import Tensor

from equicryo.physics.normal_equations import NormalEquations
from equicryo.physics.spectra import half_grid_frequencies
from equicryo.structure.residue_model import MISFIT_SHELL, MISFIT_SHELLS


def measure_misfit(
    differences: Iterable[tuple[Float[Tensor, "z y x"], Bool[Tensor, "z y x"]]],
    pixel_size: float,
) -> Float64[np.ndarray, " shell"]:
    """Measure the spectral density of what a model lacks, within molecules.

    Args:
        differences: of each molecule, all there is less the model, e⁻/Å³ × pixel size,
            and which voxels are inside. The cubes may differ in edge.
        pixel_size: of all, Å.

    Returns:
        (e⁻/Å³)² Å³, in shells of `MISFIT_SHELL`.
    """
    power = torch.zeros(MISFIT_SHELLS, dtype=torch.float64)
    volume = 0.0
    for difference, inside in differences:
        edge = 2 * len(difference)
        spectrum = torch.fft.rfftn(difference.double(), s=(edge,) * 3)
        frequency = half_grid_frequencies(edge, pixel_size)
        shell = (frequency / MISFIT_SHELL).long().flatten()
        counts = torch.bincount(shell, minlength=MISFIT_SHELLS)
        sums = torch.bincount(shell, spectrum.abs().square().flatten())
        mean = sums[:MISFIT_SHELLS] / counts[:MISFIT_SHELLS]
        power += pixel_size**4 * mean
        volume += float(inside.sum()) * pixel_size**3
    return (power / volume).numpy()


def discount_misfit(
    normal: NormalEquations, misfit: Float[Tensor, " shell"]
) -> NormalEquations:
    """Take what a density model lacks for noise.

    Args:
        normal: of images of a molecule.
        misfit: spectral density of what the model lacks, as from `measure_misfit`;
            beyond its last shell it keeps that one's value.

    Returns:
        Of the same `data_energy` and `noise_power`, which are those of the images: χ²
        follows from the given normal equations alone.
    """
    edge = 2 * normal.support_size
    transfer = torch.fft.rfftn(torch.fft.ifftshift(normal.kernel)).real
    frequency = half_grid_frequencies(edge, normal.pixel_size)
    centres = MISFIT_SHELL * (np.arange(len(misfit)) + 0.5)
    power = torch.from_numpy(np.interp(frequency, centres, misfit.numpy()))
    trust = 1.0 / (1.0 + transfer.clamp(min=0.0) * power / normal.pixel_size)
    kernel = torch.fft.irfftn(transfer * trust, s=(edge,) * 3)
    b = torch.fft.irfftn(torch.fft.rfftn(normal.b, s=(edge,) * 3) * trust)
    inside = (slice(normal.support_size),) * 3
    return replace(normal, b=b[inside].contiguous(), kernel=torch.fft.fftshift(kernel))
