import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from equicryo.figures.scaling import draw_compute_scaling, draw_data_scaling

ROWS = pd.DataFrame(
    [
        (width, chains, seen, 2.0, 100.0 / width / chains + 1.0 / seen, 0.1)
        for width in (64, 128)
        for chains in (1000, 250)
        for seen in (2, 1)
    ],
    columns=["width", "chains", "residues_seen", "noise_level", "rmsd", "rmsd_error"],
)


def test_each_width_is_a_curve_over_the_number_of_chains():
    final = ROWS[ROWS["residues_seen"] == 2]
    axes = Figure().subplots()
    draw_data_scaling(axes, final)
    curves = [container.lines[0] for container in axes.containers]
    for curve, width in zip(curves, (64, 128), strict=True):
        expected = [(n, 100.0 / width / n + 0.5) for n in (250, 1000)]
        np.testing.assert_allclose(curve.get_xydata(), expected)
    assert "2 Å" in axes.get_ylabel()


def test_each_training_is_a_curve_over_the_residues_seen():
    axes = Figure().subplots()
    draw_compute_scaling(axes, ROWS)
    assert len(axes.lines) == 4
    for line in axes.lines:
        np.testing.assert_allclose(line.get_xdata(), [1, 2])
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == ["64 features, 1000 chains", "128 features, 1000 chains"]
