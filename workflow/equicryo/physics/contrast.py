"""Whether density is white in the images, as it has to be, or black.

The density of a molecule is positive, so a ball of its size at the map's centre must
have a positive weight. Its most probable weight and that weight's standard error follow
from the normal equations.

Source: elementary; the score test of one parameter, Rao 1948,
doi:10.1017/S0305004100023987.
"""

import logging
import math

import torch
from jaxtyping import Float64
from torch import Tensor

from equicryo.errors import InputError
from equicryo.physics.density import centre_distances
from equicryo.physics.normal_equations import NormalEquations
from equicryo.physics.normal_operator import prepare_operator

logger = logging.getLogger(__name__)

EDGE = 2.0
"""Width of the ball's edge, Å: protein ends within about that."""

CERTAIN = 3.0
"""Standard errors from which on the sign is taken as known."""


def soft_ball(
    radius_of_gyration: float, box_size: int, pixel_size: float
) -> Float64[Tensor, "z y x"]:
    """Return a ball of density 1 with a soft edge, at voxel box_size // 2.

    Args:
        radius_of_gyration: Å; the ball's radius is √(5/3) of it.
        box_size: edge of the grid, voxels.
        pixel_size: Å.
    """
    distance = centre_distances(box_size, pixel_size)
    outside = distance - math.sqrt(5.0 / 3.0) * radius_of_gyration
    return 0.5 * torch.erfc(outside / (math.sqrt(2.0) * EDGE))


def contrast_score(normal: NormalEquations, radius_of_gyration: float) -> float:
    """Return the weight of a ball of the molecule's size over its standard error.

    z = ⟨b, G⟩ / √⟨G, K * G⟩ for a ball G: the most probable weight of G alone is
    ⟨b, G⟩ / ⟨G, K * G⟩, its variance from the noise 1 / ⟨G, K * G⟩.

    Args:
        normal: of the images.
        radius_of_gyration: of the molecule, about, Å.

    Returns:
        Clearly positive where density is white, clearly negative where it is black.
    """
    operator = prepare_operator(normal)
    ball = soft_ball(radius_of_gyration, normal.support_size, normal.pixel_size)
    weight = (operator.b * ball).sum()
    return (weight / (ball * operator.convolve(ball)).sum().sqrt()).item()


def check_contrast(score: float, *, invert: bool) -> None:
    """Compare the images' contrast with what the config says of it.

    Args:
        score: of the images after the inversion that the config asks for, in units of
            its standard error.
        invert: whether it asked for one.

    Raises:
        InputError: density is black in the images.
    """
    if score <= -CERTAIN:
        remedy = str(not invert).lower()
        raise InputError(
            f"particles.invert is {str(invert).lower()}, but then density is black in "
            f"the images (a ball of the molecule's size has a weight of {score:.1f} "
            f"standard errors; it must be positive): set particles.invert to {remedy}"
        )
    if score < CERTAIN:
        logger.warning(
            "the images do not tell whether density is white or black (a ball of the "
            "molecule's size has a weight of %.1f standard errors): particles.invert: "
            "%s is taken as right; check it, and that the particles are centred",
            *(score, str(invert).lower()),
        )
    else:
        logger.info("density is white: %.1f standard errors", score)
