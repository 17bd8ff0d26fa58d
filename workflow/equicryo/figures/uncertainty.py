"""Whether error bars of reconstructions mean what they say."""

from collections.abc import Iterator
from itertools import cycle

import pandas as pd
from matplotlib.axes import Axes

from equicryo.figures.theme import (
    BLUE,
    CYAN,
    GREY,
    INK,
    MAGENTA,
    ORANGE,
    RED,
    TEAL,
    number_decades,
)

COLOURS = (BLUE, ORANGE, TEAL, MAGENTA, GREY, CYAN, RED)
HONEST = {"color": INK, "linestyle": "--", "linewidth": 0.9}


def draw_coverage_by_level(axes: Axes, curves: pd.DataFrame) -> None:
    """Draw how much of the truth lies in intervals against their probability.

    Args:
        axes: where to draw.
        curves: rows of `uncertainty.COVERAGE_COLUMNS`; bands are from the least to the
            largest of all reconstructions of a study.
    """
    axes.plot([0, 1], [0, 1], **HONEST)
    for points, style in _each_study(curves):
        axes.plot(points["level"], points["coverage"], marker="o", **style)
        axes.fill_between(
            points["level"],
            points["least"],
            points["largest"],
            color=style["color"],
            alpha=0.15,
        )
    axes.set_xlabel("probability of the interval")
    axes.set_ylabel("share of true coordinates in it")


def draw_regions_by_level(axes: Axes, curves: pd.DataFrame) -> None:
    """Draw how many residues lie in credible regions against their probability.

    Args:
        axes: where to draw.
        curves: rows of `uncertainty.REGION_COLUMNS`.
    """
    axes.plot([0, 1], [0, 1], **HONEST)
    for points, style in _each_study(curves):
        axes.plot(points["level"], points["residues"], **style)
    axes.set_xlabel("probability of the region")
    axes.set_ylabel("share of residues in it")


def draw_ranks(axes: Axes, ranks: pd.DataFrame) -> None:
    """Draw how often each rank among the samples is the truth's.

    Args:
        axes: where to draw.
        ranks: rows of `uncertainty.RANK_COLUMNS`.
    """
    axes.axhline(1.0, **HONEST)
    for points, style in _each_study(ranks):
        axes.plot(points["rank"], points["density"], drawstyle="steps-mid", **style)
    axes.set_xlim(0.0, 1.0)
    axes.set_ylim(bottom=0.0)
    axes.set_xlabel("rank of the truth among samples")
    axes.set_ylabel("true coordinates, over expected")


def draw_spread_skill(axes: Axes, bins: pd.DataFrame) -> None:
    """Draw actual against predicted errors of residues.

    Args:
        axes: where to draw.
        bins: rows of `uncertainty.SKILL_COLUMNS`.
    """
    if len(bins):
        errors = bins[["predicted", "actual"]]
        ends = [errors.min().min() / 1.2, errors.max().max() * 1.2]
        axes.plot(ends, ends, **HONEST)
    for points, style in _each_study(bins):
        axes.plot(
            points["predicted"], points["actual"], marker="o", linestyle="none", **style
        )
    axes.set_xscale("log")
    axes.set_yscale("log")
    for axis in (axes.xaxis, axes.yaxis):
        number_decades(axis)
    axes.set_xlabel("error predicted by the spread (Å)")
    axes.set_ylabel("error of the posterior mean (Å)")


def _each_study(rows: pd.DataFrame) -> Iterator[tuple[pd.DataFrame, dict[str, str]]]:
    """Yield the rows of each study, and its colour and label in every panel."""
    studies = rows.groupby("study", sort=False)
    for (study, points), colour in zip(studies, cycle(COLOURS), strict=False):
        yield points, {"color": colour, "label": study.replace("_", " ")}
