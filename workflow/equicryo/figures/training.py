"""How far a training has come: errors on unseen chains, and what the prior draws."""

from copy import deepcopy

import matplotlib.figure
import numpy as np
from jaxtyping import Float64
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.ticker import NullFormatter
from seaborn import color_palette

from equicryo.figures.overlay import principal_axes
from equicryo.figures.theme import WIDTH, mark_panel, use_theme
from equicryo.inference.diffusion import ScheduleConfig, draw_prior
from equicryo.models.denoiser import VALIDATION_NOISE
from equicryo.models.prior import Prior
from equicryo.models.training import DenoiserTraining
from equicryo.seeds import derive_generator

DRAWN = 3
SCHEDULE = ScheduleConfig(steps=20, largest_noise=80.0, smallest_noise=0.05)


def draw_training(training: DenoiserTraining) -> matplotlib.figure.Figure:
    """Draw a training's curve, and chains drawn from the prior as it is now.

    The chains are as long as the longest held-out one and have its sequence; the draws
    use random numbers of their own, so that looking changes nothing.

    Args:
        training: under way, tested at least once.
    """
    use_theme()
    types = max((batch.residue_types[0] for batch in training.held_out), key=len)
    # A copy, on a CPU: the training itself may be on a GPU, and stays there.
    denoiser = deepcopy(training.average.module).cpu()
    prior = Prior(denoiser=denoiser, residue_types=types, length_unit=1.0)
    generator = derive_generator(training.seed, "draw_training")
    chains = draw_prior(
        prior, DRAWN, SCHEDULE, churn=0.0, generator=generator
    ).coordinates
    figure = matplotlib.figure.Figure(figsize=(WIDTH, 2.4), layout="constrained")
    curve, *places = figure.subplots(1, 1 + DRAWN, width_ratios=(1.5, *[1] * DRAWN))
    draw_curve(curve, training.curve)
    mark_panel(curve, "a", "denoising unseen chains")
    for place, chain in zip(places, chains, strict=True):
        draw_trace(place, chain.double().numpy())
    mark_panel(places[0], "b", f"{DRAWN} chains drawn, {len(types)} residues")
    return figure


def draw_curve(axes: Axes, curve: list[dict[str, int | float]]) -> None:
    """Draw the denoising RMSD at each noise level against the step.

    Args:
        axes: where to draw.
        curve: rows of `CURVE_COLUMNS`.
    """
    steps = [row["step"] for row in curve]
    colours = color_palette("viridis", len(VALIDATION_NOISE))
    for noise, colour in zip(VALIDATION_NOISE, colours, strict=True):
        errors = [row[f"rmsd_{noise:g}"] for row in curve]
        axes.plot(steps, errors, color=colour, marker=".")
        axes.annotate(
            f"σ {noise:g} Å: {errors[-1]:.2f}",
            (1.0, errors[-1]),
            xycoords=("axes fraction", "data"),
            xytext=(3, 0),
            textcoords="offset points",
            color=colour,
            fontsize=6.5,
            va="center",
            annotation_clip=False,
        )
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("step")
    axes.set_ylabel("RMSD after denoising (Å)")


def draw_trace(axes: Axes, chain: Float64[np.ndarray, "residue 3"]) -> None:
    """Draw a chain as a line coloured from its first residue to its last.

    It is seen along its shortest principal axis.

    Args:
        axes: where to draw.
        chain: Cα positions, Å.
    """
    seen = ((chain - chain.mean(0)) @ principal_axes(chain).T)[:, :2]
    bonds = np.stack((seen[:-1], seen[1:]), 1)
    lines = LineCollection(bonds, cmap="viridis", linewidths=1.1, capstyle="round")
    lines.set_array(np.arange(len(bonds)))
    axes.add_collection(lines)
    reach = 1.1 * np.abs(seen).max()
    axes.set_xlim(-reach, reach)
    axes.set_ylim(-reach, reach)
    axes.set_aspect("equal")
    axes.set_xlabel("x (Å)")
    axes.set_ylabel("y (Å)")
