import pytest
import torch

from equicryo.physics.density import centre_distances, gaussian_volume
from equicryo.physics.envelope import SOFTNESS, molecule_mask


def test_mask_holds_the_molecule_and_little_else(generator):
    points = 12.0 * torch.rand(40, 3, dtype=torch.float64, generator=generator) - 6.0
    weights = torch.full((40,), 30.0, dtype=torch.float64)
    density = gaussian_volume(points, weights, 1.0, 32, 1.0)
    mask = molecule_mask(density, 1.0)
    assert float((mask * density).sum() / density.sum()) > 0.98
    assert float(mask[0].max()) == 0.0
    assert float(mask.sum()) < 0.3 * 32**3


@pytest.mark.parametrize("pixel_size", [1.0, 1.5])
def test_edge_of_a_ball_falls_over_its_softness(pixel_size):
    distance = centre_distances(48, pixel_size)
    mask = molecule_mask((distance < 12.0).double(), pixel_size)
    assert float(mask[distance < 11.0].min()) == 1.0
    # The contour of a blurred edge lies up to about 2 Å outside it.
    assert float(mask[distance > 12.0 + 3.0 + SOFTNESS].max()) == 0.0
    assert 0.0 < float(mask[(distance > 15.0) & (distance < 16.0)].mean()) < 1.0
