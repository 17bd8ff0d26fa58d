import math

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import pdist
from scipy.spatial.transform import Rotation
from scipy.stats import wasserstein_distance

from equicryo.evaluation.metrics import (
    assignment_rmsd,
    pair_distance_discrepancy,
    posterior_mean,
    residue_error,
    residue_spread,
)
from equicryo.structure.superposition import rmsd


def random_walk(seed: int, residues: int = 40) -> torch.Tensor:
    """Draw a chain of 3.8 Å steps, centred."""
    generator = torch.Generator().manual_seed(seed)
    steps = torch.randn(residues, 3, generator=generator, dtype=torch.float64)
    walk = (3.8 * steps / steps.norm(dim=-1, keepdim=True)).cumsum(0)
    return walk - walk.mean(0)


def perturbed(truth: torch.Tensor, deviation: float, samples: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(7)
    shape = (samples, *truth.shape)
    return truth + deviation * torch.randn(
        shape, generator=generator, dtype=torch.float64
    )


@settings(max_examples=10)
@given(seed=st.integers(0, 2**31))
def test_assignment_rmsd_of_shuffled_and_moved_truth_is_zero(seed: int) -> None:
    # Nearest neighbours are ~ 2 Å or more apart, the labels' start is only rotated.
    truth = random_walk(seed, residues=20)
    rotation = torch.from_numpy(Rotation.random(rng=seed).as_matrix())
    moved = truth @ rotation.T + torch.tensor([3.0, -2.0, 9.0], dtype=torch.float64)
    swapped = moved.clone()
    swapped[[4, 5]] = moved[[5, 4]]
    # 1e-6: the root of the rounding of squared distances of 10² Å², 1e-14.
    assert assignment_rmsd(swapped[None], truth).item() < 1e-6
    assert rmsd(swapped, truth) > 0.5


@settings(max_examples=10)
@given(seed=st.integers(0, 2**31))
def test_assignment_rmsd_never_exceeds_index_rmsd(seed: int) -> None:
    truth, other = random_walk(seed), random_walk(seed + 1)
    samples = torch.stack([other, truth + 0.3 * other])
    assert (assignment_rmsd(samples, truth) <= rmsd(samples, truth) + 1e-9).all()


def test_pair_distance_discrepancy_agrees_with_scipy() -> None:
    truth = random_walk(1)
    samples = perturbed(truth, 1.0, 3) * 0.8
    expected = [
        wasserstein_distance(pdist(sample.numpy()), pdist(truth.numpy()))
        for sample in samples
    ]
    # Both sum 780 float64 numbers of 40 Å: 1e-12.
    np.testing.assert_allclose(
        pair_distance_discrepancy(samples, truth), expected, rtol=1e-10
    )


def test_pair_distance_discrepancy_of_a_mirror_image_is_zero() -> None:
    truth = random_walk(2)
    mirror = truth * torch.tensor([1.0, 1.0, -1.0], dtype=torch.float64)
    # Exact but for the order of sums.
    assert pair_distance_discrepancy(mirror[None], truth).item() < 1e-12


def test_posterior_mean_is_not_superposed() -> None:
    truth = random_walk(3)
    turned = truth @ torch.diag(torch.tensor([-1.0, -1.0, 1.0], dtype=torch.float64))
    mean = posterior_mean(torch.stack([truth, turned]))
    # A half turn about z leaves only z: exact cancellation.
    torch.testing.assert_close(mean[:, :2], torch.zeros_like(mean[:, :2]))
    torch.testing.assert_close(mean[:, 2], truth[:, 2])


def test_residue_spread_of_isotropic_noise_is_root_three_deviations() -> None:
    samples = perturbed(random_walk(5), 0.5, 4000)
    # Each residue: √(3) 0.5 with relative error 1/√(6 n) = 0.0065; 40 residues, 4 σ.
    expected = torch.full((40,), math.sqrt(3) * 0.5, dtype=torch.float64)
    torch.testing.assert_close(residue_spread(samples), expected, rtol=0.026, atol=0)


def test_residue_error_splits_into_bias_and_spread() -> None:
    truth = random_walk(6)
    samples = perturbed(truth, 0.4, 50) + 0.7
    bias = (posterior_mean(samples) - truth).square().sum(-1)
    # Exact: a mean square is bias² plus variance.
    torch.testing.assert_close(
        residue_error(samples, truth).square(),
        bias + residue_spread(samples).square(),
        rtol=1e-10,
        atol=0.0,
    )
