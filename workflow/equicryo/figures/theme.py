"""One look for every figure: type, sizes, colours that survive colour blindness."""

import seaborn
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import LogLocator, NullFormatter

WIDTH = 7.2
"""Inches across two columns of a journal."""

BLUE, RED = "#0077BB", "#CC3311"
TEAL, ORANGE, CYAN, MAGENTA = "#009988", "#EE7733", "#33BBEE", "#EE3377"
INK, GREY, PALE = "#222222", "#777777", "#E4E4E4"
"""Paul Tol's vibrant scheme, https://sronpersonalpages.nl/~pault, and three greys."""

SAMPLES, TRUTH = BLUE, RED


def use_theme() -> None:
    """Set matplotlib's defaults; call before a figure is made.

    The salt fixes the ids in SVG files, so that equal figures are equal files.
    """
    seaborn.set_theme(
        context="paper",
        style="ticks",
        rc={
            "font.family": "DejaVu Sans",
            "font.size": 8.0,
            "axes.labelsize": 8.0,
            "axes.titlesize": 8.0,
            "axes.labelcolor": INK,
            "axes.edgecolor": INK,
            "axes.linewidth": 0.7,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "text.color": INK,
            "xtick.color": INK,
            "ytick.color": INK,
            "xtick.labelsize": 7.0,
            "ytick.labelsize": 7.0,
            "xtick.major.width": 0.7,
            "ytick.major.width": 0.7,
            "xtick.minor.width": 0.5,
            "ytick.minor.width": 0.5,
            "legend.fontsize": 7.0,
            "legend.frameon": False,
            "lines.linewidth": 1.3,
            "lines.markersize": 4.5,
            "figure.facecolor": "white",
            "savefig.facecolor": "white",
            "svg.hashsalt": "equicryo",
        },
    )


def mark_panel(axes: Axes, letter: str, title: str) -> None:
    """Write a bold panel letter and a title above the left end of the axes."""
    axes.set_title(f"$\\bf{{{letter}}}$  {title}", loc="left", pad=6)


def mark_note(axes: Axes, text: str) -> None:
    """Write a grey note into the lower left corner of the axes."""
    axes.annotate(
        text, (0.03, 0.04), xycoords="axes fraction", color=GREY, fontsize=6.5
    )


def number_decades(axis: Axis) -> None:
    """Label a logarithmic axis in plain numbers, the more the fewer decades it spans.

    Args:
        axis: of x or y, logarithmic, on which everything has been drawn.
    """
    least, largest = axis.get_view_interval()
    span = largest / least
    steps = (1, 2, 3, 4, 5, 6, 8) if span < 4.0 else (1, 2, 5) if span < 40.0 else (1,)
    axis.set_major_locator(LogLocator(subs=steps))
    axis.set_major_formatter("{x:,.7g}")
    axis.set_minor_formatter(NullFormatter())


def mark_level(
    axes: Axes, height: float, label: str, *, colour: str, style: str
) -> None:
    """Draw a horizontal reference and name it at its right end, beyond the axes.

    Args:
        axes: where to draw.
        height: in data units.
        label: short; it stands right of the axes.
        colour: of line and label.
        style: matplotlib's line style.
    """
    axes.axhline(height, color=colour, linestyle=style, linewidth=0.9, zorder=1)
    axes.annotate(
        label,
        (1.0, height),
        xycoords=("axes fraction", "data"),
        xytext=(3, 0),
        textcoords="offset points",
        color=colour,
        fontsize=6.5,
        va="center",
        annotation_clip=False,
    )
