"""Why samples come out too small, or wrong: three faults, told apart.

A prior may shrink its estimates, its unit of length may be wrong, or the images may
weigh too little or too much. Each fault has a statistic of its own, and they are asked
in this order: what the images say of the unit means nothing if the prior shrinks, and
what they say of the fit means nothing in a wrong unit.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from equicryo.inference.likelihood import Likelihood
from equicryo.models.prior import DiffusionPrior

LARGEST_SLOPE = 1.02
"""Of clean chains against their estimates: 2 % of shrinkage at the worst noise."""

LARGEST_DEVIATION = 3.0
"""Standard deviations that scale and fit may be off."""


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """The three statistics of one reconstruction.

    Attributes:
        slope: largest of `denoised_slope` over the noise levels; 1 for a sound prior.
        scale: λ over the one that was used, inferred from the images at α = 1.
        scale_sd: standard deviation of that ratio.
        excess: `likelihood_excess` of samples drawn at the inferred λ.
    """

    slope: float
    scale: float
    scale_sd: float
    excess: float

    def verdict(self) -> str:
        """Name the fault: `shrinkage`, `unit`, `weak`, `strong` or `none`."""
        if self.slope > LARGEST_SLOPE:
            return "shrinkage"
        if abs(self.scale - 1.0) > LARGEST_DEVIATION * self.scale_sd:
            return "unit"
        if self.excess > LARGEST_DEVIATION:
            return "weak"
        return "strong" if self.excess < -LARGEST_DEVIATION else "none"


@torch.no_grad()
def denoised_slope(
    prior: DiffusionPrior,
    chains: Float[Tensor, "chain residue 3"],
    noise_level: float,
    *,
    generator: torch.Generator,
) -> float:
    """Regress clean chains on their denoised estimates, through the centroid.

    A conditional mean is orthogonal to its error, E⟨x̂, x₀ − x̂⟩ = 0, so that the slope
    is 1 at every noise level whatever the prior; of estimates that are too small it is
    above. It has no unit, and a wrong one leaves it.

    Args:
        prior: under test.
        chains: that the prior speaks of, e.g. its own draws, claimed Å.
        noise_level: σ, claimed Å.
        generator: of the noise.
    """
    clean = (chains - chains.mean(1, keepdim=True)).float()
    noise = torch.randn(clean.shape, generator=generator)
    level = torch.full((len(clean),), noise_level)
    denoised = prior.denoise(clean + noise_level * noise, level)
    denoised = denoised - denoised.mean(1, keepdim=True)
    return float((clean * denoised).sum() / denoised.square().sum())


@torch.no_grad()
def likelihood_excess(
    samples: Float[Tensor, "sample residue 3"],
    truth: Float[Tensor, "residue 3"],
    likelihood: Likelihood,
) -> float:
    """Compare how likely the images find the truth and the samples.

    The truth is one more sample of its posterior, so that their log-likelihoods follow
    one law. Under-used images leave the truth more likely; over-used ones, whose noise
    was fitted, make it less likely.

    Args:
        samples: two or more, in the frame of the poses, Å.
        truth: Å.
        likelihood: of the images.

    Returns:
        Log-likelihood of the truth above the samples' mean, in units of the standard
        deviation that the difference has for a posterior sample: the samples' own, but
        at most that of as many well determined parameters as there are coordinates.
    """
    of_samples = likelihood.log_likelihood(samples, 0.0).double()
    of_truth = likelihood.log_likelihood(truth[None].to(samples), 0.0).double()
    determined = (0.5 * truth.numel()) ** 0.5
    spread = of_samples.std().clamp(max=determined) * (1.0 + 1.0 / len(samples)) ** 0.5
    return float((of_truth[0] - of_samples.mean()) / spread)
