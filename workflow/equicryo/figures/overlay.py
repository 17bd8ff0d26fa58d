"""Posterior samples over the truth, in space and along the sequence."""

import numpy as np
import pandas as pd
from jaxtyping import Float64
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgb

from equicryo.figures.theme import INK, SAMPLES, TRUTH

FADE = 0.75
"""Share of white in the most distant segment."""

TRUTH_WIDTH, SAMPLE_WIDTH = 2.0, 0.7


QUARTER_TURN = np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]])
"""Rotation about the vertical axis to the second view, acting on column vectors."""


def principal_axes(
    coordinates: Float64[np.ndarray, "residue 3"],
) -> Float64[np.ndarray, "3 3"]:
    """Return the proper rotation that lays the longest axis along x, the next on y."""
    centred = coordinates - coordinates.mean(axis=0)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    axes[2] *= np.sign(np.linalg.det(axes))
    return axes


def draw_traces(
    axes: Axes,
    truth: Float64[np.ndarray, "residue 3"],
    samples: Float64[np.ndarray, "sample residue 3"],
) -> None:
    """Draw Cα traces seen along −z, near ones dark and far ones pale.

    Args:
        axes: where to draw.
        truth: Å, centred.
        samples: superposed on the truth, Å.
    """
    chains = np.concatenate([truth[None], samples])
    segments = np.stack([chains[:, :-1], chains[:, 1:]], axis=2)
    depth = segments[..., 2].mean(-1)
    farness = (depth.max() - depth) / np.ptp(depth)
    base = np.array([to_rgb(TRUTH)] + [to_rgb(SAMPLES)] * len(samples))
    fade = FADE * farness[..., None]
    colours = (1.0 - fade) * base[:, None] + fade
    widths = np.full(depth.shape, SAMPLE_WIDTH)
    widths[0] = TRUTH_WIDTH
    order = np.argsort(depth.ravel(), kind="stable")
    axes.add_collection(
        LineCollection(
            segments.reshape(-1, 2, 3)[order, :, :2],
            colors=colours.reshape(-1, 3)[order],
            linewidths=widths.ravel()[order],
            capstyle="round",
        )
    )
    for name, place in (("N", truth[0]), ("C", truth[-1])):
        axes.annotate(
            name,
            place[:2],
            xytext=(0, -9),
            textcoords="offset points",
            ha="center",
            fontsize=7.5,
            fontweight="bold",
            color=INK,
        )
    _frame(axes, chains)


def _frame(axes: Axes, chains: Float64[np.ndarray, "chain residue 3"]) -> None:
    """Fit the axes to the chains and replace them by a scale bar.

    The limits do not change with a turn about the vertical: views share one scale.
    """
    reach = np.hypot(chains[..., 0], chains[..., 2]).max().item() + 1.0
    bottom = chains[..., 1].min().item() - 5.0
    axes.set_xlim(-reach, reach)
    axes.set_ylim(bottom - 1.0, chains[..., 1].max() + 1.0)
    axes.set_aspect("equal")
    axes.set_axis_off()
    axes.plot([-reach, 10.0 - reach], [bottom, bottom], color=INK, linewidth=1.5)
    axes.annotate("10 Å", (5.0 - reach, bottom + 0.7), fontsize=6.5, ha="center")


def draw_profile(axes: Axes, profile: pd.DataFrame) -> None:
    """Draw error and spread along the sequence.

    Args:
        axes: where to draw.
        profile: columns `residue` (author's number); `error` and `spread`, root mean
            square distances of the samples from the truth and from their mean, Å;
            `crlb`, the Cramér-Rao bound without a prior, Å, empty where there is none.
    """
    place = profile["residue"]
    axes.plot(place, profile["error"], color=TRUTH, linewidth=1.1, label="error")
    axes.plot(place, profile["spread"], color=SAMPLES, linewidth=1.1, label="spread")
    axes.fill_between(place, profile["spread"], color=SAMPLES, alpha=0.15, linewidth=0)
    if profile["crlb"].notna().any():
        axes.plot(
            place,
            profile["crlb"],
            color=INK,
            linewidth=0.8,
            linestyle="-.",
            label="Cramér-Rao bound without a prior",
        )
    axes.set_xlim(place.min(), place.max())
    axes.margins(y=0.2)
    axes.set_ylim(bottom=0.0)
    axes.set_xlabel("residue")
    axes.set_ylabel("distance (Å)")
    axes.legend(loc="upper right", ncols=3, handlelength=1.5)
