"""Simulated normal equations against compressed images, and against their own law."""

import math

import pytest
import torch

from equicryo.physics.compression import compress_images
from equicryo.physics.density import gaussian_volume
from equicryo.physics.field_simulation import (
    ImagingConditions,
    simulate_back_projection,
    simulate_transfer,
)
from equicryo.physics.noise import white_power
from equicryo.physics.normal_operator import prepare_operator
from equicryo.physics.optics import Optics, unastigmatic
from equicryo.physics.pose import Pose, Views
from equicryo.physics.rotations import draw_rotations
from equicryo.physics.simulation import Specimen, clean_images, noise_variance
from equicryo.physics.spectra import half_grid_frequencies

EDGE, PIXEL_SIZE, BOX = 16, 2.0, 32
WIDTH = 2.2
TOTAL_SNR = 40.0


@pytest.fixture(scope="module")
def specimen() -> Specimen:
    generator = torch.Generator().manual_seed(0)
    points = 4.0 * torch.randn(12, 3, dtype=torch.float64, generator=generator)
    weights = 40.0 + 30.0 * torch.rand(12, dtype=torch.float64, generator=generator)
    return Specimen(coordinates=points - points.mean(0), weights=weights, width=WIDTH)


def make_optics(pixel_size: float) -> Optics:
    return Optics(
        voltage=3e5,
        spherical_aberration=2.7e7,
        amplitude_contrast=0.1,
        pixel_size=pixel_size,
        box_size=BOX,
    )


@pytest.fixture(scope="module")
def views() -> Views:
    generator = torch.Generator().manual_seed(1)
    unit = torch.rand(250, dtype=torch.float64, generator=generator)
    return Views(
        optics=make_optics(PIXEL_SIZE),
        defocus=unastigmatic(1500.0 + 1500.0 * unit),
        pose=Pose(
            rotation=draw_rotations(250, generator=generator),
            shift=torch.zeros(250, 2, dtype=torch.float64),
        ),
    )


@pytest.mark.parametrize("n_images", [250, 4000])
def test_transfer_has_the_power_of_compressed_images(specimen, views, n_images) -> None:
    """At 250 images slices are drawn, at 4,000 they fill Fourier space evenly."""
    variance = noise_variance(specimen, views, TOTAL_SNR / 250, EDGE)
    images = torch.cat(list(clean_images(specimen, views)))
    normal = compress_images([(images, views)], white_power(variance, BOX), EDGE)
    expected = prepare_operator(normal, dtype=torch.float32).transfer
    volume = gaussian_volume(
        specimen.coordinates.float(), specimen.weights.float(), WIDTH, EDGE, PIXEL_SIZE
    )
    conditions = ImagingConditions(
        n_images=n_images,
        # With pixels of 2 Å there are four times fewer at the same information.
        total_snr=TOTAL_SNR / PIXEL_SIZE**2,
        support=EDGE * PIXEL_SIZE,
        optics=make_optics(1.0),
        defocus=(1500.0, 3000.0),
    )
    transfer = simulate_transfer(
        volume, PIXEL_SIZE, conditions, generator=torch.Generator().manual_seed(2)
    )
    for low, high in ((0.04, 0.08), (0.08, 0.13), (0.13, 0.2)):
        means = []
        for grid in (expected, transfer):
            k = half_grid_frequencies(len(grid), PIXEL_SIZE)
            means.append(float(grid[(k > low) & (k < high)].mean()))
        # Shells of two grids, 250 draws of a defocus, and the support's finite size.
        assert means[1] == pytest.approx(means[0], rel=0.1)


def test_back_projection_has_the_mean_and_covariance_of_its_law() -> None:
    generator = torch.Generator().manual_seed(3)
    volume = torch.rand(8, 8, 8, generator=generator)
    transfer = 5.0 * torch.exp(-20.0 * half_grid_frequencies(8, 1.0))
    draws = torch.stack(
        [
            simulate_back_projection(volume, transfer, generator=generator)
            for _ in range(2000)
        ]
    )
    kernel = torch.fft.irfftn(transfer, volume.shape)
    convolved = torch.fft.irfftn(
        torch.fft.rfftn(kernel) * torch.fft.rfftn(volume), volume.shape
    )
    noise = draws - convolved
    spread = math.sqrt(float(kernel[0, 0, 0]))
    # 512 means of 2,000 draws, at most 4.5 standard errors off.
    assert noise.mean(0).abs().max() < 4.5 * spread / math.sqrt(2000)
    for lag in ((0, 0, 0), (0, 0, 1), (1, 2, 0)):
        moved = noise.roll(lag, (1, 2, 3))
        found = float((noise * moved).mean())
        assert found == pytest.approx(float(kernel[lag]), abs=0.03 * spread**2)
