"""A trained network beside the closed form of the law it was trained on."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from equicryo.figures.theme import BLUE, GREY, INK, RED

FOLDS = ("helices", "their mirror\nimage", "sheet")


def draw_estimates(axes: Axes, table: pd.DataFrame) -> None:
    """Draw the error of estimates against σ, the network's and the exact one.

    Args:
        axes: where to draw.
        table: columns of `MIXTURE_COLUMNS`.
    """
    rows = table[table["quantity"] == "rmsd"]
    axes.plot(rows["at"], rows["exact"], color=RED, label="exact posterior mean")
    axes.errorbar(
        rows["at"],
        rows["value"],
        yerr=2.0 * rows["error"],
        fmt="o",
        color=BLUE,
        label="network",
    )
    rows = table[table["quantity"] == "excess"]
    axes.errorbar(
        rows["at"],
        rows["value"],
        yerr=2.0 * rows["error"],
        color=GREY,
        linestyle="--",
        label="distance of the two",
    )
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.set_xlabel("noise level σ (Å)")
    axes.set_ylabel("RMSD (Å)")
    axes.legend()


def draw_components(axes: Axes, table: pd.DataFrame, quantity: str, label: str) -> None:
    """Draw a number of each component, of the draws and exact.

    Args:
        axes: where to draw.
        table: columns of `MIXTURE_COLUMNS`.
        quantity: `weight` or `spread`.
        label: of the axis.
    """
    rows = table[table["quantity"] == quantity]
    axes.bar(rows["at"], rows["exact"], color="none", edgecolor=INK, label="exact")
    axes.errorbar(
        rows["at"],
        rows["value"],
        yerr=2.0 * rows["error"],
        fmt="o",
        color=BLUE,
        capsize=2,
        label="drawn, ± 2 s.e.",
    )
    axes.set_xticks(np.arange(len(FOLDS)), FOLDS)
    axes.set_ylim(bottom=0.0)
    axes.set_ylabel(label)
    axes.legend(loc="lower right", frameon=True, framealpha=0.9)
