"""A small molecule, its prior and the normal equations of its images."""

from dataclasses import dataclass

import pytest
import torch

from equicryo.inference.diffusion import ScheduleConfig
from equicryo.inference.dps import DpsConfig
from equicryo.inference.likelihood import ResidueLikelihood, prepare_likelihood
from equicryo.inference.orientation import OrientationConfig
from equicryo.models.denoiser import Denoiser
from equicryo.models.prior import Prior
from equicryo.models.transformer import NetworkConfig, initialise
from equicryo.models.whitening import fit_whitening
from equicryo.physics.compression import compress_images
from equicryo.physics.gain import KnownGain
from equicryo.physics.noise import white_power
from equicryo.physics.normal_equations import NormalEquations
from equicryo.physics.optics import Optics, unastigmatic
from equicryo.physics.pose import Pose, Views
from equicryo.physics.residue_density import SingleBlobs
from equicryo.physics.rotations import draw_rotations
from equicryo.physics.simulation import Specimen, clean_images

RESIDUES = 24
BOX = 48
WIDTH = 1.5


@dataclass(frozen=True, kw_only=True)
class Problem:
    """A truth, an ensemble it belongs to, and what images say of it."""

    truth: torch.Tensor
    ensemble: torch.Tensor
    normal: NormalEquations
    likelihood: ResidueLikelihood
    denoiser: Denoiser

    def prior(self, length_unit: float = 1.0) -> Prior:
        return Prior(
            denoiser=self.denoiser,
            residue_types=torch.zeros(RESIDUES, dtype=torch.int64),
            length_unit=length_unit,
        )


@pytest.fixture(scope="session")
def sampler() -> DpsConfig:
    return DpsConfig(
        samples=4,
        schedule=ScheduleConfig(steps=25, largest_noise=4.0, smallest_noise=0.05),
        blur_per_noise=0.3,
        blurs=(4.0, 2.0, 1.0),
        orientation=OrientationConfig(
            rotations=400, kept=12, rounds=15, blurs=(4.0, 2.0, 1.0)
        ),
    )


@pytest.fixture(scope="session")
def problem(sampler: DpsConfig) -> Problem:
    """60 images of a bent chain without symmetry, noise far below the signal."""
    generator = torch.Generator().manual_seed(0)
    index = torch.arange(RESIDUES, dtype=torch.float64)
    turn = 1.1 * index
    chain = torch.stack(
        (4.0 * turn.cos() + 0.2 * index, 3.0 * turn.sin(), 1.3 * index), -1
    )
    chain[16:, 0] += 1.5 * (index[16:] - 15.0)
    chain -= chain.mean(0)
    modes = torch.stack([(k * torch.pi * index / RESIDUES).cos() for k in (2, 3)])
    amplitude = 0.7 * torch.randn(120, 3, 2, dtype=torch.float64, generator=generator)
    ensemble = chain + torch.einsum("bcm,mi->bic", amplitude, modes)
    ensemble -= ensemble.mean(1, keepdim=True)
    turned = draw_rotations(1, generator=generator)[0]
    truth = ensemble[-1] @ turned.T

    optics = Optics(
        voltage=3e5,
        spherical_aberration=2.7e7,
        amplitude_contrast=0.1,
        pixel_size=1.5,
        box_size=BOX,
    )
    views = Views(
        optics=optics,
        defocus=unastigmatic(torch.full((60,), 2000.0, dtype=torch.float64)),
        pose=Pose(
            rotation=draw_rotations(60, generator=generator),
            shift=torch.zeros(60, 2, dtype=torch.float64),
        ),
    )
    weights = 40.0 + 30.0 * torch.rand(
        RESIDUES, dtype=torch.float64, generator=generator
    )
    specimen = Specimen(coordinates=truth, weights=weights, width=WIDTH)
    images = torch.cat(list(clean_images(specimen, views)))
    variance = float(images.var())
    noise = torch.randn(images.shape, dtype=torch.float64, generator=generator)
    noisy = images + variance**0.5 * noise
    normal = compress_images([(noisy, views)], white_power(variance, BOX), 32)

    density = SingleBlobs(weights=weights, width=WIDTH)
    denoiser = Denoiser(
        NetworkConfig(width=16, rounds=1, layers=1, heads=2),
        fit_whitening(ensemble[:-1]),
    )
    initialise(denoiser.network, generator)
    return Problem(
        truth=truth,
        ensemble=ensemble[:-1],
        normal=normal,
        likelihood=prepare_likelihood(normal, density, KnownGain(), sampler.blurs),
        denoiser=denoiser.eval().requires_grad_(requires_grad=False),
    )
