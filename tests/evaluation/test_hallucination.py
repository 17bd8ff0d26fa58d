import math

import pytest
import torch
from scipy.spatial.transform import Rotation

from equicryo.evaluation.hallucination import (
    _Search,
    best_correlation,
    noise_only,
    rotation_grid,
    smooth_cloud,
)
from equicryo.physics.density import gaussian_filter, gaussian_volume
from equicryo.physics.normal_operator import NormalOperator
from equicryo.physics.rotations import draw_rotations


@pytest.fixture(scope="module")
def chain() -> torch.Tensor:
    index = torch.arange(40, dtype=torch.float64)
    turn = 0.55 * index
    place = torch.stack(
        [(4 + 0.2 * index) * turn.cos(), 6.0 * turn.sin(), 0.5 * index], -1
    )
    return place - place.mean(0)


def draw_volume(points: torch.Tensor) -> torch.Tensor:
    weights = torch.full((len(points),), 50.0, dtype=torch.float64)
    return gaussian_volume(points, weights, 1.5, 32, 1.5)


def test_a_turned_chain_is_found_and_a_cloud_of_its_size_is_not(chain):
    generator = torch.Generator().manual_seed(0)
    turned = chain @ draw_rotations(1, generator=generator)[0].T
    volume, weights = draw_volume(turned), torch.ones(40, dtype=torch.float64)
    cloud = smooth_cloud(chain, generator=generator)
    own, other = (
        best_correlation(volume, points, weights, 1.5, 0.3) for points in (chain, cloud)
    )
    # The map is blurred by 1.5 and 3 Å, the model's blobs are 3 Å wide.
    assert own > 0.97
    assert other < own - 0.05


def test_correlation_is_pearsons_of_the_two_densities(chain):
    """One orientation, by hand on the grid."""
    volume = draw_volume(chain) + 0.3
    weights = torch.linspace(1.0, 2.0, 40, dtype=torch.float64)
    search = _Search(volume, chain, weights, 1.5)
    found = search.correlations(torch.eye(3, dtype=torch.float64)[None])
    model = gaussian_volume(chain, weights, 3.0, 32, 1.5)
    blurred = gaussian_filter(volume, 2.0)
    pair = torch.stack([blurred.flatten(), model.flatten()])
    # Linear interpolation of a map smooth over 2.8 voxels.
    assert float(found) == pytest.approx(float(torch.corrcoef(pair)[0, 1]), abs=0.02)


def test_rotations_fill_the_group_evenly():
    rotations = rotation_grid(math.radians(15.0))
    torch.testing.assert_close(
        torch.linalg.det(rotations), torch.ones(len(rotations)).double()
    )
    probes = Rotation.random(200, random_state=0).as_matrix()
    traces = torch.einsum("nij,mij->nm", rotations, torch.from_numpy(probes))
    angle = torch.rad2deg(((traces.max(0).values - 1.0) / 2.0).clamp(max=1.0).acos())
    assert float(angle.max()) < 16.0


def test_noise_only_images_say_nothing_of_the_truth():
    generator = torch.Generator().manual_seed(1)
    power = torch.rand(16, 16, 9, dtype=torch.float64, generator=generator)
    power = power + torch.roll(power.flip(0, 1), (1, 1), (0, 1))
    truth = torch.randn(8, 8, 8, dtype=torch.float64, generator=generator)
    noise = torch.randn(8, 8, 8, dtype=torch.float64, generator=generator)
    empty = NormalOperator(b=noise, transfer=power, pixel_size=1.0)
    full = NormalOperator(
        b=noise + empty.convolve(truth), transfer=power, pixel_size=1.0
    )
    torch.testing.assert_close(noise_only(full, truth).b, noise)


def test_clouds_have_the_moments_of_the_chain_and_not_its_course(chain):
    cloud = smooth_cloud(chain, generator=torch.Generator().manual_seed(2))
    torch.testing.assert_close(torch.cov(cloud.T), torch.cov(chain.T))
    assert float((cloud.diff(dim=0).norm(dim=1)).std()) > 3.0
