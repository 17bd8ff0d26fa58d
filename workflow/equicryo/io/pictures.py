"""Saving figures with the same bytes for the same drawing."""

from pathlib import Path

from matplotlib.figure import Figure

from equicryo.io.files import replace_atomically

DOTS_PER_INCH = 200


def save_figure(figure: Figure, *paths: str | Path) -> None:
    """Write a figure, once a path, in the format of each suffix.

    No date and no program version is written into the files.

    Args:
        figure: to be saved.
        paths: .svg or .png files, replaced as a whole.
    """
    for path in paths:
        vector = Path(path).suffix == ".svg"
        metadata = {"Date": None, "Creator": None} if vector else {"Software": None}
        with replace_atomically(path) as temporary:
            figure.savefig(temporary, dpi=DOTS_PER_INCH, metadata=metadata)
