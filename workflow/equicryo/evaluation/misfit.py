"""Misfit of a structure to the images."""

from jaxtyping import Float
from torch import Tensor

from equicryo.physics.gain import Gain
from equicryo.physics.normal_equations import NormalEquations
from equicryo.physics.normal_operator import prepare_operator
from equicryo.physics.residue_density import ChainDensity


def chi_square(
    volume: Float[Tensor, "z y x"], normal: NormalEquations, gain: Gain
) -> float:
    """Measure the misfit of a volume per observation, at the estimated gain.

    Args:
        volume: e⁻/Å³ × pixel size, on the grid of the normal equations.
        normal: what the images say.
        gain: what is known of the images' intensity.

    Returns:
        2 (−log p) / n_observations, 1 for a residual of noise alone.
    """
    operator = prepare_operator(normal)
    scaled = gain.estimate(operator, volume) * volume
    log_likelihood = operator.log_likelihood(scaled).item()
    return (normal.data_energy - 2.0 * log_likelihood) / normal.n_observations


def structure_chi_square(
    coordinates: Float[Tensor, "residue 3"],
    normal: NormalEquations,
    density: ChainDensity,
    gain: Gain,
) -> float:
    """Measure the misfit per observation of a structure.

    Args:
        coordinates: Cα in the frame of the poses, Å.
        normal: what the images say.
        density: from Cα to what the images show.
        gain: what is known of the images' intensity.
    """
    size, pixel_size = normal.support_size, normal.pixel_size
    return chi_square(density.volume(coordinates, size, pixel_size, 0.0), normal, gain)
