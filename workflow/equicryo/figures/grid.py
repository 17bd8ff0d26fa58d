"""How the curves of one λ look in every figure of the grid."""

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from equicryo.figures.theme import BLUE, GREY, MAGENTA, ORANGE, TEAL

COLOURS = (ORANGE, TEAL, MAGENTA, GREY)
MARKERS = ("o", "s", "D", "v")
PLANTED = 0.01
"""A fixed λ this close to the true one, relatively, is the planted one."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ScaleSeries:
    """The grid points of one λ, sorted by α.

    Attributes:
        label: of the legend.
        colour: of line and markers.
        marker: matplotlib's marker.
        points: rows of `pool_grid`.
    """

    label: str
    colour: str
    marker: str
    points: pd.DataFrame


def scale_series(grid: pd.DataFrame) -> Iterator[ScaleSeries]:
    """Divide the grid of one prior into its λ: fixed ones by value, then inferred.

    Args:
        grid: rows of `pool_grid`, of one prior.

    Yields:
        One series a λ.
    """
    fixed = grid[grid["scale_source"] == "fixed"]
    for index, (scale, points) in enumerate(fixed.groupby("scale")):
        planted = abs(scale / points["scale_true"].iloc[0] - 1.0) < PLANTED
        yield ScaleSeries(
            label=f"λ = {scale:g}" + (" (planted)" if planted else ""),
            colour=COLOURS[index % len(COLOURS)],
            marker=MARKERS[index % len(MARKERS)],
            points=points.sort_values("alpha"),
        )
    inferred = grid[grid["scale_source"] == "inferred"]
    if len(inferred):
        yield ScaleSeries(
            label=f"λ inferred ({inferred['scale'].mean():.3f})",
            colour=BLUE,
            marker="^",
            points=inferred.sort_values("alpha"),
        )
