"""Misfit of a structure to the images."""

from jaxtyping import Float
from torch import Tensor

from equicryo.physics.density import gaussian_volume
from equicryo.physics.normal_equations import NormalEquations
from equicryo.physics.normal_operator import prepare_operator


def chi_square(volume: Float[Tensor, "z y x"], normal: NormalEquations) -> float:
    """Measure the misfit of a volume per observation.

    Args:
        volume: e⁻/Å³ × pixel size, on the grid of the normal equations.
        normal: what the images say.

    Returns:
        2 (−log p) / n_observations, 1 for a residual of noise alone.
    """
    log_likelihood = prepare_operator(normal).log_likelihood(volume).item()
    return (normal.data_energy - 2.0 * log_likelihood) / normal.n_observations


def structure_chi_square(
    coordinates: Float[Tensor, "residue 3"],
    normal: NormalEquations,
    *,
    weights: Float[Tensor, " residue"],
    width: float,
) -> float:
    """Measure the misfit per observation of a structure with Gaussian residues.

    Args:
        coordinates: Cα in the frame of the poses, Å.
        normal: what the images say.
        weights: electrons of each residue.
        width: standard deviation of a residue, Å.
    """
    size, pixel_size = normal.support_size, normal.pixel_size
    volume = gaussian_volume(coordinates, weights, width, size, pixel_size)
    return chi_square(volume, normal)
