import math

import pytest
import torch

from equicryo.evaluation.controls import chance_rmsd, mirror_rmsd, permuted_rmsd
from equicryo.structure.superposition import radius_of_gyration


def cloud(seed: int, residues: int = 129) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 8.0 * torch.randn(residues, 3, generator=generator, dtype=torch.float64)


def centred(coordinates: torch.Tensor) -> torch.Tensor:
    return coordinates - coordinates.mean(-2, keepdim=True)


def expected_rmsd(first_size: float, second_size: float, overlap: float) -> float:
    return math.sqrt(first_size**2 + second_size**2 - 2.0 * overlap)


def test_chance_of_a_large_cloud_approaches_the_upper_bound() -> None:
    truth = cloud(1, residues=20_000)
    samples = 0.5 * cloud(2, residues=20_000)[None]
    generator = torch.Generator().manual_seed(3)
    chance = chance_rmsd(samples, truth, generator=generator)
    sizes = radius_of_gyration(samples).item(), radius_of_gyration(truth).item()
    # The singular values of the covariance fall as 1/√n: 3 · 1.5/√20,000 = 3 %.
    assert chance.mean().item() == pytest.approx(expected_rmsd(*sizes, 0.0), rel=0.03)
    assert len(chance) == 100


def test_chance_takes_the_size_of_the_samples() -> None:
    truth = cloud(1)
    generator = torch.Generator().manual_seed(3)
    chance = chance_rmsd(1e-6 * cloud(2)[None], truth, generator=generator)
    # A point against the truth: its radius of gyration, whatever the rotation.
    size = radius_of_gyration(truth).item()
    torch.testing.assert_close(
        chance, torch.full_like(chance, size), rtol=1e-6, atol=0.0
    )


def test_permuted_residues_of_the_truth_are_as_bad_as_chance() -> None:
    truth = cloud(4)
    samples = truth.repeat(100, 1, 1)
    permuted = permuted_rmsd(
        samples, truth, generator=torch.Generator().manual_seed(5)
    ).mean()
    chance = chance_rmsd(
        samples, truth, generator=torch.Generator().manual_seed(6)
    ).mean()
    # For a Gaussian truth a permutation is a Gaussian cloud; standard errors of
    # 100 draws are about 0.3 % each.
    assert permuted.item() == pytest.approx(chance.item(), rel=0.015)


def test_mirror_of_the_truth_leaves_twice_its_thinnest_direction() -> None:
    truth = centred(cloud(7))
    smallest = torch.linalg.eigvalsh(truth.T @ truth / len(truth))[0].item()
    # A mirror image is best superposed with its thinnest axis reversed.
    assert mirror_rmsd(truth[None], truth).item() == pytest.approx(
        2.0 * math.sqrt(smallest), rel=1e-9
    )
