import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from equicryo.figures.prior_quality import DRAWN, HELD_OUT, draw_content, draw_map


def test_bars_are_the_shares_of_their_own_set():
    curves = pd.DataFrame(
        {
            "series": [HELD_OUT] * 3 + [DRAWN] * 3,
            "x": [0.0, 1.0, 2.0] * 2,
            "y": [30.0, 20.0, 50.0, 35.0, 15.0, 51.0],
            "error": [1.0] * 6,
        }
    )
    axes = Figure().subplots()
    draw_content(axes, curves)
    bars = {
        container.get_label(): [bar.get_height() for bar in container]
        for container in axes.containers
        if container.get_label() in (HELD_OUT, DRAWN)
    }
    assert bars == {HELD_OUT: [30.0, 20.0, 50.0], DRAWN: [35.0, 15.0, 51.0]}


def test_map_puts_helices_at_right_handed_dihedrals():
    curves = pd.DataFrame(
        {
            "series": [DRAWN, DRAWN, HELD_OUT],
            "x": [95.0, 125.0, 95.0],
            "y": [55.0, -165.0, -55.0],
            "z": [-1.0, -2.0, -1.0],
        }
    )
    axes = Figure().subplots()
    draw_map(axes, curves, DRAWN)
    (mesh,) = axes.collections
    values = np.ma.filled(mesh.get_array().astype(float), np.nan).reshape(18, 36)
    # Cells of 10°, from 0° and from −180°.
    assert values[9, 23] == pytest.approx(-1.0)
    assert values[12, 1] == pytest.approx(-2.0)
    assert np.isfinite(values).sum() == 2
