"""Densities side by side in slices, and how far each agrees with the truth."""

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes
from scipy.ndimage import gaussian_filter, zoom

from equicryo.figures.theme import (
    BLUE,
    CYAN,
    GREY,
    INK,
    MAGENTA,
    ORANGE,
    TEAL,
    mark_level,
)

FINENESS = 3
"""Points of a surface along a voxel."""

LIGHT = np.array([0.45, -0.45, 0.77])
"""Where a surface is lit from: along y, x and towards the eye."""

METHOD_COLOURS = {
    "unet": BLUE,
    "unet_dps": CYAN,
    "unet_pnp_dm": MAGENTA,
    "wiener_oracle": INK,
    "wiener_estimated": TEAL,
    "backprojection": ORANGE,
    "relion": GREY,
}

METHOD_NAMES = {
    "unet": "U-Net posterior",
    "unet_dps": "U-Net, DPS",
    "unet_pnp_dm": "U-Net, PnP-DM",
    "wiener_oracle": "Wiener, true SNR",
    "wiener_estimated": "Wiener, estimated SNR",
    "backprojection": "back-projection",
    "relion": "RELION",
}


def draw_slice(
    axes: Axes,
    volume: Float[np.ndarray, "z y x"],
    pixel_size: float,
    black: float,
) -> None:
    """Show the central section of a density, with a scale bar.

    Args:
        axes: where to draw.
        volume: e⁻/Å³ × pixel size.
        pixel_size: Å.
        black: value that is black, and said below; zero is white.
    """
    middle = volume[len(volume) // 2]
    axes.imshow(middle, cmap="Greys", vmin=0.0, vmax=black, origin="lower")
    bar = 20.0 / pixel_size
    axes.plot([2, 2 + bar], [2, 2], color=INK, linewidth=1.5)
    axes.annotate("20 Å", (2 + bar / 2, 3.2), fontsize=6, ha="center", color=INK)
    axes.set_axis_off()
    axes.annotate(
        f"black: {black:.2g} e⁻/Å²",
        (1.0, -0.01),
        xycoords="axes fraction",
        fontsize=6,
        ha="right",
        va="top",
    )


def draw_surface(
    axes: Axes,
    volume: Float[np.ndarray, "z y x"],
    enclosed: float,
) -> None:
    """Show the surface that encloses a share of the box, seen along z and lit.

    Args:
        axes: where to draw.
        volume: of any unit.
        enclosed: share of the box with density above the surface's.
    """
    fine = zoom(volume, FINENESS, order=3)
    level = np.quantile(fine, 1.0 - enclosed)
    inside = fine[::-1] >= level
    seen, depth = inside.any(0), inside.argmax(0)
    # The surface falls between two planes: to round to one would draw terraces.
    near = np.take_along_axis(fine[::-1], depth[None], 0)[0]
    far = np.take_along_axis(fine[::-1], np.maximum(depth - 1, 0)[None], 0)[0]
    place = depth - np.clip((near - level) / np.maximum(near - far, 1e-9), 0.0, 1.0)
    slope = np.gradient(gaussian_filter(np.where(seen, place, len(fine)), 0.7))
    normal = np.stack((*slope, np.ones_like(place)))
    normal /= np.linalg.norm(normal, axis=0)
    lit = np.tensordot(LIGHT, normal, 1).clip(0.0, 1.0)
    haze = 1.0 - 0.5 * place / len(fine)
    picture = np.where(seen, (0.25 + 0.75 * lit) * haze, np.nan)
    axes.imshow(picture, cmap="Greys_r", vmin=0.0, vmax=1.0, origin="lower")
    axes.set_axis_off()


def draw_local_resolution(axes: Axes, resolution: Float[np.ndarray, "z y x"]) -> None:
    """Show the central section of a local-resolution map, with its scale.

    Args:
        axes: where to draw.
        resolution: Å; zero outside the molecule.
    """
    middle = resolution[len(resolution) // 2]
    shown = np.where(middle > 0.0, middle, np.nan)
    image = axes.imshow(shown, cmap="viridis_r", origin="lower")
    axes.set_axis_off()
    axes.figure.colorbar(image, ax=axes, shrink=0.7, label="FSC 0.5 (Å)")


def draw_fsc(axes: Axes, fsc: pd.DataFrame) -> None:
    """Draw each method's FSC with the truth; a band spans its reconstructions.

    Args:
        axes: where to draw.
        fsc: columns `method`, `frequency` (Å⁻¹), `fsc`, `reconstruction`.
    """
    for method, rows in fsc.groupby("method", sort=False):
        table = rows.pivot(index="frequency", columns="reconstruction", values="fsc")
        colour = METHOD_COLOURS[method]
        axes.plot(
            table.index, table.mean(axis=1), color=colour, label=METHOD_NAMES[method]
        )
        axes.fill_between(
            table.index,
            table.min(axis=1),
            table.max(axis=1),
            color=colour,
            alpha=0.2,
            linewidth=0,
        )
    mark_level(axes, 0.5, "0.5", colour=GREY, style=":")
    axes.set_xlim(left=0.0)
    axes.set_ylim(min(-0.05, float(fsc["fsc"].min())), 1.02)
    axes.set_xlabel("spatial frequency (Å⁻¹)")
    axes.set_ylabel("FSC with the truth")
    axes.legend(loc="lower left")
