"""Which box a CTF needs, and from which frequency on it is aliased in a given one.

The phase of the CTF must not advance by more than π between neighbouring Fourier pixels
across the molecule: box · pixel ≥ diameter + 2 · |λ Δf s − C_s λ³ s³| for all
frequencies s in use.

Source: the sampling theorem, applied to the local frequency of the CTF's phase.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from equicryo.physics.optics import Optics

FREQUENCIES = 1025
"""Grid on which the onset of aliasing is sought; 0.1 % of Nyquist."""


def largest_delocalisation(
    optics: Optics, defocus: float, max_frequency: float
) -> float:
    """Return how far the CTF carries signal from its origin, Å.

    This is the maximum of |λ Δf s − C_s λ³ s³| over 0 ≤ s ≤ `max_frequency`, the
    gradient of the CTF's phase over 2π; it may lie inside the interval.

    Args:
        optics: settings of the optics group.
        defocus: Δf, Å; with astigmatism, the larger magnitude of U and V.
        max_frequency: the highest frequency used, Å⁻¹.
    """
    wavelength, aberration = optics.wavelength, optics.spherical_aberration
    candidates = [max_frequency]
    curvature = 3.0 * aberration * wavelength**2
    if 0.0 < defocus < curvature * max_frequency**2:
        candidates.append(math.sqrt(defocus / curvature))
    return max(
        abs(wavelength * defocus * s - aberration * wavelength**3 * s**3)
        for s in candidates
    )


def smallest_box(
    optics: Optics, defocus: float, diameter: float, max_frequency: float
) -> int:
    """Return the smallest even box in which the CTF is not aliased, pixels.

    The phase must not advance by more than π between neighbouring Fourier pixels
    across the molecule: box · pixel ≥ diameter + 2 · delocalisation.

    Args:
        optics: settings of the optics group; its own box is not used.
        defocus: Δf, Å; with astigmatism, the larger magnitude of U and V.
        diameter: of the molecule, Å.
        max_frequency: the highest frequency used, Å⁻¹.
    """
    extent = diameter + 2.0 * largest_delocalisation(optics, defocus, max_frequency)
    return 2 * math.ceil(extent / (2.0 * optics.pixel_size))


def aliasing_frequencies(
    optics: Optics, defocus: Float[Tensor, " particle"], diameter: float
) -> Float[Tensor, " particle"]:
    """Return the frequency above which the CTF of each particle is aliased, Å⁻¹.

    Args:
        optics: settings of the optics group.
        defocus: Δf, Å; with astigmatism, the larger magnitude of U and V.
        diameter: of the molecule, Å.

    Returns:
        At most Nyquist, which means not aliased at all.
    """
    nyquist, wavelength = 0.5 / optics.pixel_size, optics.wavelength
    s = torch.linspace(0.0, nyquist, FREQUENCIES, dtype=defocus.dtype)
    bending = optics.spherical_aberration * wavelength**3 * s**3
    room = 0.5 * (optics.box_size * optics.pixel_size - diameter)
    aliased = (wavelength * defocus[:, None] * s - bending).abs() > room
    onset = s[aliased.int().argmax(-1)]
    return torch.where(aliased.any(-1), onset, nyquist)
