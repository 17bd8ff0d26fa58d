"""A small asymmetric specimen, its views and its noisy images."""

import pytest
import torch

from equicryo.physics.optics import Defocus, Optics
from equicryo.physics.pose import Pose, Views
from equicryo.physics.rotations import draw_rotations
from equicryo.physics.simulation import Specimen

COUNT = 12
BOX = 48


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(20260101)


@pytest.fixture
def specimen(generator) -> Specimen:
    """Twenty blobs within 8 Å of the origin."""
    coordinates = torch.rand(20, 3, dtype=torch.float64, generator=generator) * 16 - 8
    weights = 20 + 60 * torch.rand(20, dtype=torch.float64, generator=generator)
    return Specimen(coordinates=coordinates, weights=weights, width=1.5)


@pytest.fixture
def views(generator) -> Views:
    """Particles off centre, astigmatic, with a phase plate and an envelope."""

    def uniform(low: float, high: float) -> torch.Tensor:
        unit = torch.rand(COUNT, dtype=torch.float64, generator=generator)
        return low + (high - low) * unit

    return Views(
        optics=Optics(
            voltage=3e5,
            spherical_aberration=2.7e7,
            amplitude_contrast=0.1,
            pixel_size=1.0,
            box_size=BOX,
        ),
        defocus=Defocus(
            mean=uniform(1000, 3000),
            astigmatism=uniform(0, 300),
            angle=uniform(0, 3),
            phase_shift=uniform(0, 1),
            b_factor=uniform(0, 40),
        ),
        pose=Pose(
            rotation=draw_rotations(COUNT, generator=generator),
            shift=torch.stack([uniform(-3, 3), uniform(-3, 3)], dim=-1),
        ),
    )
