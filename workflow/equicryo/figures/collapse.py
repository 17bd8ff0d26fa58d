"""Three ways for samples to come out too small, and what tells them apart."""

import pandas as pd
from matplotlib.axes import Axes
from seaborn import color_palette

from equicryo.figures.grid import scale_series
from equicryo.figures.theme import GREY, PALE, TRUTH

LINEAR = 100.0
"""Nats: the misfit's axis is linear up to here, shaded, and logarithmic beyond."""


def draw_mismatch(axes: Axes, grid: pd.DataFrame) -> None:
    """Draw size against λ: a wrong unit of length shrinks in proportion.

    Args:
        axes: where to draw.
        grid: rows of `pool_grid` of one prior, all at the same α.
    """
    true = grid["scale_true"].iloc[0]
    reach = [0.9 * min(1.0, grid["scale"].min()), 1.1 * max(true, grid["scale"].max())]
    axes.plot(reach, [value / true for value in reach], color=GREY, linewidth=0.9)
    axes.axhline(1.0, color=TRUTH, linewidth=0.9)
    axes.axvline(true, color=GREY, linestyle=":", linewidth=0.9)
    for series in scale_series(grid):
        size = series.points["rg_truth"]
        axes.errorbar(
            series.points["scale"],
            series.points["rg_mean"] / size,
            yerr=series.points["rg_sd"] / size,
            color=series.colour,
            marker=series.marker,
            linestyle="none",
            label=series.label,
            capsize=2,
        )
    axes.annotate(
        "prior alone,\nλ / λ planted",
        (reach[0], reach[0] / true),
        xytext=(0.06, 0.62),
        textcoords="axes fraction",
        color=GREY,
        fontsize=6.5,
    )
    axes.set_xlim(*reach)
    axes.set_xlabel("scale λ")
    axes.set_ylabel("Rg of samples / Rg of truth")


def draw_shrinkage(axes: Axes, trace: pd.DataFrame, *, truth: float) -> None:
    """Draw the size of the prior's denoised estimate against the noise level.

    Args:
        axes: where to draw.
        trace: columns `prior`, `noise_level`, `rg_denoised_mean` and
            `rg_denoised_sd`, Å.
        truth: radius of gyration of the truth, Å.
    """
    names = sorted(trace["prior"].unique())
    for name, colour in zip(names, color_palette("viridis", len(names)), strict=True):
        rows = trace[trace["prior"] == name].sort_values("noise_level")
        mean, deviation = rows["rg_denoised_mean"], rows["rg_denoised_sd"]
        axes.fill_between(
            rows["noise_level"],
            mean - deviation,
            mean + deviation,
            color=colour,
            alpha=0.25,
            linewidth=0,
        )
        axes.plot(rows["noise_level"], mean, color=colour, label=name)
    axes.axhline(truth, color=TRUTH, linewidth=0.9, label="truth")
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_ylim(bottom=0.0)
    axes.set_xlabel("noise level σ (Å)")
    axes.set_ylabel("Rg of denoised estimate (Å)")
    axes.legend(loc="lower left", handlelength=1.5)


def draw_misfit(axes: Axes, grid: pd.DataFrame) -> None:
    """Draw the misfit of the posterior mean against α.

    Too weak a guidance leaves signal in the residual (above zero); too strong a one
    fits noise (below).

    Args:
        axes: where to draw.
        grid: rows of `pool_grid` of one prior, and `misfit`, n (χ² − χ² of the truth)
            / 2: how many nats less likely than the truth the images find it.
    """
    axes.axhspan(-LINEAR, LINEAR, color=PALE, linewidth=0, alpha=0.6)
    axes.axhline(0.0, color=TRUTH, linewidth=0.9)
    for series in scale_series(grid):
        axes.plot(
            series.points["alpha"],
            series.points["misfit"],
            color=series.colour,
            marker=series.marker,
            label=series.label,
        )
    axes.annotate(
        "truth",
        (0.02, 0.0),
        xycoords=("axes fraction", "data"),
        xytext=(0, 3),
        textcoords="offset points",
        color=TRUTH,
        fontsize=6.5,
        ha="left",
        va="bottom",
    )
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_yscale("symlog", linthresh=LINEAR)
    axes.margins(y=0.12)
    axes.set_xlabel("weight of the images, α")
    axes.set_ylabel("misfit beyond the truth's (nats)")
