"""RELION reads what is written here, and means the same by it."""

import shutil
import subprocess
from pathlib import Path

import mrcfile
import numpy as np
import pytest
import torch

from equicryo.io.particles import read_batches, read_particles, write_particles
from equicryo.io.stacks import write_stack
from equicryo.physics.compression import compress_images
from equicryo.physics.density import gaussian_volume
from equicryo.physics.noise import white_power
from equicryo.physics.normal_equations import NormalEquations
from equicryo.physics.normal_operator import prepare_operator
from equicryo.physics.optics import Defocus, Optics
from equicryo.physics.pose import Pose, Views
from equicryo.physics.rotations import draw_rotations
from equicryo.physics.simulation import Specimen, noise_variance, noisy_images
from equicryo.physics.wiener import wiener_map

COUNT = 1000
FEW = 100
BOX = 128
SUPPORT = 64
SNR = 0.1

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        shutil.which("relion_reconstruct") is None, reason="RELION is not installed"
    ),
]


@pytest.fixture(scope="module")
def specimen() -> Specimen:
    """A hundred blobs within a sphere of 24 Å: no symmetry, a definite hand."""
    generator = torch.Generator().manual_seed(1)
    direction = torch.randn(100, 3, dtype=torch.float64, generator=generator)
    unit = torch.rand(100, 1, dtype=torch.float64, generator=generator)
    radius = 24 * unit ** (1 / 3)
    weights = 20 + 60 * torch.rand(100, dtype=torch.float64, generator=generator)
    coordinates = radius * direction / direction.norm(dim=-1, keepdim=True)
    return Specimen(coordinates=coordinates, weights=weights, width=1.0)


@pytest.fixture(scope="module")
def stack(tmp_path_factory, specimen) -> tuple[Path, float]:
    """A folder with particles.star and .mrcs, and the variance of the noise."""
    generator = torch.Generator().manual_seed(2)

    def uniform(low: float, high: float) -> torch.Tensor:
        unit = torch.rand(COUNT, dtype=torch.float64, generator=generator)
        return low + (high - low) * unit

    views = Views(
        optics=Optics(
            voltage=3e5,
            spherical_aberration=2.7e7,
            amplitude_contrast=0.1,
            pixel_size=1.0,
            box_size=BOX,
        ),
        defocus=Defocus(
            mean=uniform(3e3, 6e3),
            astigmatism=uniform(0.0, 300.0),
            angle=uniform(0.0, 3.1),
            phase_shift=uniform(0.0, 1.0),
            b_factor=torch.zeros(COUNT, dtype=torch.float64),
        ),
        pose=Pose(
            rotation=draw_rotations(COUNT, generator=generator),
            shift=torch.stack([uniform(-4, 4), uniform(-4, 4)], dim=-1),
        ),
    )
    folder = tmp_path_factory.mktemp("relion")
    variance = noise_variance(specimen, views, SNR, SUPPORT)
    power = white_power(variance, BOX)
    images = noisy_images(specimen, views, power, generator=generator)
    write_stack(folder / "particles.mrcs", images, COUNT, BOX, 1.0)
    write_particles(folder / "particles.star", views, "particles.mrcs")
    write_particles(folder / "few.star", views[:FEW], "particles.mrcs")
    return folder, variance


def run(folder: Path, *command: str) -> None:
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


def compress(folder: Path, star: str, variance: float) -> NormalEquations:
    particles = read_particles(folder / star, folder)
    batches = read_batches(particles, 0, len(particles))
    return compress_images(batches, white_power(variance, BOX), SUPPORT)


def low_pass(volume: np.ndarray, resolution: float) -> np.ndarray:
    axes = (np.fft.fftfreq(n) for n in volume.shape)
    k2 = sum(k**2 for k in np.meshgrid(*axes, indexing="ij"))
    return np.fft.ifftn(np.fft.fftn(volume) * (k2 < resolution**-2)).real


def correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Correlate inside a sphere of 30 Å, below 4 Å."""
    offset = np.arange(SUPPORT) - SUPPORT // 2
    radius2 = sum(x**2 for x in np.meshgrid(offset, offset, offset))
    mask = radius2 < 30**2
    pair = (low_pass(volume, 4.0)[mask] for volume in (first, second))
    return float(np.corrcoef(*pair)[0, 1])


def test_relion_reconstructs_the_same_map(stack, specimen) -> None:
    folder, variance = stack
    run(
        folder,
        *("relion_reconstruct", "--i", "particles.star", "--o", "map.mrc"),
        *("--ctf", "--angpix", "1"),
    )
    centre = slice((BOX - SUPPORT) // 2, (BOX + SUPPORT) // 2)
    theirs = mrcfile.read(folder / "map.mrc")[centre, centre, centre].astype(float)
    truth = gaussian_volume(
        specimen.coordinates, specimen.weights, specimen.width, SUPPORT, 1.0
    )
    operator = prepare_operator(compress(folder, "particles.star", variance))
    # A prior so weak that it only steadies frequencies that no image covers.
    ours = wiener_map(operator, 100.0 * truth.var().item()).numpy()
    truth = truth.numpy()
    # Noise of total SNR 100 remains: measured 0.98 with the truth, 0.10 mirrored, and
    # 0.999 between the two maps, which share it.
    assert correlation(theirs, truth) > 0.95
    assert correlation(ours, theirs) > 0.99
    assert abs(correlation(theirs, truth[::-1])) < 0.3
    # Density in e⁻/Å³ × pixel size is what relion_reconstruct --ctf returns too.
    scale = np.vdot(low_pass(theirs, 4.0), truth) / np.vdot(truth, low_pass(truth, 4.0))
    assert scale == pytest.approx(1.0, abs=0.05)


def test_a_star_that_relion_splits_and_combines_means_the_same(stack) -> None:
    folder, variance = stack
    halves = (("low", "0", "5000"), ("high", "5000", "100000"))
    for name, low, high in halves:
        run(
            folder,
            *("relion_star_handler", "--i", "few.star", "--o", f"{name}.star"),
            *("--select", "rlnDefocusU", "--minval", low, "--maxval", high),
        )
    run(
        folder,
        *("relion_star_handler", "--combine", "--i", "high.star low.star"),
        *("--o", "both.star"),
    )
    expected = compress(folder, "few.star", variance)
    actual = compress(folder, "both.star", variance)
    assert actual.n_images == FEW
    # RELION rewrites angles with six decimals: 1e-8 rad at a phase of up to 100 rad.
    error = (actual.b - expected.b).norm() / expected.b.norm()
    assert error < 1e-5
