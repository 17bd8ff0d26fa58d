"""A small ensemble and denoisers whose every weight is far from its start."""

import pytest
import torch

from equicryo.models.denoiser import Denoiser
from equicryo.models.transformer import NetworkConfig, initialise
from equicryo.models.whitening import fit_whitening
from equicryo.physics.rotations import draw_rotations

RESIDUES = 40


@pytest.fixture(scope="session")
def helix() -> torch.Tensor:
    """A right-handed α-helix and a strand, centred, Å."""
    index = torch.arange(RESIDUES, dtype=torch.float64)
    angle = torch.deg2rad(100.0 * index)
    coil = torch.stack((2.3 * angle.cos(), 2.3 * angle.sin(), 1.5 * index), -1)
    strand = torch.stack((8.0 + 0.9 * (-1.0) ** index, 0.3 * index, 3.3 * index), -1)
    chain = torch.where(index[:, None] < 24, coil, strand - strand[24] + coil[24] + 3.0)
    return chain - chain.mean(0)


@pytest.fixture(scope="session")
def ensemble(helix: torch.Tensor) -> torch.Tensor:
    """200 conformers along three smooth modes, each turned at random, Å."""
    generator = torch.Generator().manual_seed(0)
    phase = torch.linspace(0.0, torch.pi, RESIDUES, dtype=torch.float64)
    modes = torch.stack([(k * phase).cos() for k in (2, 3, 4)])
    amplitude = torch.randn(200, 3, 3, dtype=torch.float64, generator=generator)
    chains = helix + torch.einsum("cmx,mi->cix", amplitude, modes)
    return chains @ draw_rotations(200, generator=generator).mT


@pytest.fixture(scope="session")
def denoiser(ensemble: torch.Tensor) -> Denoiser:
    generator = torch.Generator().manual_seed(1)
    network = NetworkConfig(width=32, rounds=2, layers=2, heads=4)
    made = Denoiser(network, fit_whitening(ensemble))
    initialise(made.network, generator)
    with torch.no_grad():
        for weight in made.network.parameters():
            weight += 0.1 * torch.randn(weight.shape, generator=generator)
    return made.requires_grad_(requires_grad=False)
