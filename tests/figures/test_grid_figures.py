import math

import numpy as np
import pandas as pd
import pytest
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure

from equicryo.figures.calibration import draw_errors, draw_sizes
from equicryo.figures.collapse import draw_misfit, draw_mismatch, draw_shrinkage
from equicryo.figures.grid import scale_series


def grid_point(source: str, scale: float, alpha: float) -> dict:
    return {
        "prior": "wrong",
        "scale_source": source,
        "scale": scale,
        "scale_true": 1.59,
        "alpha": alpha,
        "rmsd_mean": 0.2 + 1.59 - scale + 1.0 - alpha,
        "rmsd_sd": 0.01,
        "rg_mean": 13.8 * scale / 1.59,
        "rg_sd": 0.1,
        "rg_truth": 13.8,
        "chi2": 1.0,
        "misfit": 1e3 * (1.0 - alpha) - 20.0,
        "crlb_rmsd": 0.31,
        "prior_rmsd": 2.1,
        "chance_rmsd": 18.0,
    }


GRID = pd.DataFrame(
    [
        grid_point(source, scale, alpha)
        for source, scale in (("inferred", 1.588), ("fixed", 1.59), ("fixed", 1.0))
        for alpha in (1.0, 0.01, 0.1)
    ]
)
NONE = GRID.iloc[:0]


def test_series_are_sorted_and_name_the_planted_scale() -> None:
    series = list(scale_series(GRID))
    assert [one.label for one in series] == [
        "λ = 1",
        "λ = 1.59 (planted)",
        "λ inferred (1.588)",
    ]
    for one in series:
        assert one.points["alpha"].tolist() == [0.01, 0.1, 1.0]
    assert len({one.colour for one in series}) == 3
    assert len({one.marker for one in series}) == 3


def errorbars(axes) -> dict[str, ErrorbarContainer]:
    return {bars.get_label(): bars for bars in axes.containers}


@pytest.mark.parametrize(
    ("draw", "quantity"), [(draw_errors, "rmsd"), (draw_sizes, "rg")]
)
def test_calibration_draws_means_with_deviations(draw, quantity: str) -> None:
    axes = Figure().subplots()
    draw(axes, GRID, NONE)
    for one in scale_series(GRID):
        line, _, (bars,) = errorbars(axes)[one.label]
        mean = one.points[f"{quantity}_mean"].to_numpy()
        np.testing.assert_allclose(np.asarray(line.get_ydata(), dtype=float), mean)
        ends = np.array([segment[:, 1] for segment in bars.get_segments()])
        deviation = one.points[f"{quantity}_sd"].to_numpy()
        np.testing.assert_allclose(ends[:, 1] - mean, deviation)


def test_levels_are_those_of_the_right_scale() -> None:
    grid = GRID.copy()
    grid.loc[grid["scale"] == 1.0, ["prior_rmsd", "chance_rmsd"]] = 99.0
    axes = Figure().subplots()
    draw_errors(axes, grid, NONE)
    heights = {
        line.get_ydata()[0] for line in axes.get_lines() if len(line.get_xdata()) == 2
    }
    assert {18.0, 2.1, 0.31} <= heights
    assert 99.0 not in heights


def test_an_infinite_bound_is_left_out() -> None:
    axes = Figure().subplots()
    draw_errors(axes, GRID.assign(crlb_rmsd=math.inf), NONE)
    assert not any("Cramér" in text.get_text() for text in axes.texts)


def test_reference_prior_is_drawn_where_there_is_one() -> None:
    axes = Figure().subplots()
    draw_errors(axes, GRID, GRID.iloc[:1])
    assert "right prior, λ = 1" in errorbars(axes)


def test_mismatch_is_drawn_relative_to_the_truth() -> None:
    axes = Figure().subplots()
    draw_mismatch(axes, GRID[GRID["alpha"] == 1.0])
    line = errorbars(axes)["λ = 1"][0]
    assert line.get_xdata().tolist() == [1.0]
    assert line.get_ydata().tolist() == pytest.approx([1 / 1.59])


def test_shrinkage_draws_every_prior_over_sorted_noise() -> None:
    trace = pd.DataFrame(
        {
            "prior": ["a", "a", "b", "b"],
            "noise_level": [10.0, 1.0, 10.0, 1.0],
            "rg_denoised_mean": [5.0, 13.0, 4.0, 8.0],
            "rg_denoised_sd": [0.1] * 4,
        }
    )
    axes = Figure().subplots()
    draw_shrinkage(axes, trace, truth=13.8)
    drawn = {line.get_label(): line for line in axes.get_lines()}
    assert drawn["a"].get_xdata().tolist() == [1.0, 10.0]
    assert drawn["b"].get_ydata().tolist() == [8.0, 4.0]
    assert drawn["truth"].get_ydata()[0] == 13.8


def test_misfit_shows_both_signs() -> None:
    axes = Figure().subplots()
    draw_misfit(axes, GRID)
    drawn = {line.get_label(): line.get_ydata() for line in axes.get_lines()}
    assert drawn["λ = 1"].tolist() == pytest.approx([970.0, 880.0, -20.0])
    low, high = axes.get_ylim()
    assert low < -20.0
    assert high > 970.0
