"""What the images alone say for a chain, residue by residue, and when to abstain.

A density V that owes nothing to the noise has ⟨b, V⟩ normal, of variance A = ⟨V, K * V⟩
and, in images of noise alone, of mean 0; in images of V itself, of mean A. So
z = ⟨b, V⟩ / √A tells signal from noise whatever the images' gain, and at the best gain
2 (L(x̂) − L(0)) = z².
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from scipy import stats
from torch import Tensor

from equicryo.physics.density import gaussian_volume
from equicryo.physics.normal_operator import NormalOperator
from equicryo.physics.residue_density import SingleBlobs

FALSE_ALARMS = 1e-3
"""How often pure noise may pass for a chain, and any residue of a chain for seen."""

PLACEMENTS = 1e5
"""Places and orientations that a search tells apart, each a chance for noise."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Evidence:
    """What images say for a chain.

    Attributes:
        chain: z² of the whole chain, twice the nats that it explains.
        residues: z of each residue, given all others; 0 ± 1 where nothing is there.
        amplitudes: of each residue over the expected one, given all others.
        amplitude_sd: standard deviation of each.
    """

    chain: float
    residues: Float[Tensor, " residue"]
    amplitudes: Float[Tensor, " residue"]
    amplitude_sd: Float[Tensor, " residue"]

    @property
    def abstains(self) -> bool:
        """Whether noise alone could explain the images as well."""
        return self.chain < noise_limit(len(self.residues))

    def seen(self) -> Bool[Tensor, " residue"]:
        """Tell which residues the images show: the others are the prior's word.

        A residue that looked for its place in the noise has z² of four degrees of
        freedom at most: its amplitude and three coordinates.
        """
        rare = FALSE_ALARMS / len(self.residues)
        return self.residues > math.sqrt(stats.chi2.isf(rare, 4))


def noise_limit(residues: int) -> float:
    """Return the z² that a chain fitted to noise alone almost never exceeds.

    χ² of a gain and three coordinates a residue, and twice the logarithm of the number
    of placements that were tried.

    Args:
        residues: of the chain.
    """
    fitted = float(stats.chi2.isf(FALSE_ALARMS, 3 * residues + 1))
    return fitted + 2.0 * math.log(PLACEMENTS)


@torch.no_grad()
def weigh_evidence(
    coordinates: Float[Tensor, "residue 3"],
    operator: NormalOperator,
    density: SingleBlobs,
    gain: float,
) -> Evidence:
    """Measure what images say for a chain.

    Args:
        coordinates: Cα in the frame of the poses, Å.
        operator: of the images.
        density: one blob a residue.
        gain: of the images, intensity units per e⁻/Å²; it scales what is expected.

    Source: the score test for adding one Gaussian blob to a linear model; Rao 1948,
        doi:10.1017/S0305004100023987.
    """
    place, weights = coordinates.to(operator.b), density.weights.to(operator.b)
    blobs = (gain * weights)[:, None, None, None] * gaussian_volume(
        place[:, None],
        weights.new_ones(1),
        density.width,
        operator.support_size,
        operator.pixel_size,
    )
    whole = blobs.sum(0)
    residual = operator.b - operator.convolve(whole)
    energy = (blobs * operator.convolve(blobs)).sum((-3, -2, -1))
    # What is left for residue i once all others are taken off.
    left = (blobs * residual).sum((-3, -2, -1)) + energy
    linear, quadratic = operator.terms(whole)
    return Evidence(
        chain=float(linear.clamp(min=0.0) ** 2 / quadratic),
        residues=left / energy.sqrt(),
        amplitudes=left / energy,
        amplitude_sd=energy.rsqrt(),
    )
