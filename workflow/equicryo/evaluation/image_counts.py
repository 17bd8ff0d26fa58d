"""Errors against the number of images, and how many images a prior is worth."""

import numpy as np
import pandas as pd

ERRORS = (
    "rmsd_mean",
    "rmsd_posterior_mean_unaligned",
    "beads_rmsd",
    "crlb_rmsd",
    "prior_rmsd",
    "chance_rmsd",
)
"""Columns of metrics.csv that are pooled, Å."""

FOUND = 1.0
"""Å: a posterior mean this close to the truth has every residue in its own place."""


def pool_image_counts(metrics: pd.DataFrame, study: str) -> pd.DataFrame:
    """Pool the reconstructions of a study at each number of images.

    A prior's worth is the factor by which images have to be more for the Cramér-Rao
    bound, which falls with their square root, to come down to the posterior mean's
    error: without a prior no unbiased estimate does with less.

    Args:
        metrics: rows of metrics.csv.
        study: whose rows are pooled, over targets, sets of views and seeds.

    Returns:
        One row a number of images, ascending: `study`, `n_images`, `reconstructions`,
        the fraction `found` whose posterior mean is within `FOUND`, and the median,
        least and largest of each of `ERRORS` and of `worth`, as `<name>_median`,
        `<name>_min` and `<name>_max`.

    Raises:
        ValueError: the study has no rows.
    """
    rows = metrics[metrics["study"] == study]
    if rows.empty:
        raise ValueError(f"no reconstruction of a study {study}")
    error = rows["rmsd_posterior_mean_unaligned"]
    if rows["beads_rmsd"].notna().any():
        # Where no chain is traced, it is nowhere near.
        rows = rows.fillna({"beads_rmsd": np.inf})
    rows = rows.assign(worth=(rows["crlb_rmsd"] / error) ** 2, found=error < FOUND)
    groups = rows.groupby("n_images", sort=True)
    pooled = groups[[*ERRORS, "worth"]].agg(["median", "min", "max"])
    pooled.columns = [f"{name}_{statistic}" for name, statistic in pooled.columns]
    pooled.insert(0, "found", groups["found"].mean())
    pooled.insert(0, "reconstructions", groups.size())
    pooled = pooled.reset_index()
    pooled.insert(0, "study", study)
    return pooled


def images_needed(points: pd.DataFrame, error: str) -> float:
    """Return how many images bring the median of an error down to `FOUND`.

    Along a line through the two numbers of images about it, on logarithmic axes.

    Args:
        points: of `pool_image_counts`.
        error: one of `ERRORS`.

    Returns:
        Not a number where the median is never above it before it is below.
    """
    images, median = points["n_images"], points[f"{error}_median"]
    above = np.flatnonzero(~(median <= FOUND))
    if not len(above) or above[-1] + 1 == len(points):
        return np.nan
    last = above[-1]
    (few, many), (worse, better) = (
        np.log(column.iloc[last : last + 2]) for column in (images, median)
    )
    if not np.isfinite(worse):
        return float(np.exp(many))
    share = (worse - np.log(FOUND)) / (worse - better)
    return float(np.exp(few + share * (many - few)))
