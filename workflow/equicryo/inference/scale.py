"""The coordinate scale λ between a prior and Å, inferred from the images alone."""

import logging
import math
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from equicryo.inference.dps import DpsConfig, sample_dps
from equicryo.inference.likelihood import ResidueLikelihood
from equicryo.inference.orientation import Placement, place_chain, propose_chains
from equicryo.inference.sampling import Guidance
from equicryo.models.prior import Prior

logger = logging.getLogger(__name__)

ROUNDS_COLUMNS = ("round", "scale", "scale_sd", "slope")

PROBE = 2e-3
"""Relative change of the scale for finite differences."""


@dataclass(frozen=True, kw_only=True)
class ScaleConfig:
    """How the scale is searched.

    Attributes:
        smallest, largest: range of λ of the first search.
        candidates: values tried in it, evenly spaced in log λ.
        rotations: orientations tried for each of them.
        rounds: rounds of expectation maximisation.
        samples: posterior samples in each round.
    """

    smallest: float
    largest: float
    candidates: int
    rotations: int
    rounds: int
    samples: int

    def __post_init__(self) -> None:
        """Refuse a range that is not one."""
        if not self.smallest < self.largest:
            raise ValueError(
                f"smallest scale {self.smallest} is not below the largest "
                f"{self.largest}: swap or change them"
            )


@dataclass(frozen=True, kw_only=True)
class ScaleEstimate:
    """One round's estimate of the scale.

    Attributes:
        round: number of rounds so far.
        scale: λ.
        scale_sd: standard deviation of λ given the images.
        slope: d log p(images | λ) / d log λ at the round's start, nats.
    """

    round: int
    scale: float
    scale_sd: float
    slope: float


def infer_scale(
    prior: Prior,
    likelihood: ResidueLikelihood,
    draws: Float[Tensor, "draw residue 3"],
    config: ScaleConfig,
    sampler: DpsConfig,
    *,
    generator: torch.Generator,
) -> list[ScaleEstimate]:
    """Maximise the marginal likelihood of the scale, p(images | λ).

    A first search places one draw at many scales and orientations at low resolution.
    Each round of expectation maximisation then samples chains x given λ, and moves λ to
    the maximum of the mean log p(images | λ x). By Fisher's identity its mean slope is
    that of the log marginal likelihood, and Louis's gives the curvature, hence the
    error of λ.

    Args:
        prior: in claimed Å.
        likelihood: of the images, in Å.
        draws: unconditional draws of the prior, claimed Å.
        config: how finely.
        sampler: of the posterior, at α = 1.
        generator: source of the randomness.

    Returns:
        The estimate of each round; the last one counts.

    Source: Dempster, Laird & Rubin 1977, doi:10.1111/j.2517-6161.1977.tb01600.x;
        Louis 1982, doi:10.1111/j.2517-6161.1982.tb01203.x.
    """
    scale = search_scale(draws[0], likelihood, config, sampler, generator=generator)
    estimates: list[ScaleEstimate] = []
    for number in range(1, config.rounds + 1):
        proposals = propose_chains(
            scale * draws,
            likelihood,
            sampler.orientation,
            config.samples,
            generator=generator,
        )
        guidance = Guidance(alpha=1.0, scale=scale)
        samples, _ = sample_dps(
            prior, likelihood, proposals, guidance, sampler, generator=generator
        )
        estimates.append(_maximise(samples, likelihood, scale, number))
        scale = estimates[-1].scale
        logger.info("%s", estimates[-1])
    return estimates


def search_scale(
    chain: Float[Tensor, "residue 3"],
    likelihood: ResidueLikelihood,
    config: ScaleConfig,
    sampler: DpsConfig,
    *,
    generator: torch.Generator,
) -> float:
    """Find the scale at which a chain, well placed, explains the images best.

    Args:
        chain: one draw of the prior, claimed Å.
        likelihood: of the images, in Å.
        config: range and spacing of the scales.
        sampler: its orientation search is used, with fewer orientations.
        generator: draws the orientations.
    """
    search = replace(
        sampler.orientation,
        rotations=config.rotations,
        blurs=sampler.orientation.blurs[:2],
    )
    ends = math.log(config.smallest), math.log(config.largest)
    placements: dict[float, Placement] = {}
    for scale in torch.linspace(*ends, config.candidates).exp().tolist():
        placements[scale] = place_chain(
            scale * chain, likelihood, search, generator=generator
        )
        value = float(placements[scale].log_likelihood[0])
        logger.info("scale %.3f: log-likelihood %.1f", scale, value)
    return max(placements, key=lambda scale: placements[scale].log_likelihood[0])


@torch.no_grad()
def _maximise(
    samples: Float[Tensor, "sample residue 3"],
    likelihood: ResidueLikelihood,
    scale: float,
    number: int,
) -> ScaleEstimate:
    """Take one Newton step of the expected log-likelihood in log λ.

    Chains are scaled about their centroids, so that λ and position stay apart.
    """
    centre = samples.mean(1, keepdim=True)

    def value(change: float) -> Tensor:
        scaled = centre + math.exp(change) * (samples - centre)
        return likelihood.log_likelihood(scaled, 0.0).double()

    below, here, above = value(-PROBE), value(0.0), value(PROBE)
    slope = (above - below) / (2.0 * PROBE)
    curvature = -(above - 2.0 * here + below).mean() / PROBE**2
    change = float(slope.mean() / curvature)
    information = float(curvature - slope.var())
    relative = information**-0.5 if information > 0.0 else math.inf
    return ScaleEstimate(
        round=number,
        scale=scale * math.exp(change),
        scale_sd=scale * relative,
        slope=float(slope.mean()),
    )
