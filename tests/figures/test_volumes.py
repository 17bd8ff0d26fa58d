import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from equicryo.figures.volumes import (
    METHOD_COLOURS,
    METHOD_NAMES,
    draw_fsc,
    draw_local_resolution,
    draw_slice,
    draw_surface,
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


def test_surface_of_a_ball_is_a_disc_lit_from_its_side():
    radius, edge = 7.0, 24
    place = np.arange(edge) - edge // 2
    square = place[:, None, None] ** 2 + place[:, None] ** 2 + place**2
    volume = np.exp(-0.5 * square / 16.0)
    enclosed = 4.0 / 3.0 * np.pi * radius**3 / edge**3
    axes = Figure().subplots()
    draw_surface(axes, volume, enclosed)
    (image,) = axes.get_images()
    picture = np.ma.filled(image.get_array(), np.nan)
    seen = np.isfinite(picture)
    assert seen.mean() == pytest.approx(np.pi * radius**2 / edge**2, rel=0.05)
    rows, columns = np.nonzero(seen)
    middle = rows.mean(), columns.mean()
    light = {
        (above, right): picture[seen & _half(picture.shape, middle, above, right)]
        for above in (False, True)
        for right in (False, True)
    }
    brightness = {side: values.mean() for side, values in light.items()}
    # From above and from the left, towards the eye.
    assert max(brightness, key=brightness.get) == (True, False)
    assert min(brightness, key=brightness.get) == (False, True)


def _half(shape, middle, above, right):
    row, column = np.indices(shape)
    return ((row > middle[0]) == above) & ((column > middle[1]) == right)


def test_local_resolution_is_blank_outside_the_molecule():
    volume = np.zeros((8, 8, 8))
    volume[4, 2:5, 2:5] = 3.0
    axes = Figure().subplots()
    draw_local_resolution(axes, volume)
    shown = np.ma.filled(axes.get_images()[0].get_array(), np.nan)
    assert np.isfinite(shown).sum() == 9
    assert np.nanmax(shown) == 3.0


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
