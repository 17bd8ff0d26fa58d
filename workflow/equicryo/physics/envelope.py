"""Where in a volume the molecule is."""

import math

import torch
from jaxtyping import Float
from scipy import ndimage
from torch import Tensor

from equicryo.physics.density import gaussian_filter

WIDTH = 2.0
"""Å: blur of a density whose contour is the molecule's envelope."""

LEVEL = 0.15
"""Contour of the envelope, in parts of the blurred density's maximum."""

SOFTNESS = 4.0
"""Å over which the mask falls outside the envelope."""


def molecule_mask(
    density: Float[Tensor, "z y x"], pixel_size: float
) -> Float[Tensor, "z y x"]:
    """Return a mask of a density's molecule, 1 inside, with a soft edge outside.

    Args:
        density: without noise.
        pixel_size: Å.

    Source: elementary; a contour of the low-passed density with a cosine edge, as
        RELION makes its masks.
    """
    smooth = gaussian_filter(density, WIDTH / pixel_size)
    outside = (smooth < LEVEL * smooth.max()).cpu().numpy()
    distance = torch.from_numpy(ndimage.distance_transform_edt(outside)) * pixel_size
    edge = (distance / SOFTNESS).clamp(max=1.0)
    return (0.5 + 0.5 * torch.cos(math.pi * edge)).to(density)
