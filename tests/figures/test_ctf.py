import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from equicryo.figures.ctf import (
    draw_curves,
    draw_image,
    draw_stages,
    image_stages,
    tabulate_boxes,
    tabulate_curves,
)
from equicryo.physics.optics import Optics, unastigmatic
from equicryo.physics.pose import Pose, Views
from equicryo.physics.sampling import smallest_box
from equicryo.physics.simulation import Specimen

OPTICS = Optics(
    voltage=3e5,
    spherical_aberration=2.7e7,
    amplitude_contrast=0.1,
    pixel_size=2.0,
    box_size=48,
)
SPECIMEN = Specimen(
    coordinates=torch.tensor([[0.0, 0.0, 0.0], [8.0, -4.0, 2.0]], dtype=torch.float64),
    weights=torch.tensor([50.0, 70.0], dtype=torch.float64),
    width=2.5,
)


def two_views() -> Views:
    return Views(
        optics=OPTICS,
        defocus=unastigmatic(torch.tensor([3e3, 6e3], dtype=torch.float64)),
        pose=Pose(
            rotation=torch.eye(3, dtype=torch.float64).repeat(2, 1, 1),
            shift=torch.zeros(2, 2, dtype=torch.float64),
        ),
    )


def test_curves_start_at_the_amplitude_contrast_and_end_at_nyquist() -> None:
    curves = tabulate_curves(OPTICS, [3e3, 6e3])
    starts = curves[curves["frequency"] == 0.0]
    assert starts["defocus_um"].tolist() == [0.3, 0.6]
    assert starts["ctf"].tolist() == pytest.approx([0.1, 0.1])
    assert curves["frequency"].max() == 0.25


def test_drawn_curves_are_the_table() -> None:
    curves = tabulate_curves(OPTICS, [3e3, 6e3])
    axes = Figure().subplots()
    draw_curves(axes, curves)
    drawn = {line.get_label(): line.get_ydata() for line in axes.get_lines()}
    expected = curves[curves["defocus_um"] == 0.6]["ctf"]
    np.testing.assert_array_equal(drawn["0.60 µm"], expected)


def test_box_of_the_table_is_the_smallest_unaliased_one() -> None:
    boxes = tabulate_boxes(OPTICS, 40.0)
    row = boxes.iloc[25]
    pixels = smallest_box(OPTICS, 1e4 * row["defocus_um"], 40.0, 0.25)
    assert row["box"] == 2.0 * pixels


def test_stages_differ_by_the_ctf_alone() -> None:
    projections, filtered = image_stages(SPECIMEN, two_views())
    # Every electron projects into the image, whatever the view; tails at 48 Å are nil.
    assert projections.sum((-2, -1)).tolist() == pytest.approx([30.0, 30.0])
    # At zero frequency the CTF is the amplitude contrast.
    assert filtered.sum((-2, -1)).tolist() == pytest.approx([3.0, 3.0])
    torch.testing.assert_close(projections[0], projections[1])
    assert (filtered[0] - filtered[1]).abs().max() > 0.1 * filtered.abs().max()


def test_image_is_drawn_with_y_upwards_and_mean_grey() -> None:
    image = torch.zeros(8, 8, dtype=torch.float64)
    image[1, 5] = 64.0
    axes = Figure().subplots()
    draw_image(axes, image, 2.0)
    (picture,) = axes.get_images()
    assert picture.get_extent() == [0.0, 16.0, 0.0, 16.0]
    low, high = picture.get_clim()
    assert low == -high
    row, column = np.unravel_index(picture.get_array().argmax(), (8, 8))
    assert (row, column, picture.origin) == (1, 5, "lower")


def test_every_stage_of_every_particle_is_drawn_in_its_place() -> None:
    views = two_views()
    stages = [
        [torch.full((4, 4), 10.0 * stage + particle) for particle in (0, 1)]
        for stage in (0, 1, 2)
    ]
    for images in stages:
        for image in images:
            image[0, 0] += image[1, 1]
    axes = Figure().subplots(2, 3)
    draw_stages(axes, stages, views)
    for particle in (0, 1):
        for stage in (0, 1, 2):
            (picture,) = axes[particle, stage].get_images()
            expected = stages[stage][particle] - stages[stage][particle].mean()
            np.testing.assert_allclose(picture.get_array(), expected)
    assert [place.get_ylabel() for place in axes[:, 0]] == ["0.30 µm", "0.60 µm"]
