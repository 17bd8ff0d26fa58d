import numpy as np
import torch

from equicryo.inference.candidates import cover_greedily, sample_map
from equicryo.physics.density import gaussian_volume


def test_balls_find_separate_blobs_in_the_order_of_their_weight() -> None:
    centres = torch.tensor([[-6.0, 1.0, 2.4], [5.2, -3.0, 0.0], [0.7, 6.0, -5.0]])
    weights = torch.tensor([1.0, 3.0, 2.0])
    volume = gaussian_volume(centres, weights, 0.7, 24, 1.0)
    places, held = cover_greedily(volume, 1.0, 3, 2.5)
    # A ball of 3.6 widths on a grid cuts blobs off unevenly, by up to half a voxel.
    np.testing.assert_allclose(places, centres[[1, 2, 0]].numpy(), atol=0.15)
    np.testing.assert_allclose(held, [3.0, 2.0, 1.0], rtol=0.05)


def test_what_one_ball_holds_no_other_does() -> None:
    volume = torch.rand(10, 10, 10, generator=torch.Generator().manual_seed(0))
    _, held = cover_greedily(volume, 1.2, 1000, 1.3)
    np.testing.assert_allclose(held.sum(), float(volume.double().sum()), rtol=1e-9)
    assert (np.diff(held) <= 1e-9).all()


def test_maps_are_sampled_at_their_voxels() -> None:
    volume = torch.rand(6, 6, 6, generator=torch.Generator().manual_seed(1))
    points = 1.5 * np.array([[0.0, 0.0, 0.0], [1.0, -2.0, 2.0]])
    expected = [float(volume[3, 3, 3]), float(volume[5, 1, 4])]
    np.testing.assert_allclose(sample_map(volume, points, 1.5), expected, atol=1e-6)
