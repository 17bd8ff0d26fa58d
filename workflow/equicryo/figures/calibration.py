"""Error and size of the samples against the weight of the images."""

import math

import pandas as pd
from matplotlib.axes import Axes

from equicryo.figures.grid import scale_series
from equicryo.figures.theme import GREY, INK, TRUTH, mark_level

SPREAD = 1.1
"""Factor in α between the markers of neighbouring λ, so that none hides another."""


def draw_errors(axes: Axes, grid: pd.DataFrame, reference: pd.DataFrame) -> None:
    """Draw the RMSD against α for each λ, with chance, prior and bound.

    Args:
        axes: where to draw.
        grid: rows of `pool_grid`, of the prior whose unit of length is wrong.
        reference: rows of the prior whose unit is right; may be empty.
    """
    axes.set_xscale("log")
    axes.set_yscale("log")
    _draw_series(axes, grid, "rmsd")
    _draw_reference(axes, reference, "rmsd")
    right = grid.loc[(grid["scale"] / grid["scale_true"] - 1.0).abs().idxmin()]
    mark_level(axes, right["chance_rmsd"], "chance", colour=GREY, style=":")
    mark_level(
        axes, right["prior_rmsd"], "prior only,\nright λ", colour=INK, style="--"
    )
    if math.isfinite(right["crlb_rmsd"]):
        mark_level(
            axes, right["crlb_rmsd"], "Cramér-Rao,\nno prior", colour=INK, style="-."
        )
    axes.set_ylabel("Cα RMSD (Å)")
    axes.yaxis.set_major_formatter("{x:g}")


def draw_sizes(axes: Axes, grid: pd.DataFrame, reference: pd.DataFrame) -> None:
    """Draw the radius of gyration against α for each λ, with the truth's.

    Args:
        axes: where to draw.
        grid: rows of `pool_grid`, of the prior whose unit of length is wrong.
        reference: rows of the prior whose unit is right; may be empty.
    """
    axes.set_xscale("log")
    _draw_series(axes, grid, "rg")
    _draw_reference(axes, reference, "rg")
    mark_level(axes, grid["rg_truth"].iloc[0], "truth", colour=TRUTH, style="-")
    axes.set_ylabel("radius of gyration (Å)")


def _draw_series(axes: Axes, grid: pd.DataFrame, quantity: str) -> None:
    for index, series in enumerate(scale_series(grid)):
        axes.errorbar(
            series.points["alpha"] * SPREAD ** (index - 1),
            series.points[f"{quantity}_mean"],
            yerr=series.points[f"{quantity}_sd"],
            color=series.colour,
            marker=series.marker,
            label=series.label,
            capsize=2,
            elinewidth=0.8,
            zorder=3 + index,
        )
    axes.set_xlabel("weight of the images, α (1 = Bayes)")
    axes.xaxis.set_major_formatter("{x:g}")


def _draw_reference(axes: Axes, reference: pd.DataFrame, quantity: str) -> None:
    if len(reference):
        axes.errorbar(
            reference["alpha"] * SPREAD**2,
            reference[f"{quantity}_mean"],
            yerr=reference[f"{quantity}_sd"],
            color=INK,
            marker="*",
            markersize=7,
            linestyle="none",
            label="right prior, λ = 1",
            capsize=2,
            elinewidth=0.8,
            zorder=8,
        )
