"""Published errors against what they can be."""

import pandas as pd
from matplotlib.axes import Axes

from equicryo.figures.theme import BLUE, GREY, ORANGE, PALE

READINGS = {"Å": ("read in Å", BLUE, "o"), "radius": ("read in radii", ORANGE, "s")}
"""Label, colour and marker of each reading of a published number."""


def draw_audit(axes: Axes, rows: pd.DataFrame) -> None:
    """Draw each published RMSD in both readings, with its bounds and chance.

    Args:
        axes: where to draw.
        rows: of audit.csv, of quantity `rmsd`, Å.
    """
    alphas = sorted(rows["alpha"].unique())
    for place, alpha in enumerate(alphas):
        group = rows[rows["alpha"] == alpha]
        first = group.iloc[0]
        axes.bar(
            place,
            first["largest"] - first["smallest"],
            bottom=first["smallest"],
            width=0.6,
            color=PALE,
            label="possible at its Rg" if place == 0 else None,
        )
        axes.errorbar(
            place,
            first["chance"],
            yerr=2.0 * first["chance_sd"],
            color=GREY,
            marker="_",
            markersize=22,
            linestyle="none",
            label="random clouds of its Rg" if place == 0 else None,
        )
        for reading, (label, colour, marker) in READINGS.items():
            value = group.loc[group["read_as"] == reading, "value"].item()
            axes.plot(
                place + (0.12 if reading == "radius" else -0.12),
                value,
                color=colour,
                marker=marker,
                linestyle="none",
                label=label if place == 0 else None,
            )
    labels = [f"α = {alpha:g}" for alpha in alphas]
    axes.set_xticks(range(len(alphas)), labels)
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.set_ylabel("Cα RMSD to 1HEL (Å)")
