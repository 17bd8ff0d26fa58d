import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from equicryo.structure.superposition import (
    radius_of_gyration,
    rmsd,
    rmsd_unaligned,
    superpose,
)

SEEDS = st.integers(0, 2**32 - 1)


def random_cloud(seed: int, *shape: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 10.0 * torch.randn(*shape, 3, generator=generator, dtype=torch.float64)


def random_rotation(seed: int) -> torch.Tensor:
    return torch.from_numpy(Rotation.random(rng=seed).as_matrix())


@given(seed=SEEDS, residues=st.integers(4, 60))
def test_superposition_equals_scipy(seed: int, residues: int) -> None:
    mobile, target = random_cloud(seed, 2, residues)
    centred = [cloud - cloud.mean(0) for cloud in (mobile, target)]
    expected, distance = Rotation.align_vectors(centred[1].numpy(), centred[0].numpy())
    # float64 rounding of sums of 60 products of 30 Å × 30 Å; random clouds of four
    # points may be nearly degenerate, which magnifies it.
    np.testing.assert_allclose(
        superpose(mobile, target).rotation.numpy(), expected.as_matrix(), atol=1e-6
    )
    # The optimum is flat, so the RMSD forgives an inexact rotation.
    assert float(rmsd(mobile, target)) == pytest.approx(
        distance / np.sqrt(residues), abs=1e-7
    )


@given(seed=SEEDS, residues=st.integers(1, 40))
def test_superposition_undoes_a_rigid_motion(seed: int, residues: int) -> None:
    cloud = random_cloud(seed, residues)
    moved = cloud @ random_rotation(seed).mT + 100.0 * random_cloud(seed + 1, 1)
    # Coordinates of 10³ Å × 2⁻⁵² × a few operations.
    torch.testing.assert_close(
        superpose(cloud, moved).apply(cloud), moved, rtol=0.0, atol=1e-9
    )


def test_rotation_by_half_a_turn_is_found() -> None:
    cloud = random_cloud(0, 20)
    half_turn = torch.diag(torch.tensor([-1.0, -1.0, 1.0], dtype=torch.float64))
    torch.testing.assert_close(
        superpose(cloud, cloud @ half_turn.mT).rotation, half_turn, rtol=0.0, atol=1e-12
    )


@given(seed=SEEDS)
def test_a_mirror_image_does_not_superpose(seed: int) -> None:
    cloud = random_cloud(seed, 50)
    mirror = cloud * torch.tensor([1.0, 1.0, -1.0], dtype=torch.float64)
    found = superpose(mirror, cloud)
    assert float(torch.linalg.det(found.rotation)) == pytest.approx(1.0, abs=1e-12)
    # Least RMSD to a mirror image is twice the smallest principal width: for 50
    # Gaussian points of σ 10 Å that width never falls below 4 Å.
    centred = cloud - cloud.mean(0)
    smallest = torch.linalg.svdvals(centred)[-1] / 50**0.5
    assert float(rmsd(mirror, cloud)) == pytest.approx(2.0 * float(smallest), rel=1e-9)
    assert float(rmsd(mirror, cloud)) > 8.0


@given(seed=SEEDS, residues=st.integers(1, 40), spread=st.floats(1e-3, 1e3))
def test_rmsd_lies_between_the_bounds_of_two_centred_clouds(
    seed: int, residues: int, spread: float
) -> None:
    first, second = random_cloud(seed, 2, residues)
    second = spread * second
    first_radius = float(radius_of_gyration(first))
    second_radius = float(radius_of_gyration(second))
    # float64 rounding at coordinates of up to 10⁴ Å.
    slack = 1e-10 * (first_radius + second_radius) + 1e-12
    found = float(rmsd(first, second))
    assert found >= abs(first_radius - second_radius) - slack
    assert found <= np.hypot(first_radius, second_radius) + slack


def test_many_samples_are_superposed_on_one_truth() -> None:
    samples, truth = random_cloud(3, 5, 4, 12), random_cloud(4, 12)
    together = rmsd(samples, truth)
    one_by_one = torch.stack([rmsd(sample, truth) for sample in samples.flatten(0, 1)])
    assert together.shape == (5, 4)
    # The same arithmetic in another batch layout: rounding only.
    torch.testing.assert_close(together.flatten(), one_by_one, rtol=1e-12, atol=0.0)


def test_rmsd_unaligned_of_a_shift_is_its_length() -> None:
    cloud = random_cloud(5, 7)
    shift = torch.tensor([3.0, 0.0, 4.0], dtype=torch.float64)
    assert float(rmsd_unaligned(cloud, cloud + shift)) == pytest.approx(5.0, rel=1e-12)


def test_radius_of_gyration_of_a_sphere_is_its_radius() -> None:
    directions = random_cloud(6, 30)
    directions = directions / directions.norm(dim=-1, keepdim=True)
    sphere = 7.0 * torch.cat([directions, -directions]) + 50.0
    assert float(radius_of_gyration(sphere)) == pytest.approx(7.0, rel=1e-12)


def test_gradient_of_rmsd_equals_finite_differences() -> None:
    mobile, target = random_cloud(7, 2, 5)
    assert torch.autograd.gradcheck(rmsd, (mobile.requires_grad_(), target))
