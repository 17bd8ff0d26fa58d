"""Errors against the number of images, and how many images a prior is worth."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from equicryo.evaluation.image_counts import FOUND, images_needed
from equicryo.figures.theme import (
    BLUE,
    GREY,
    INK,
    ORANGE,
    TEAL,
    mark_note,
    number_decades,
)

CURVES = (
    ("chance_rmsd", "chance", GREY, ":"),
    ("prior_rmsd", "prior only", INK, "--"),
    ("crlb_rmsd", "Cramér-Rao, no prior", INK, "-."),
    ("beads_rmsd", "trace, no prior", ORANGE, "-"),
    ("rmsd_mean", "samples", TEAL, "-"),
    ("rmsd_posterior_mean_unaligned", "posterior mean", BLUE, "-"),
)
"""Column, name, colour and line of what is drawn; measured ones have markers."""


def draw_errors_by_images(axes: Axes, points: pd.DataFrame) -> None:
    """Draw the errors of a study against its numbers of images.

    Args:
        axes: where to draw.
        points: rows of `image_counts.pool_image_counts`, of one study; lines are
            medians, bands go from the least to the largest.
    """
    for name, label, colour, style in CURVES:
        drawn = points[np.isfinite(points[f"{name}_median"])]
        if drawn.empty:
            continue
        _draw_band(axes, drawn, name, colour)
        axes.plot(
            drawn["n_images"],
            drawn[f"{name}_median"],
            color=colour,
            linestyle=style,
            marker="o" if style == "-" else None,
            label=label,
        )
    axes.set_yscale("log")
    number_decades(axes.yaxis)
    _set_images_axis(axes)
    axes.set_ylabel("Cα RMSD (Å)")
    needed = [images_needed(points, name) for name in ("rmsd_mean", "beads_rmsd")]
    if np.isfinite(needed).all():
        text = "{:g} Å: {:.0f} images; {:.0f} without prior".format(FOUND, *needed)
        mark_note(axes, text)


def draw_worth_by_images(axes: Axes, points: pd.DataFrame) -> None:
    """Draw by how many times the images the prior multiplies them.

    Args:
        axes: where to draw.
        points: as in `draw_errors_by_images`.
    """
    _draw_band(axes, points, "worth", BLUE)
    axes.plot(points["n_images"], points["worth_median"], color=BLUE, marker="o")
    axes.axhline(1.0, color=INK, linestyle="-.", linewidth=0.9)
    axes.set_yscale("log")
    number_decades(axes.yaxis)
    _set_images_axis(axes)
    axes.set_ylabel("images the prior is worth (×)")


def _draw_band(axes: Axes, points: pd.DataFrame, name: str, colour: str) -> None:
    axes.fill_between(
        points["n_images"],
        points[f"{name}_min"],
        points[f"{name}_max"],
        color=colour,
        alpha=0.15,
        linewidth=0.0,
    )


def _set_images_axis(axes: Axes) -> None:
    axes.set_xscale("log")
    number_decades(axes.xaxis)
    axes.set_xlabel("images")
