import numpy as np
import pytest
import torch

from equicryo.inference.diffusion import ScheduleConfig
from equicryo.inference.log_density import log_density
from equicryo.models.denoiser import Denoiser
from equicryo.models.polymer import fit_polymer, rouse_modes
from equicryo.models.prior import Prior
from equicryo.models.transformer import NetworkConfig, initialise
from equicryo.physics.rotations import draw_rotations

RESIDUES = 16
SCHEDULE = ScheduleConfig(steps=120, largest_noise=2000.0, smallest_noise=0.5)


@pytest.fixture
def prior() -> Prior:
    """An untrained prior: the polymer's Gaussian, whose density is known."""
    generator = np.random.default_rng(0)
    walks = [
        np.cumsum(2.2 * generator.normal(size=(n, 3)), 0)
        for n in generator.integers(40, 250, 500)
    ]
    denoiser = Denoiser(
        NetworkConfig(width=8, rounds=1, layers=1, heads=1), fit_polymer(walks)
    )
    initialise(denoiser.network, torch.Generator().manual_seed(0))
    types = torch.zeros(RESIDUES, dtype=torch.int64)
    return Prior(denoiser=denoiser.double(), residue_types=types, length_unit=1.0)


@pytest.fixture
def chain() -> torch.Tensor:
    generator = torch.Generator().manual_seed(3)
    steps = torch.randn(RESIDUES, 3, generator=generator, dtype=torch.float64)
    return 2.2 * steps.cumsum(0)


def test_density_of_a_gaussian_is_its_closed_form(prior, chain):
    present = torch.ones(1, RESIDUES, dtype=torch.bool)
    modes = rouse_modes(present, torch.float64)[0]
    variance = prior.denoiser.whitening.variance(present)[0]
    variance = variance + SCHEDULE.smallest_noise**2
    amplitude = modes.T @ chain
    exact = torch.distributions.Normal(0.0, variance.sqrt()[:, None])
    closed = float(exact.log_prob(amplitude).sum())
    assert log_density(prior, chain, SCHEDULE) == pytest.approx(closed, abs=0.25)
    assert log_density(prior, 2 * chain, SCHEDULE) < closed - 10.0


def test_density_is_the_same_in_every_place(prior, chain):
    with torch.no_grad():
        for weight in prior.denoiser.network.parameters():
            weight += 0.1
    rotation = draw_rotations(1, generator=torch.Generator().manual_seed(5))[0]
    short = ScheduleConfig(steps=6, largest_noise=100.0, smallest_noise=0.5)
    here = log_density(prior, chain, short)
    there = log_density(prior, chain @ rotation.T + 7.0, short)
    assert there == pytest.approx(here, rel=1e-9)
    mirrored = log_density(prior, chain * torch.tensor([1.0, 1.0, -1.0]), short)
    assert mirrored != pytest.approx(here, rel=1e-6)
