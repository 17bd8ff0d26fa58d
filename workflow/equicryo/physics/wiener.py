"""Maps from normal equations: the volume most probable under a white prior."""

import torch
from jaxtyping import Float
from torch import Tensor

from equicryo.physics.normal_operator import NormalOperator


def wiener_map(
    operator: NormalOperator,
    signal_variance: float,
    tolerance: float = 1e-4,
    max_iterations: int = 1000,
) -> Float[Tensor, "z y x"]:
    """Solve (K + 1/signal_variance) V = b by conjugate gradients.

    V is the posterior mean under independent Gaussian voxels of that variance: a
    CTF-weighted back-projection, regularised where the images say nothing.

    Args:
        operator: prepared normal equations.
        signal_variance: of a voxel before any image, (e⁻/Å³ × pixel size)².
        tolerance: the residual's norm over that of b at which to stop.
        max_iterations: bound on the number of convolutions.

    Returns:
        Volume, e⁻/Å³ × pixel size.

    Raises:
        RuntimeError: no convergence within `max_iterations`.

    Source: Hestenes & Stiefel 1952, doi:10.6028/jres.049.044.
    """
    volume = torch.zeros_like(operator.b)
    residual = operator.b.clone()
    direction = residual
    energy = residual.square().sum()
    goal = tolerance**2 * energy
    for _ in range(max_iterations):
        if energy <= goal:
            return volume
        applied = operator.convolve(direction) + direction / signal_variance
        step = energy / (direction * applied).sum()
        volume = volume + step * direction
        residual = residual - step * applied
        previous, energy = energy, residual.square().sum()
        direction = residual + (energy / previous) * direction
    raise RuntimeError(
        f"no convergence in {max_iterations} steps: residual "
        f"{(energy / goal).sqrt().item() * tolerance:.1e} of b, asked {tolerance:.1e}"
    )
