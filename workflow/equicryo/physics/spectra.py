"""Power of volumes by Fourier shell, and back on the grid of their transforms.

Source: elementary; shells as in Saxton & Baumeister 1982,
doi:10.1111/j.1365-2818.1982.tb00405.x.
"""

from functools import cache

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


@cache
def shell_index(edge: int) -> Int[Tensor, "z y x_half"]:
    """Return the shell of each frequency of ``torch.fft.rfftn``, corners included.

    Args:
        edge: of the volume, voxels, even.
    """
    full = torch.fft.fftfreq(edge, 1.0 / edge)
    half = torch.fft.rfftfreq(edge, 1.0 / edge)
    radius2 = full[:, None, None] ** 2 + full[:, None] ** 2 + half**2
    return radius2.sqrt().round().long()


@cache
def below_nyquist(edge: int) -> Bool[Tensor, "z y x_half"]:
    """Return which frequencies of ``torch.fft.rfftn`` are below Nyquist's sphere.

    Args:
        edge: of the volume, voxels, even.
    """
    full = torch.fft.fftfreq(edge)
    half = torch.fft.rfftfreq(edge)
    return full[:, None, None] ** 2 + full[:, None] ** 2 + half**2 < 0.25


@cache
def shell_counts(edge: int) -> Float[Tensor, " shell"]:
    """Return how many frequencies of the whole grid each shell has, float64.

    Args:
        edge: of the volume, voxels, even.
    """
    weight = torch.full((edge // 2 + 1,), 2.0, dtype=torch.float64)
    weight[0] = weight[-1] = 1.0
    index = shell_index(edge)
    return torch.bincount(index.flatten(), weight.expand_as(index).flatten())


def shell_power(volume: Float[Tensor, "*batch z y x"]) -> Float[Tensor, "*batch shell"]:
    """Return the mean |F|² / voxels of each shell; that of white noise is its variance.

    Args:
        volume: cubic, even edge.
    """
    power = torch.fft.rfftn(volume.double(), dim=(-3, -2, -1)).abs().square()
    return grid_to_shells(power / volume.shape[-1] ** 3).to(volume)


def grid_to_shells(
    values: Float[Tensor, "*batch z y x_half"],
) -> Float[Tensor, "*batch shell"]:
    """Average over the frequencies of each shell, conjugate partners included.

    Args:
        values: in any unit, on the grid of ``torch.fft.rfftn``, as far as their
            partners'.
    """
    edge = values.shape[-2]
    doubled = torch.cat(
        [values[..., :1], 2.0 * values[..., 1:-1], values[..., -1:]], dim=-1
    )
    index = shell_index(edge).flatten().to(values.device)
    counts = shell_counts(edge).to(values)
    sums = values.new_zeros(*values.shape[:-3], len(counts))
    return sums.index_add(-1, index, doubled.flatten(-3)) / counts


def shells_to_grid(
    values: Float[Tensor, "*batch shell"], edge: int
) -> Float[Tensor, "*batch z y x_half"]:
    """Give every frequency the value of its shell.

    Args:
        values: of all shells, corners included.
        edge: of the volume, voxels.
    """
    return values[..., shell_index(edge).to(values.device)]


def half_grid_frequencies(
    box_size: int, pixel_size: float
) -> Float[Tensor, "z y x_half"]:
    """Return |k| of the half spectrum of a cubic grid, Å⁻¹, float32.

    Args:
        box_size: edge of the grid, voxels.
        pixel_size: Å.
    """
    full = torch.fft.fftfreq(box_size, pixel_size)
    half = torch.fft.rfftfreq(box_size, pixel_size)
    return (full[:, None, None] ** 2 + full[:, None] ** 2 + half**2).sqrt()
