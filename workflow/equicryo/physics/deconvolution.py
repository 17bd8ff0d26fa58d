"""Deconvolved maps: what images say of the points whose blurred copies they show.

The volume is V = B u, with B the blur of a residue and u points of the residues'
weights at unknown places. Points at random places have a white spectrum, so the map
most probable under that Gaussian is (B K B + 1/variance)⁻¹ B b, sharpest where the
images know most.

Source: Wiener filtering of a point process; Daley & Vere-Jones 2003, An Introduction to
the Theory of Point Processes, section 8.2, for its spectrum.
"""

import math
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from equicryo.physics.density import gaussian_filter
from equicryo.physics.normal_equations import NormalEquations, coarsen
from equicryo.physics.normal_operator import NormalOperator, prepare_operator
from equicryo.physics.spectra import half_grid_frequencies
from equicryo.physics.wiener import wiener_map
from equicryo.structure.residues import residue_electrons

RESIDUE_VOLUME = 134.0
"""Å³ a residue takes in a protein: 0.73 cm³/g × 111 Da."""

STRENGTHS = (0.3, 3.0)
"""Factors on the variance of the points: one map is smoother, one sharper than the
most probable."""

TOLERANCE = 1e-2
"""Relative residual of a deconvolved map, far below its noise."""

SHELLS = (16.0, 8.0, 5.0, 3.5)
"""Resolutions at which the signal-to-noise ratio describes the images, Å."""

SHELL_WIDTH = 0.15
"""Half the width of such a shell, relative to its frequency."""

LEAST_RATIO = 1e-3
"""Signal-to-noise ratios below are as good as this one."""


def point_variance(sequence: str, pixel_size: float) -> float:
    """Return the variance of a voxel of u within the molecule, (e⁻/Å³ × pixel size)².

    Args:
        sequence: one-letter codes, for the residues' electrons.
        pixel_size: edge of a voxel, Å.
    """
    square = np.square(residue_electrons(sequence)).mean()
    return float(square) / (RESIDUE_VOLUME * pixel_size)


def blur_operator(
    normal: NormalEquations, support_size: int, width: float
) -> NormalOperator:
    """Return the likelihood of u, on a coarser grid, in float32.

    Args:
        normal: of the images.
        support_size: edge of the grid, voxels.
        width: standard deviation of the blur B, Å.
    """
    coarse = coarsen(normal, support_size)
    pixel_size = coarse.pixel_size
    b = gaussian_filter(coarse.b, width / pixel_size)
    operator = prepare_operator(replace(coarse, b=b), dtype=torch.float32)
    frequency = half_grid_frequencies(2 * support_size, pixel_size)
    blur = torch.exp(-4.0 * (math.pi * width * frequency) ** 2)
    return replace(operator, transfer=operator.transfer.clamp(min=0.0) * blur)


def deconvolve(
    operator: NormalOperator, variance: float, strengths: tuple[float, ...]
) -> Float[Tensor, "strength z y x"]:
    """Solve for u, in units of its standard deviation, at multiples of its variance.

    Args:
        operator: of `blur_operator`.
        variance: of a voxel of u, see `point_variance`.
        strengths: the multiples.
    """
    maps = [wiener_map(operator, variance * s, TOLERANCE) for s in strengths]
    return torch.stack(maps) / variance**0.5


def describe_resolution(
    transfer: Float[Tensor, "z_lag y_lag x_half"], variance: float, pixel_size: float
) -> Float[Tensor, " shell"]:
    """Return the log signal-to-noise ratio of u in each of the `SHELLS`.

    Args:
        transfer: half spectrum of B K B, on a grid of any edge.
        variance: of a voxel of u.
        pixel_size: Å.
    """
    frequency = half_grid_frequencies(transfer.shape[0], pixel_size)
    means = []
    for resolution in SHELLS:
        within = (frequency * resolution - 1.0).abs() < SHELL_WIDTH
        means.append(transfer[within].mean())
    return (variance * torch.stack(means)).clamp(min=LEAST_RATIO).log()
