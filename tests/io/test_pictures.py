import re
from pathlib import Path

import matplotlib.image
from matplotlib.figure import Figure

from equicryo.figures.theme import use_theme
from equicryo.io.pictures import DOTS_PER_INCH, save_figure


def a_figure() -> Figure:
    use_theme()
    figure = Figure(figsize=(2.0, 1.5), layout="constrained")
    axes = figure.subplots()
    axes.plot([0.0, 1.0], [0.0, 2.0], label="a line")
    axes.fill_between([0.0, 1.0], [0.0, 1.0])
    axes.legend()
    return figure


def test_equal_figures_are_equal_files(tmp_path: Path) -> None:
    for name in ("first", "second"):
        paths = (tmp_path / f"{name}.{suffix}" for suffix in ("svg", "png"))
        save_figure(a_figure(), *paths)
    for suffix in ("svg", "png"):
        first, second = (tmp_path / f"{name}.{suffix}" for name in ("first", "second"))
        assert first.read_bytes() == second.read_bytes()


def test_files_tell_neither_date_nor_program(tmp_path: Path) -> None:
    svg, png = tmp_path / "figure.svg", tmp_path / "figure.png"
    save_figure(a_figure(), svg, png)
    assert not re.search(
        r"<dc:date>|<dc:creator>|matplotlib v", svg.read_text().lower()
    )
    assert b"matplotlib" not in png.read_bytes().lower()


def test_png_has_the_stated_resolution(tmp_path: Path) -> None:
    path = tmp_path / "figure.png"
    save_figure(a_figure(), path)
    height, width = matplotlib.image.imread(path).shape[:2]
    assert (width, height) == (2.0 * DOTS_PER_INCH, 1.5 * DOTS_PER_INCH)
