"""Densities side by side in slices, and how far each agrees with the truth."""

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes

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
