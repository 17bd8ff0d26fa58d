import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from equicryo.figures.volumes import (
    METHOD_COLOURS,
    METHOD_NAMES,
    draw_fsc,
    draw_slice,
)


def test_slice_is_the_central_section_from_white_to_black():
    volume = np.random.default_rng(0).random((8, 8, 8))
    axes = Figure().subplots()
    draw_slice(axes, volume, 2.0, 0.7)
    (image,) = axes.get_images()
    np.testing.assert_array_equal(image.get_array(), volume[4])
    assert image.get_clim() == (0.0, 0.7)
    (bar,) = axes.get_lines()
    assert np.ptp(bar.get_xdata()) * 2.0 == 20.0


def test_fsc_is_the_mean_and_its_band_the_range_of_reconstructions():
    table = pd.DataFrame(
        {
            "method": ["unet"] * 4 + ["relion"] * 2,
            "reconstruction": [0, 0, 1, 1, 2, 2],
            "frequency": [0.1, 0.2] * 3,
            "fsc": [1.0, 0.4, 0.8, 0.2, 0.9, 0.0],
        }
    )
    axes = Figure().subplots()
    draw_fsc(axes, table)
    lines = {line.get_label(): line for line in axes.get_lines()}
    np.testing.assert_allclose(lines["U-Net posterior"].get_ydata(), [0.9, 0.3])
    np.testing.assert_allclose(lines["RELION"].get_ydata(), [0.9, 0.0])
    band = axes.collections[0].get_paths()[0].vertices
    assert {0.8, 1.0, 0.2, 0.4} <= set(band[:, 1].round(9))


def test_every_method_has_a_colour_of_its_own_and_a_name():
    assert METHOD_COLOURS.keys() == METHOD_NAMES.keys()
    assert len(set(METHOD_COLOURS.values())) == len(METHOD_COLOURS)
