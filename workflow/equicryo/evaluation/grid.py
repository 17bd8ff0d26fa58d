"""The grid of reconstructions, pooled over seeds, as the figures draw it."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

LEVELS = {
    "scale": "mean",
    "scale_true": "mean",
    "rg_truth": "mean",
    "chi2": "mean",
    "crlb_rmsd": "mean",
    "prior_rmsd": "mean",
    "chance_rmsd": "mean",
}
"""Columns of metrics.csv that are averaged over seeds."""


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """Which reconstructions the figures draw.

    Attributes:
        dataset: whose reconstructions are drawn.
        sampler: that made them.
        grid_prior: the prior of the grid over α and λ, its unit of length wrong.
        reference_prior: the prior whose unit is right.
    """

    dataset: str
    sampler: str
    grid_prior: str
    reference_prior: str


def select_rows(metrics: pd.DataFrame, prior: str, drawn: Drawn) -> pd.DataFrame:
    """Return the rows of metrics.csv of one prior that the figures draw."""
    return metrics[
        (metrics["dataset"] == drawn.dataset)
        & (metrics["sampler"] == drawn.sampler)
        & (metrics["prior"] == prior)
    ]


def pool_grid(
    metrics: pd.DataFrame, samples: Mapping[str, pd.DataFrame]
) -> pd.DataFrame:
    """Pool the samples of all seeds at each grid point.

    Args:
        metrics: rows of metrics.csv, of one dataset and sampler.
        samples: table of the samples of each reconstruction, by its column
            `reconstruction`.

    Returns:
        One row a prior, λ and α, sorted: `prior`, `scale_source`, `alpha`, the mean
        and standard deviation of `rmsd` and `rg` over samples, Å, their number
        `n_samples`, and the means over seeds of `LEVELS`. Fixed λ of different value
        are different rows.

    Raises:
        ValueError: a reconstruction has no table of samples.
    """
    missing = sorted(set(metrics["reconstruction"]) - set(samples))
    if missing:
        raise ValueError(f"no samples of {', '.join(missing)}")
    # An inferred λ may differ from seed to seed; a fixed one names its own group.
    named = metrics.assign(
        scale_name=metrics["scale"].where(metrics["scale_source"] == "fixed", -1.0)
    )
    points = ["prior", "scale_source", "scale_name", "alpha"]
    rows = []
    for point, group in named.groupby(points, sort=True):
        pooled = pd.concat([samples[path] for path in group["reconstruction"]])
        statistics = pooled[["rmsd", "rg"]].agg(["mean", "std"])
        rows.append(
            {
                **dict(zip(points, point, strict=True)),
                "n_samples": len(pooled),
                **{
                    f"{quantity}_{name}": statistics.loc[statistic, quantity]
                    for quantity in ("rmsd", "rg")
                    for name, statistic in (("mean", "mean"), ("sd", "std"))
                },
                **group.agg(LEVELS).to_dict(),
            }
        )
    return pd.DataFrame(rows).drop(columns="scale_name", errors="ignore")
