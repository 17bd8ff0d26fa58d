"""Microscope settings and the contrast transfer function (CTF).

The sign is stated here once: CTF = +sin(χ + phase shift + asin w), RELION's form, so
that it is +w at zero frequency and positive density gives white particles on dark.
cryoDRGN, ASPIRE and cryoJAX use the opposite sign.

Source: Rohou & Grigorieff 2015, doi:10.1016/j.jsb.2015.08.008; sign flipped.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

PLANCK = 6.62607015e-34  # J s
LIGHT_SPEED = 299792458.0  # m/s
ELECTRON_MASS = 9.1093837015e-31  # kg
ELEMENTARY_CHARGE = 1.602176634e-19  # C


@dataclass(frozen=True, kw_only=True)
class Optics:
    """What all images of one optics group share.

    Attributes:
        voltage: acceleration voltage, V.
        spherical_aberration: C_s, Å.
        amplitude_contrast: fraction w in [0, 1).
        pixel_size: Å.
        box_size: edge of the square images, pixels, even.
    """

    voltage: float
    spherical_aberration: float
    amplitude_contrast: float
    pixel_size: float
    box_size: int

    @property
    def wavelength(self) -> float:
        """Relativistic electron wavelength, Å."""
        return electron_wavelength(self.voltage)


@dataclass(frozen=True, kw_only=True, eq=False)
class Defocus:
    """Defocus of each particle; positive is underfocus.

    Attributes:
        mean: (U + V)/2, Å.
        astigmatism: (U − V)/2, Å.
        angle: from +x to the direction of U, rad.
        phase_shift: of a phase plate, rad.
        b_factor: of the envelope exp(−B k²/4), Å².
    """

    mean: Float[Tensor, " particle"]
    astigmatism: Float[Tensor, " particle"]
    angle: Float[Tensor, " particle"]
    phase_shift: Float[Tensor, " particle"]
    b_factor: Float[Tensor, " particle"]


def unastigmatic(mean: Float[Tensor, " particle"]) -> Defocus:
    """Return the defocus of particles without astigmatism, phase plate or envelope.

    Args:
        mean: defocus, Å.
    """
    zero = torch.zeros_like(mean)
    return Defocus(
        mean=mean, astigmatism=zero, angle=zero, phase_shift=zero, b_factor=zero
    )


def electron_wavelength(voltage: float) -> float:
    """Return the relativistic wavelength of electrons, Å.

    Args:
        voltage: acceleration voltage, V.

    Source: de Broglie 1925, doi:10.1051/anphys/192510030022, with CODATA 2018
        constants.
    """
    energy = ELEMENTARY_CHARGE * voltage
    momentum = math.sqrt(
        2.0 * ELECTRON_MASS * energy + (energy / LIGHT_SPEED) ** 2
    )  # kg m/s
    return 1e10 * PLANCK / momentum


def contrast_transfer(
    frequency: Float[Tensor, "*grid 2"], optics: Optics, defocus: Defocus
) -> Float[Tensor, " particle *grid"]:
    """Evaluate the CTF of every particle on a grid of spatial frequencies.

    Args:
        frequency: vectors (k_x, k_y), Å⁻¹.
        optics: settings of the optics group.
        defocus: of each particle, in the dtype and on the device of `frequency`.

    Returns:
        CTF in [−1, 1], +amplitude_contrast at zero frequency, envelope included.
    """
    grid = (slice(None), *(None,) * (frequency.ndim - 1))
    k2 = frequency.square().sum(-1)
    envelope = torch.exp(-0.25 * defocus.b_factor[grid] * k2)
    return envelope * torch.sin(_phase(frequency, optics, defocus))


def _phase(
    frequency: Float[Tensor, "*grid 2"], optics: Optics, defocus: Defocus
) -> Float[Tensor, " particle *grid"]:
    """Return the argument of the sine, rad."""
    grid = (slice(None), *(None,) * (frequency.ndim - 1))
    k_x, k_y = frequency.unbind(-1)
    k2 = k_x**2 + k_y**2
    # k² cos 2(φ − angle) without the azimuth φ, whose gradient is singular at k = 0.
    along = (k_x**2 - k_y**2) * torch.cos(2.0 * defocus.angle[grid])
    across = 2.0 * k_x * k_y * torch.sin(2.0 * defocus.angle[grid])
    wavelength = optics.wavelength
    defocus_phase = (math.pi * wavelength) * (
        defocus.mean[grid] * k2 + defocus.astigmatism[grid] * (along + across)
    )
    aberration = 0.5 * math.pi * wavelength**3 * optics.spherical_aberration * k2**2
    offset = defocus.phase_shift[grid] + math.asin(optics.amplitude_contrast)
    return defocus_phase - aberration + offset


@dataclass(frozen=True, kw_only=True)
class Coherence:
    """How far the electron beam is from a single plane wave.

    Attributes:
        source_angle: semi-angle of illumination at which its Gaussian profile falls to
            1/e, rad.
        defocus_spread: standard deviation of the defocus over the electrons, Å.
    """

    source_angle: float
    defocus_spread: float


def coherence_envelope(
    frequency: Float[Tensor, "*grid 2"],
    optics: Optics,
    defocus: Defocus,
    coherence: Coherence,
) -> Float[Tensor, " particle *grid"]:
    """Return the factor by which partial coherence damps the CTF.

    The spatial part takes the mean defocus: astigmatism changes it to second order.

    Args:
        frequency: vectors (k_x, k_y), Å⁻¹.
        optics: settings of the optics group.
        defocus: of each particle.
        coherence: of the beam.

    Returns:
        Envelope in (0, 1], to be multiplied with `contrast_transfer`.

    Source: Frank 1973 (spatial) and Wade & Frank 1977 (temporal), in the form of Reimer
        & Kohl 2008, doi:10.1007/978-0-387-40093-8, with Gaussian sources.
    """
    grid = (slice(None), *(None,) * (frequency.ndim - 1))
    wavelength = optics.wavelength
    k = frequency.norm(dim=-1)
    bending = optics.spherical_aberration * wavelength**3 * k**3
    displacement = wavelength * defocus.mean[grid] * k - bending
    spatial = (math.pi * coherence.source_angle / wavelength * displacement).square()
    temporal = (math.pi * wavelength * coherence.defocus_spread * k.square()).square()
    return torch.exp(-spatial - 0.5 * temporal)
