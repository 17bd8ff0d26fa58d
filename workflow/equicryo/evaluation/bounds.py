"""What the RMSD of two clouds can be, given their sizes."""

import torch
from jaxtyping import Float
from torch import Tensor

from equicryo.structure.superposition import radius_of_gyration, rmsd

ROUNDING = 1e-6
"""Slack, in Å and relative: the root in an RMSD turns rounding of 1e-16 into 1e-8."""


def checked_rmsd(
    mobile: Float[Tensor, "*#batch residue 3"],
    target: Float[Tensor, "*#batch residue 3"],
) -> Float[Tensor, "..."]:
    """Measure the index RMSD after proper superposition, and refuse the impossible.

    Two centred clouds of radii of gyration A and B obey |A − B| ≤ RMSD ≤ √(A² + B²)
    after the best rotation. A number outside is a defect of the code or a mix of
    units, never a result.

    Args:
        mobile: coordinates, Å.
        target: coordinates, Å.

    Returns:
        Å, one a pair of the broadcast batch axes.

    Raises:
        ArithmeticError: an RMSD lies outside the bounds, or is not a number.
    """
    distance = rmsd(mobile, target)
    check_rmsd_bounds(distance, radius_of_gyration(mobile), radius_of_gyration(target))
    return distance


def rmsd_bounds(
    first_size: Float[Tensor, "..."], second_size: Float[Tensor, "..."]
) -> tuple[Float[Tensor, "..."], Float[Tensor, "..."]]:
    """Return the least and the largest index RMSD after superposition, Å.

    Args:
        first_size: radii of gyration A, Å.
        second_size: radii of gyration B, Å.
    """
    lower = (first_size - second_size).abs()
    return lower, torch.hypot(first_size, second_size)


def check_rmsd_bounds(
    distance: Float[Tensor, "..."],
    first_size: Float[Tensor, "..."],
    second_size: Float[Tensor, "..."],
) -> None:
    """Check |A − B| ≤ RMSD ≤ √(A² + B²) for every pair.

    Args:
        distance: index RMSD after proper superposition, Å.
        first_size: radii of gyration A, Å.
        second_size: radii of gyration B, Å.

    Raises:
        ArithmeticError: an RMSD lies outside the bounds, or is not a number.
    """
    lower, upper = rmsd_bounds(first_size, second_size)
    slack = ROUNDING * (1.0 + upper)
    inside = (distance >= lower - slack) & (distance <= upper + slack)
    if not inside.all():
        worst = int((~inside).flatten().nonzero()[0, 0])
        lower, upper, distance = (
            values.expand_as(inside).flatten()[worst].item()
            for values in (lower, upper, distance)
        )
        raise ArithmeticError(
            f"aligned RMSD {distance:.6g} Å of pair {worst} lies outside "
            f"[{lower:.6g}, {upper:.6g}] Å, which two clouds of those radii of "
            "gyration cannot do: check the units and the superposition"
        )
