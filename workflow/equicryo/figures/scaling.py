"""How denoising gains from data, width and compute."""

from itertools import cycle

import pandas as pd
from matplotlib.axes import Axes

from equicryo.figures.theme import BLUE, ORANGE, TEAL, mark_note

COLOURS = (ORANGE, BLUE, TEAL)
MARKERS = ("o", "s", "D")


def draw_data_scaling(axes: Axes, rows: pd.DataFrame) -> None:
    """Draw the error on test chains against the number of training chains.

    Args:
        axes: where to draw.
        rows: of `scaling.SCALING_COLUMNS`, at one noise level; bars are standard errors
            over the test chains, the same for all priors.
    """
    for (width, points), colour, marker in zip(
        rows.groupby("width"), cycle(COLOURS), cycle(MARKERS), strict=False
    ):
        points = points.sort_values("chains")
        axes.errorbar(
            points["chains"],
            points["rmsd"],
            yerr=points["rmsd_error"],
            color=colour,
            marker=marker,
            capsize=2,
            label=f"{width} features",
        )
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_xlabel("training chains")
    axes.set_ylabel(f"RMSD at σ = {rows['noise_level'].iloc[0]:g} Å (Å)")
    axes.legend()


def draw_compute_scaling(axes: Axes, rows: pd.DataFrame) -> None:
    """Draw the error on validation chains against the residues seen so far.

    Args:
        axes: where to draw.
        rows: of `scaling.COMPUTE_COLUMNS`, at one noise level.
    """
    most = rows["chains"].max()
    for (width, part), colour in zip(
        rows.groupby("width"), cycle(COLOURS), strict=False
    ):
        for chains, curve in part.groupby("chains"):
            curve = curve.sort_values("residues_seen")
            whole = chains == most
            axes.plot(
                curve["residues_seen"],
                curve["rmsd"],
                color=colour,
                linewidth=1.3 if whole else 0.7,
                alpha=1.0 if whole else 0.5,
                label=f"{width} features, {chains} chains" if whole else None,
            )
    axes.set_xscale("log")
    axes.set_xlabel("residues seen in training")
    axes.set_ylabel(f"RMSD at σ = {rows['noise_level'].iloc[0]:g} Å (Å)")
    mark_note(axes, "thin: fewer chains")
    axes.legend()
