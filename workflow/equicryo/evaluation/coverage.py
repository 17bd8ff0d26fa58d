"""Do error bars mean what they say? Ranks of truths among posterior samples.

If truth and samples come from the same posterior, the truth is one of them for every
statistic: its rank is uniform, and regions cover it as often as they claim.
"""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from scipy import special
from torch import Tensor

EXACT = "exact"
"""Name of the control: draws from the posterior in closed form."""

ROUNDING = 1e-9
"""0.9 × 200 is below 180 in floating point."""


def interval_coverage(
    mean: Float[Tensor, "*shape"],
    spread: Float[Tensor, "*shape"],
    truth: Float[Tensor, "*shape"],
    mask: Float[Tensor, "*shape"],
    freedom: int,
    level: float,
) -> float:
    """Return how much of the truth inside a mask lies in Student's intervals.

    Args:
        mean: of posterior samples, of voxels or of coordinates.
        spread: estimated standard deviation of the truth about it; of n independent
            samples theirs times √(1 + 1/n), as the truth is one more of them.
        truth: of the same.
        mask: weights, not negative.
        freedom: degrees of freedom of that estimate.
        level: probability of each interval.

    Source: Student's t for a new observation; e.g. Geisser 1993, Predictive Inference.
    """
    quantile = float(special.stdtrit(freedom, 0.5 + 0.5 * level))
    inside = (truth - mean).abs() <= quantile * spread
    return float((mask * inside).sum() / mask.sum())


def region_ranks(
    samples: Float[Tensor, "problem sample ..."],
    truths: Float[Tensor, "problem ..."],
    references: Float[Tensor, "problem ..."],
) -> Int[Tensor, " problem"]:
    """Count the samples that lie nearer to a reference point than the truth does.

    Tests of accuracy with random points (TARP): with references that know nothing of
    the truth but through the data, ranks are uniform for every choice of them only if
    the samples follow the posterior. A mean of other samples of the same problem makes
    the regions credible regions about the posterior mean.

    Args:
        samples: Å.
        truths: Å.
        references: one a problem, Å.

    Returns:
        0 to the number of samples.

    Source: Lemos et al. 2023, arXiv:2302.03026.
    """
    distance = (samples - references[:, None]).flatten(2).norm(dim=-1)
    limit = (truths - references).flatten(1).norm(dim=-1, keepdim=True)
    return (distance < limit).sum(1)


def expected_coverage(
    ranks: Int[Tensor, " problem"], n_samples: int, levels: Sequence[float]
) -> list[float]:
    """Return how often regions of a probability hold the truth.

    Args:
        ranks: of `region_ranks`.
        n_samples: samples of each problem.
        levels: probabilities. For an exact posterior the expectation is the level
            where level × (n_samples + 1) is a whole number, else the one rounded down.
    """
    inside = [
        ranks < math.floor(level * (n_samples + 1) + ROUNDING) for level in levels
    ]
    return [float(one.double().mean()) for one in inside]


def coverage_band(level: float, n_problems: int) -> tuple[float, float]:
    """Return what an exact posterior's coverage stays within, 19 times out of 20.

    Args:
        level: probability of the regions.
        n_problems: independent problems.
    """
    low, high = (
        math.ceil(special.bdtrik(rare, n_problems, level)) for rare in (0.025, 0.975)
    )
    return low / n_problems, high / n_problems


def parameter_ranks(
    samples: Float[Tensor, "problem sample parameter"],
    truths: Float[Tensor, "problem parameter"],
) -> Int[Tensor, "problem parameter"]:
    """Count the samples below the truth in each parameter.

    Simulation-based calibration: uniform if truths come from the prior and samples from
    the posterior of data made of them.

    Source: Talts et al. 2018, arXiv:1804.06788.
    """
    return (samples < truths[:, None]).sum(1)


def uniformity(ranks: Int[Tensor, " problem"], n_samples: int, bins: int) -> float:
    """Return the p-value of ranks being uniform, by Pearson's χ² test.

    Args:
        ranks: 0 to `n_samples`, of independent problems.
        n_samples: samples of each problem.
        bins: of equal width.

    Raises:
        ValueError: the n_samples + 1 ranks do not divide into the bins.
    """
    if (n_samples + 1) % bins:
        raise ValueError(
            f"{n_samples + 1} ranks do not divide into {bins} bins: choose a divisor"
        )
    width = (n_samples + 1) // bins
    counts = torch.bincount(ranks // width, minlength=bins)
    expected = len(ranks) / bins
    chi_square = float((counts - expected).square().sum()) / expected
    return float(special.chdtrc(bins - 1, chi_square))
