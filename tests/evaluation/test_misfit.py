import math

import pytest
import torch

from equicryo.evaluation.misfit import chi_square, structure_chi_square
from equicryo.physics.density import gaussian_volume
from equicryo.physics.gain import KnownGain, UnknownGain
from equicryo.physics.normal_equations import NormalEquations
from equicryo.physics.residue_density import SingleBlobs

from ..normal_equations import seen_through, spike

EDGE = 12
PRECISION = 4.0


def white_normal(volumes: torch.Tensor) -> NormalEquations:
    """Observe volumes themselves, voxel by voxel, in white noise: K is a delta."""
    return seen_through(
        spike(EDGE, PRECISION * len(volumes)),
        PRECISION * volumes.sum(0),
        data_energy=PRECISION * volumes.square().sum().item(),
        n_images=len(volumes),
    )


def noisy(volume: torch.Tensor, count: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(4)
    noise = torch.randn(count, *volume.shape, generator=generator, dtype=torch.float64)
    return volume + noise / math.sqrt(PRECISION)


def test_chi_square_is_one_at_the_truth() -> None:
    generator = torch.Generator().manual_seed(5)
    truth = torch.randn((EDGE,) * 3, generator=generator, dtype=torch.float64)
    data = noisy(truth, 40)
    # Standard deviation √(2/n) = 0.0054; four of them.
    assert chi_square(truth, white_normal(data), KnownGain()) == pytest.approx(
        1.0, abs=4 * math.sqrt(2 / data.numel())
    )


def test_chi_square_is_the_mean_weighted_residual() -> None:
    truth = torch.zeros((EDGE,) * 3, dtype=torch.float64)
    data = noisy(truth, 5)
    guess = truth + 0.3
    expected = PRECISION * (data - guess).square().mean().item()
    # Sums of 8,640 float64 numbers.
    assert chi_square(guess, white_normal(data), KnownGain()) == pytest.approx(
        expected, rel=1e-10
    )


def test_structure_is_compared_through_its_density() -> None:
    atoms = torch.tensor([[0.4, -1.0, 0.2], [2.0, 1.5, -1.1]], dtype=torch.float64)
    weights = torch.tensor([50.0, 70.0], dtype=torch.float64)
    density = SingleBlobs(weights=weights, width=1.5)
    data = gaussian_volume(atoms, weights, 1.5, EDGE, 1.0)[None]
    at_truth, displaced = (
        structure_chi_square(place, white_normal(data), density, KnownGain())
        for place in (atoms, atoms.flip(0))
    )
    # Noiseless: zero up to rounding of the energy of the data.
    assert at_truth == pytest.approx(0.0, abs=1e-12)
    other = gaussian_volume(atoms.flip(0), weights, 1.5, EDGE, 1.0)
    expected = PRECISION * (data[0] - other).square().mean().item()
    assert displaced == pytest.approx(expected, rel=1e-9)


def test_unknown_gain_leaves_the_misfit_of_the_best_gain() -> None:
    generator = torch.Generator().manual_seed(6)
    truth = torch.randn((EDGE,) * 3, generator=generator, dtype=torch.float64)
    data = 37.0 * noisy(truth, 5)
    shape = truth + 0.1
    gain = float((shape * data.mean(0)).sum() / shape.square().sum())
    expected = PRECISION * (data - gain * shape).square().mean().item()
    # The posterior mean misses the best gain by at most its spread: 1/n.
    actual = chi_square(shape, white_normal(data), UnknownGain())
    assert actual == pytest.approx(expected, rel=2 / data.numel())
