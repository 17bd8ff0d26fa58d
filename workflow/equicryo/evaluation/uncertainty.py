"""Whether error bars of a study's reconstructions mean what they say."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from equicryo.evaluation.coverage import (
    expected_coverage,
    parameter_ranks,
    region_ranks,
)
from equicryo.evaluation.proper_scores import spread_skill
from equicryo.evaluation.scores import coordinate_coverage

COVERAGE_COLUMNS = ("study", "level", "coverage", "least", "largest", "reconstructions")
"""`coverage`: mean over reconstructions of the share of true coordinates in intervals
of probability `level`; `least` and `largest` of any of them."""

REGION_COLUMNS = ("study", "level", "residues")
"""`residues`: share of them whose true place lies in the credible region of probability
`level` about the mean of half of the samples, by the distances of the other half."""

RANK_COLUMNS = ("study", "rank", "density")
"""Rank of true coordinates among their samples, over the number of ranks, and how often
it is theirs over how often it should be."""

SKILL_COLUMNS = ("study", "predicted", "actual")
"""Root mean square errors of the posterior mean in a bin of residues of like spread, as
the spread predicts it and as it is, Å."""

LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
BINS = 8

Ensemble = tuple[Float[Tensor, "sample residue 3"], Float[Tensor, "residue 3"]]
"""Posterior samples and the truth, in one frame, Å."""


def coverage_rows(study: str, ensembles: Sequence[Ensemble]) -> list[dict[str, object]]:
    """Return the coverage of a study's intervals, rows of `COVERAGE_COLUMNS`."""
    rows = []
    for level in LEVELS:
        shares = [coordinate_coverage(*ensemble, level) for ensemble in ensembles]
        values = (sum(shares) / len(shares), min(shares), max(shares), len(shares))
        rows.append(dict(zip(COVERAGE_COLUMNS, (study, level, *values), strict=True)))
    return rows


def region_rows(study: str, ensembles: Sequence[Ensemble]) -> list[dict[str, object]]:
    """Return the coverage of regions of whole residues, rows of `REGION_COLUMNS`.

    Args:
        study: its name.
        ensembles: of equally many samples.

    Source: Lemos et al. 2023, arXiv:2302.03026 (TARP); see `coverage.region_ranks`.
    """
    ranks = []
    for samples, truth in ensembles:
        centre, others = samples.tensor_split(2)
        ranks.append(region_ranks(others.swapaxes(0, 1), truth, centre.mean(0)))
    count = len(ensembles[0][0]) // 2
    levels = [rank / (count + 1) for rank in range(1, count + 1)]
    shares = expected_coverage(torch.cat(ranks), count, levels)
    return [
        dict(zip(REGION_COLUMNS, (study, level, share), strict=True))
        for level, share in zip(levels, shares, strict=True)
    ]


def rank_rows(study: str, ensembles: Sequence[Ensemble]) -> list[dict[str, object]]:
    """Return how often true coordinates have each rank, rows of `RANK_COLUMNS`.

    A hollow is too narrow a posterior, a hill one too wide, a slope a bias.

    Args:
        study: its name.
        ensembles: of equally many samples.

    Source: Talts et al. 2018, arXiv:1804.06788 (simulation-based calibration).
    """
    ranks = [
        parameter_ranks(samples.movedim(0, 1), truth).flatten()
        for samples, truth in ensembles
    ]
    count = len(ensembles[0][0]) + 1
    density = torch.bincount(torch.cat(ranks), minlength=count).double()
    density *= count / density.sum()
    return [
        dict(zip(RANK_COLUMNS, (study, (rank + 0.5) / count, value), strict=True))
        for rank, value in enumerate(density.tolist())
    ]


def skill_rows(study: str, ensembles: Sequence[Ensemble]) -> list[dict[str, object]]:
    """Return predicted and actual errors of a study's residues, in bins of like spread.

    Args:
        study: its name.
        ensembles: of equally many samples.

    Returns:
        Rows of `SKILL_COLUMNS`.
    """
    spread = [samples.var(0).sum(-1).sqrt() for samples, _ in ensembles]
    error = [(samples.mean(0) - truth).norm(dim=-1) for samples, truth in ensembles]
    count = len(ensembles[0][0])
    pairs = spread_skill(torch.cat(spread), torch.cat(error), count, BINS)
    return [
        dict(zip(SKILL_COLUMNS, (study, float(predicted), float(actual)), strict=True))
        for predicted, actual in zip(*pairs, strict=True)
    ]
