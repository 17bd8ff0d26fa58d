"""Spread of an ensemble about its mean, as crystallographers write it."""

import math

import numpy as np
from jaxtyping import Float64


def spread_to_b_factor(
    coordinates: Float64[np.ndarray, "sample residue 3"],
) -> Float64[np.ndarray, " residue"]:
    """Express the spread of each residue as an isotropic B-factor.

    Args:
        coordinates: samples in one frame, Å.

    Returns:
        B = 8π²⟨u²⟩/3 in Å², with u the displacement in space from the mean and
        ⟨u²⟩ its variance, estimated without bias (n - 1); zero for a single sample.
    """
    displacement = coordinates - coordinates.mean(axis=0)
    freedom = max(len(coordinates) - 1, 1)
    variance = np.square(displacement).sum(axis=(0, 2)) / freedom
    return 8.0 * math.pi**2 / 3.0 * variance
