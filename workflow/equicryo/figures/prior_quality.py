"""A prior's chains and denoising, beside real chains and baselines."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from equicryo.evaluation.chain_geometry import MAP_BIN
from equicryo.evaluation.denoising import (
    BONDS,
    IDENTITY,
    LINEAR,
    NO_SEQUENCE,
    SEQUENCE,
)
from equicryo.evaluation.quality_curves import KINDS
from equicryo.figures.theme import BLUE, CYAN, GREY, INK, ORANGE, PALE, RED, TEAL
from equicryo.structure.extent import typical_radius

TRAINING, HELD_OUT, DRAWN = "training", "held out", "drawn"
COLOURS = {
    **{TRAINING: GREY, HELD_OUT: RED, DRAWN: BLUE, SEQUENCE: BLUE, NO_SEQUENCE: CYAN},
    **{IDENTITY: GREY, LINEAR: ORANGE, BONDS: TEAL},
}
LABELS = {
    SEQUENCE: "with sequence",
    NO_SEQUENCE: "without it",
    IDENTITY: "noisy input",
    LINEAR: "linear Gaussian",
    BONDS: "bonds put right",
}
LEAST_CHANGE = 0.1
"""Relative change of the score by a reflection that a prior of folds has to show."""


def draw_denoising(axes: Axes, curves: pd.DataFrame) -> None:
    """Draw the RMSD after denoising over the noise level, for each method.

    Args:
        axes: where to draw.
        curves: panel `denoising` of `denoising_curves`.
    """
    for name, rows in curves.groupby("series", sort=False):
        axes.errorbar(
            rows["x"],
            rows["y"],
            yerr=rows["error"],
            color=COLOURS[name],
            linestyle="-" if name in (SEQUENCE, NO_SEQUENCE) else "--",
            label=LABELS[name],
        )
    _noise_axis(axes)
    axes.set_ylim(bottom=0.0)
    axes.set_ylabel("RMSD after denoising / σ")
    axes.legend(fontsize=5.5, handlelength=1.4)


def draw_size(axes: Axes, curves: pd.DataFrame) -> None:
    """Draw the size of estimates along σ, beside what their error allows.

    Args:
        axes: where to draw.
        curves: panel `size` of `denoising_curves`.
    """
    for name, rows in curves.groupby("series", sort=False):
        mode, _, kind = name.partition(" ")
        colour, y = COLOURS[mode], rows["y"]
        if kind == "drawn":
            deviation = rows["error"]
            axes.fill_between(
                rows["x"], y - deviation, y + deviation, color=colour, alpha=0.2, lw=0
            )
            axes.plot(rows["x"], y, color=colour, label=f"drawn {LABELS[mode]}")
        elif kind == "expected":
            axes.plot(rows["x"], y, color=colour, linestyle=":", label="_due")
        else:
            axes.plot(rows["x"], y, "o", color=colour, label=f"denoised {LABELS[mode]}")
    axes.plot([], [], color=INK, linestyle=":", label="due to its error")
    axes.axhline(1.0, color=GREY, linewidth=0.7)
    _noise_axis(axes)
    axes.set_ylim(bottom=0.0)
    axes.set_ylabel("Rg of estimate / truth")
    axes.legend(fontsize=5.0, handlelength=1.4, loc="lower left")


def draw_mirror(axes: Axes, curves: pd.DataFrame) -> None:
    """Draw by how much a reflection changes the score, along σ.

    Args:
        axes: where to draw.
        curves: panel `mirror` of `denoising_curves`.
    """
    for name, rows in curves.groupby("series", sort=False):
        y = rows["y"]
        axes.plot(rows["x"], y, "o-", color=COLOURS[name], label=LABELS[name])
    axes.hlines(LEAST_CHANGE, curves["x"].min(), 1.0, color=INK, linestyle="--", lw=0.9)
    _noise_axis(axes)
    axes.set_ylim(bottom=0.0)
    axes.set_ylabel("change of mirrored score")
    axes.legend(fontsize=5.5)


def draw_radius(axes: Axes, curves: pd.DataFrame) -> None:
    """Draw the radius of gyration against length, with the law of real chains.

    Args:
        axes: where to draw.
        curves: panel `radius` of `geometry_curves`.
    """
    residues = np.linspace(curves["x"].min(), curves["x"].max(), 50)
    law = np.array([typical_radius(round(n)) for n in residues])
    axes.fill_between(residues, 0.9 * law, 1.1 * law, color=PALE, lw=0)
    axes.plot(residues, law, color=GREY, label="law of real chains, ± 10 %")
    for name in (HELD_OUT, DRAWN):
        rows = curves[curves["series"] == name]
        axes.plot(
            rows["x"], rows["y"], ".", color=COLOURS[name], label=name, markersize=3.0
        )
    axes.set_ylim(bottom=0.0)
    axes.set_xlabel("residues")
    axes.set_ylabel("radius of gyration (Å)")
    axes.legend(fontsize=5.5, loc="lower right")


def draw_density(axes: Axes, curves: pd.DataFrame, label: str) -> None:
    """Draw the densities of a length in training, held-out and drawn chains.

    Args:
        axes: where to draw.
        curves: panel `bonds` or `pairs` of `geometry_curves`.
        label: what the length is.
    """
    for name, rows in curves.groupby("series", sort=False):
        axes.plot(rows["x"], rows["y"], color=COLOURS[name], label=name)
    axes.set_ylim(bottom=0.0)
    axes.set_xlabel(f"{label} (Å)")
    axes.set_ylabel("density (Å⁻¹)")
    axes.legend(fontsize=5.5)


def draw_map(axes: Axes, curves: pd.DataFrame, name: str) -> None:
    """Draw the probability of virtual bond angles and dihedrals of one set of chains.

    Args:
        axes: where to draw.
        curves: panel `map` of `geometry_curves`.
        name: of the set.
    """
    rows = curves[curves["series"] == name]
    half = 0.5 * MAP_BIN
    angles, dihedrals = (
        np.arange(half, 180, MAP_BIN),
        np.arange(half - 180, 180, MAP_BIN),
    )
    grid = rows.pivot_table(index="x", columns="y", values="z")
    grid = grid.reindex(index=angles, columns=dihedrals)
    axes.pcolormesh(grid.columns, grid.index, grid, cmap="viridis", vmin=-4.5, vmax=-1)
    axes.set_xlim(-180.0, 180.0)
    axes.set_ylim(40.0, 180.0)
    axes.set_xticks([-180, -90, 0, 90, 180])
    axes.set_xlabel("virtual dihedral (°)")
    axes.set_ylabel("virtual bond angle (°)")


def draw_content(axes: Axes, curves: pd.DataFrame) -> None:
    """Draw the shares of helix, strand and coil in each set of chains.

    Args:
        axes: where to draw.
        curves: panel `content` of `geometry_curves`.
    """
    names = list(dict.fromkeys(curves["series"]))
    for index, name in enumerate(names):
        rows = curves[curves["series"] == name]
        place = np.arange(len(KINDS)) + 0.27 * (index - (len(names) - 1) / 2)
        axes.bar(
            place,
            rows["y"],
            width=0.25,
            yerr=rows["error"],
            color=COLOURS[name],
            label=name,
        )
    axes.set_xticks(range(len(KINDS)), list(KINDS))
    axes.set_ylabel("residues (%)")
    axes.legend(fontsize=5.5)


def _noise_axis(axes: Axes) -> None:
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_xlabel("noise level σ (Å)")
