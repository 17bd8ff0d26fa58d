"""How often credible regions hold the truth, against how often they claim to."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from equicryo.evaluation.coverage import EXACT, coverage_band
from equicryo.figures.theme import BLUE, GREY, INK, MAGENTA, ORANGE, PALE, TEAL

STYLES = {
    EXACT: ("exact posterior", INK, "none"),
    "dps": ("DPS", ORANGE, "o"),
    "mmps": ("MMPS", BLUE, "s"),
    "pnp_dm": ("PnP-DM", TEAL, "D"),
    "tds": ("TDS", MAGENTA, "^"),
}
"""Label, colour and marker of each method."""


def draw_coverage(axes: Axes, rows: pd.DataFrame) -> None:
    """Draw coverage against level for each method.

    Below the diagonal error bars are too small. The band holds 95 % of the coverages of
    an exact posterior.

    Args:
        axes: where to draw.
        rows: of calibration.csv, of one problem, with one `n`.
    """
    (count,) = rows["n"].unique()
    levels = np.linspace(0.0, 1.0, 101)
    low, high = zip(*(coverage_band(level, count) for level in levels), strict=True)
    axes.fill_between(levels, low, high, color=PALE, linewidth=0)
    axes.plot([0.0, 1.0], [0.0, 1.0], color=GREY, linewidth=0.8)
    for method, group in rows.groupby("method", sort=False):
        label, colour, marker = STYLES[method]
        axes.plot(
            group["level"],
            group["coverage"],
            color=colour,
            marker=marker,
            linestyle="--" if method == EXACT else "-",
            label=label,
        )
    axes.set_xlim(0.0, 1.0)
    axes.set_ylim(0.0, 1.0)
    axes.set_aspect("equal")
    axes.set_xlabel("probability of the credible region")
    axes.set_ylabel("fraction that hold the truth")
