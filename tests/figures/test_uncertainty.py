import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from equicryo.figures.uncertainty import (
    draw_coverage_by_level,
    draw_ranks,
    draw_regions_by_level,
    draw_spread_skill,
)

COVERAGE = pd.DataFrame(
    {
        "study": ["images"] * 2 + ["unseen_fold"] * 2,
        "level": [0.5, 0.9] * 2,
        "coverage": [0.45, 0.85, 0.52, 0.91],
        "least": [0.4, 0.8, 0.5, 0.9],
        "largest": [0.5, 0.9, 0.6, 0.95],
    }
)
SKILL = pd.DataFrame(
    {
        "study": ["images"] * 2,
        "predicted": [0.1, 0.4],
        "actual": [0.12, 0.39],
    }
)


def test_each_study_is_a_curve_of_coverage_beside_the_honest_line():
    axes = Figure().subplots()
    draw_coverage_by_level(axes, COVERAGE)
    honest, *curves = axes.lines
    np.testing.assert_allclose(honest.get_xydata(), [[0, 0], [1, 1]])
    assert [curve.get_label() for curve in curves] == ["images", "unseen fold"]
    np.testing.assert_allclose(curves[1].get_ydata(), [0.52, 0.91])


def test_errors_are_drawn_against_predicted_ones():
    axes = Figure().subplots()
    draw_spread_skill(axes, SKILL)
    honest, points = axes.lines
    np.testing.assert_allclose(points.get_xydata(), SKILL[["predicted", "actual"]])
    (low, same), (high, also) = honest.get_xydata()
    assert (low, high) == (same, also)
    assert low < 0.1 < 0.4 < high


def test_regions_are_drawn_beside_the_honest_line():
    axes = Figure().subplots()
    rows = {"study": ["images"] * 2, "level": [0.3, 0.6], "residues": [0.2, 0.5]}
    draw_regions_by_level(axes, pd.DataFrame(rows))
    honest, curve = axes.lines
    np.testing.assert_allclose(honest.get_xydata(), [[0, 0], [1, 1]])
    np.testing.assert_allclose(curve.get_xydata(), [[0.3, 0.2], [0.6, 0.5]])


def test_ranks_are_drawn_beside_even_ones():
    axes = Figure().subplots()
    rows = {"study": ["images"] * 2, "rank": [0.25, 0.75], "density": [0.9, 1.1]}
    draw_ranks(axes, pd.DataFrame(rows))
    even, curve = axes.lines
    assert set(even.get_ydata()) == {1.0}
    np.testing.assert_allclose(curve.get_xydata(), [[0.25, 0.9], [0.75, 1.1]])


def test_where_nothing_was_found_axes_are_empty():
    figure = Figure()
    axes = figure.subplots()
    draw_spread_skill(axes, SKILL[:0])
    figure.canvas.draw()
    assert len(axes.lines) == 0
