"""The microscope: CTF curves, the box they need, and what they do to images."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from matplotlib.axes import Axes
from seaborn import color_palette
from torch import Tensor

from equicryo.figures.theme import GREY, INK, PALE, RED
from equicryo.physics.optics import (
    Optics,
    contrast_transfer,
    unastigmatic,
)
from equicryo.physics.pose import Views
from equicryo.physics.sampling import smallest_box
from equicryo.physics.simulation import Specimen, clean_images

ANGSTROM_PER_MICROMETRE = 1e4
LARGEST_DEFOCUS = 2e4
"""Right end of the panel on sampling, Å."""

SATURATED = 0.001
"""Share of the pixels that may be beyond black and white."""


def tabulate_curves(optics: Optics, defocus: Sequence[float]) -> pd.DataFrame:
    """Compute CTF curves: columns `defocus_um`, `frequency` (Å⁻¹) and `ctf`.

    Args:
        optics: settings; frequencies run from 0 to their Nyquist.
        defocus: of each curve, Å.
    """
    frequency = torch.linspace(0.0, 0.5 / optics.pixel_size, 1001, dtype=torch.float64)
    line = torch.stack([frequency, torch.zeros_like(frequency)], dim=-1)
    mean = torch.tensor(defocus, dtype=torch.float64)
    ctf = contrast_transfer(line, optics, unastigmatic(mean))
    return pd.DataFrame(
        {
            "defocus_um": mean.repeat_interleave(1001) / ANGSTROM_PER_MICROMETRE,
            "frequency": frequency.repeat(len(mean)),
            "ctf": ctf.flatten(),
        }
    )


def tabulate_boxes(optics: Optics, diameter: float) -> pd.DataFrame:
    """Compute the smallest unaliased box: columns `defocus_um` and `box` (Å).

    Args:
        optics: settings; the CTF is sampled up to their Nyquist frequency.
        diameter: of the molecule, Å.
    """
    defocus = np.linspace(0.0, LARGEST_DEFOCUS, 101)
    nyquist = 0.5 / optics.pixel_size
    pixels = [smallest_box(optics, value, diameter, nyquist) for value in defocus]
    return pd.DataFrame(
        {
            "defocus_um": defocus / ANGSTROM_PER_MICROMETRE,
            "box": optics.pixel_size * np.array(pixels),
        }
    )


def image_stages(
    specimen: Specimen, views: Views
) -> tuple[Float[Tensor, "particle y x"], Float[Tensor, "particle y x"]]:
    """Make noiseless images without and with the CTF, e⁻/Å²."""
    perfect = replace(
        views,
        optics=replace(views.optics, spherical_aberration=0.0, amplitude_contrast=1.0),
        defocus=unastigmatic(torch.zeros_like(views.defocus.mean)),
    )
    projections = torch.cat(list(clean_images(specimen, perfect)))
    return projections, torch.cat(list(clean_images(specimen, views)))


def draw_curves(axes: Axes, curves: pd.DataFrame) -> None:
    """Draw CTF curves; where one is negative, contrast is inverted.

    Args:
        axes: where to draw.
        curves: of `tabulate_curves`.
    """
    axes.axhspan(-1.1, 0.0, color=PALE, alpha=0.6, linewidth=0)
    axes.axhline(0.0, color=GREY, linewidth=0.6)
    groups = curves.groupby("defocus_um")
    for (defocus, rows), colour in zip(
        groups, color_palette("viridis", len(groups)), strict=True
    ):
        label = f"{defocus:.2f} µm"
        axes.plot(
            rows["frequency"], rows["ctf"], color=colour, linewidth=1.0, label=label
        )
    axes.annotate(
        "contrast\ninverted",
        (0.01, 0.04),
        xycoords="axes fraction",
        color=GREY,
        fontsize=6.5,
    )
    axes.set_xlim(0.0, curves["frequency"].max())
    axes.set_ylim(-1.1, 1.1)
    axes.set_xlabel("spatial frequency (Å⁻¹), up to Nyquist")
    axes.set_ylabel("CTF")
    axes.legend(
        title="underfocus",
        title_fontsize=7,
        ncols=len(groups),
        loc="lower center",
        bbox_to_anchor=(0.5, 0.98),
        columnspacing=1.2,
        handlelength=1.2,
    )


def draw_sampling(
    axes: Axes, boxes: pd.DataFrame, optics: Optics, *, used: tuple[float, float]
) -> None:
    """Draw the smallest box without aliasing, and where the images lie.

    Args:
        axes: where to draw.
        boxes: of `tabulate_boxes`.
        optics: of the images.
        used: lowest and highest defocus of the images, Å.
    """
    box = optics.box_size * optics.pixel_size
    low, high = (value / ANGSTROM_PER_MICROMETRE for value in used)
    axes.fill_between(
        boxes["defocus_um"], boxes["box"], color=RED, alpha=0.10, linewidth=0
    )
    axes.plot(boxes["defocus_um"], boxes["box"], color=RED, linewidth=1.2)
    axes.plot([low, high], [box, box], color=INK, linewidth=3.0)
    axes.annotate(
        f"these images\n(box {box:g} Å)",
        ((low + high) / 2, box),
        xytext=(0, 5),
        textcoords="offset points",
        ha="center",
        fontsize=6.5,
    )
    axes.annotate(
        "CTF aliased",
        (0.97, 0.07),
        xycoords="axes fraction",
        color=RED,
        fontsize=6.5,
        ha="right",
    )
    axes.set_xticks(np.arange(0.0, boxes["defocus_um"].max() + 0.25, 0.5))
    axes.set_xlim(0.0, boxes["defocus_um"].max())
    axes.set_ylim(0.0, 1.05 * max(boxes["box"].max(), box))
    axes.set_xlabel("underfocus (µm)")
    axes.set_ylabel("box edge (Å)")


def draw_stages(
    axes: np.ndarray, stages: Sequence[Sequence[Tensor]], views: Views
) -> None:
    """Draw particles from projection to recorded image, one a row.

    Args:
        axes: one row a particle, one column a stage.
        stages: for each stage the images of all particles, e⁻/Å².
        views: of the particles.
    """
    for column, images in zip(axes.T, stages, strict=True):
        for place, image in zip(column, images, strict=True):
            draw_image(place, image, views.optics.pixel_size)
    for title, place in zip(("projection", "× CTF", "+ noise"), axes[0], strict=True):
        place.set_title(title, pad=6)
    for defocus, place in zip(views.defocus.mean.tolist(), axes[:, 0], strict=True):
        place.set_ylabel(f"{defocus / ANGSTROM_PER_MICROMETRE:.2f} µm")


def draw_image(axes: Axes, image: Float[Tensor, "y x"], pixel_size: float) -> None:
    """Draw one image, white where density is, with a scale bar.

    Args:
        axes: where to draw.
        image: e⁻/Å²; mid-grey is its mean, and black as far from it as white.
        pixel_size: Å.
    """
    edge = image.shape[-1] * pixel_size
    middle = image.mean()
    limit = (image - middle).abs().quantile(1.0 - SATURATED).item()
    axes.imshow(
        (image - middle).numpy(),
        cmap="gray",
        vmin=-limit,
        vmax=limit,
        extent=(0.0, edge, 0.0, edge),
        origin="lower",
        interpolation="nearest",
    )
    axes.plot([6.0, 36.0], [7.0, 7.0], color="white", linewidth=2.0)
    axes.annotate("30 Å", (21.0, 10.0), color="white", fontsize=6, ha="center")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
