"""RELION reads what is written here, and means the same by it."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from equicryo.evaluation.fsc import (
    MapAgreement,
    compare_maps,
    low_pass,
    soft_sphere,
)
from equicryo.io.particles import read_batches, read_particles
from equicryo.io.relion import write_particles
from equicryo.io.relion_program import reconstruct_by_relion, run_relion
from equicryo.io.selection import write_selection
from equicryo.io.stacks import write_stack
from equicryo.physics.compression import compress_images
from equicryo.physics.density import gaussian_volume
from equicryo.physics.noise import white_power
from equicryo.physics.normal_equations import NormalEquations
from equicryo.physics.normal_operator import prepare_operator
from equicryo.physics.optics import Optics
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
def stack(tmp_path_factory, specimen, make_views) -> tuple[Path, float]:
    """A folder with particles.star and .mrcs, and the variance of the noise."""
    optics = Optics(
        voltage=3e5,
        spherical_aberration=2.7e7,
        amplitude_contrast=0.1,
        pixel_size=1.0,
        box_size=BOX,
    )
    views = make_views(COUNT, optics, seed=2, defocus=(3e3, 6e3), shift=4, b_factor=0)
    generator = torch.Generator().manual_seed(3)
    folder = tmp_path_factory.mktemp("relion")
    variance = noise_variance(specimen, views, SNR, SUPPORT)
    power = white_power(variance, BOX)
    images = noisy_images(specimen, views, power, generator=generator)
    write_stack(folder / "particles.mrcs", images, COUNT, BOX, 1.0)
    write_particles(folder / "particles.star", views, "particles.mrcs")
    write_particles(folder / "few.star", views[:FEW], "particles.mrcs")
    return folder, variance


def compress(folder: Path, star: str, variance: float) -> NormalEquations:
    particles = read_particles(folder / star, folder)
    batches = read_batches(particles, 0, len(particles))
    return compress_images(batches, white_power(variance, BOX), SUPPORT)


def test_relion_reconstructs_the_same_map(stack, specimen) -> None:
    folder, variance = stack
    box = reconstruct_by_relion("particles.star", "map.mrc", 1.0, folder).volume
    centre = slice((BOX - SUPPORT) // 2, (BOX + SUPPORT) // 2)
    theirs = torch.from_numpy(box)[centre, centre, centre].double()
    truth = gaussian_volume(
        specimen.coordinates, specimen.weights, specimen.width, SUPPORT, 1.0
    )
    operator = prepare_operator(compress(folder, "particles.star", variance))
    # A prior so weak that it only steadies frequencies that no image covers.
    ours = wiener_map(operator, 100.0 * truth.var().item())
    mask = soft_sphere(SUPPORT, 1.0, 32.0)

    def compare(first: torch.Tensor, second: torch.Tensor) -> MapAgreement:
        return compare_maps(first, second, mask, 1.0, 4.0)

    # Noise of total SNR 100 remains; the two maps share it. Ten times the images, in
    # the run of config/paper.yaml, bring the FSC with the truth above 0.9.
    assert compare(theirs, truth).correlation > 0.95
    assert compare(theirs, truth).worst > 0.7
    assert compare(ours, theirs).correlation > 0.99
    mirrored = truth.flip(0).roll(1, 0)
    assert abs(compare(theirs, mirrored).correlation) < 0.3
    # Density in e⁻/Å³ × pixel size is what relion_reconstruct --ctf returns too.
    low, full = low_pass(truth, 1.0, 4.0), low_pass(theirs, 1.0, 4.0)
    scale = (full * truth).sum() / (low * truth).sum()
    assert scale.item() == pytest.approx(1.0, abs=0.05)


def test_a_star_that_relion_splits_and_combines_means_the_same(stack) -> None:
    folder, variance = stack
    halves = (("low", "0", "5000"), ("high", "5000", "100000"))
    for name, low, high in halves:
        run_relion(
            "relion_star_handler",
            *("--i", "few.star", "--o", f"{name}.star"),
            *("--select", "rlnDefocusU", "--minval", low, "--maxval", high),
            folder=folder,
        )
    run_relion(
        "relion_star_handler",
        *("--combine", "--i", "high.star low.star", "--o", "both.star"),
        folder=folder,
    )
    expected = compress(folder, "few.star", variance)
    actual = compress(folder, "both.star", variance)
    assert actual.n_images == FEW
    # RELION rewrites angles with six decimals: 1e-8 rad at a phase of up to 100 rad.
    error = (actual.b - expected.b).norm() / expected.b.norm()
    assert error < 1e-5


def test_our_selections_are_combined_by_relion(stack) -> None:
    folder, variance = stack
    rows = np.random.default_rng(0).permutation(FEW)
    for name, part in (("first", rows[:30]), ("second", rows[30:])):
        write_selection(folder / "few.star", part, folder / f"{name}.star")
    run_relion(
        "relion_star_handler",
        *("--combine", "--i", "first.star second.star", "--o", "ours.star"),
        folder=folder,
    )
    expected = compress(folder, "few.star", variance)
    actual = compress(folder, "ours.star", variance)
    assert actual.n_images == FEW
    error = (actual.b - expected.b).norm() / expected.b.norm()
    assert error < 1e-5  # as above
