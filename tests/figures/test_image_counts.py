import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from equicryo.evaluation.image_counts import ERRORS
from equicryo.figures.image_counts import (
    CURVES,
    draw_errors_by_images,
    draw_worth_by_images,
)

COUNTS = [100, 1000]
POINTS = pd.DataFrame(
    {
        "n_images": COUNTS,
        **{
            f"{name}_{part}": [value * shift, 0.5 * value * shift]
            for value, name in enumerate((*ERRORS, "worth"), start=1)
            for part, shift in (("median", 1.0), ("min", 0.9), ("max", 1.2))
        },
    }
)


def test_every_error_is_a_curve_over_the_number_of_images():
    axes = Figure().subplots()
    draw_errors_by_images(axes, POINTS)
    assert len(axes.lines) == len(axes.collections) == len(CURVES)
    for line, (name, label, *_) in zip(axes.lines, CURVES, strict=True):
        assert line.get_label() == label
        expected = np.stack((COUNTS, POINTS[f"{name}_median"]), axis=1)
        np.testing.assert_allclose(line.get_xydata(), expected)
    assert axes.get_xscale() == axes.get_yscale() == "log"


def test_a_study_without_traces_has_no_curve_of_them():
    axes = Figure().subplots()
    draw_errors_by_images(axes, POINTS.assign(beads_rmsd_median=np.nan))
    assert "trace, no prior" not in [line.get_label() for line in axes.lines]


def test_the_worth_is_drawn_with_its_range():
    axes = Figure().subplots()
    draw_worth_by_images(axes, POINTS)
    np.testing.assert_allclose(axes.lines[0].get_ydata(), POINTS["worth_median"])
    heights = axes.collections[0].get_paths()[0].vertices[:, 1]
    assert heights.min() == POINTS["worth_min"].min()
    assert heights.max() == POINTS["worth_max"].max()


def test_images_needed_with_and_without_a_prior_are_told_where_they_are_known():
    axes = Figure().subplots()
    points = POINTS.assign(rmsd_mean_median=[2.0, 0.5], beads_rmsd_median=[4.0, 0.5])
    draw_errors_by_images(axes, points)
    (text,) = (note.get_text() for note in axes.texts)
    # 100 · 10^½ and 100 · 10^⅔.
    assert text == "1 Å: 316 images; 464 without prior"
