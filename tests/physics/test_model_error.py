import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from equicryo.errors import InputError
from equicryo.io.residue_model import read_rebuilt_chains, read_residue_model
from equicryo.physics.all_atom import scatter_atoms
from equicryo.physics.density import band_limited_volume, support_size
from equicryo.physics.model_error import (
    RESIDUE_EXTENT,
    discount_misfit,
    guess_gain,
    power_on_grid,
    residue_power,
)
from equicryo.physics.normal_equations import NormalEquations
from equicryo.physics.spectra import half_grid_frequencies, shell_power
from equicryo.structure.atoms import alpha_carbons
from equicryo.structure.residue_model import SHELL, SHELLS

from ..normal_equations import seen_through, spike

FOLDER = "resources/residue_model"
EDGE = 32
PIXEL_SIZE = 1.25
CENTRES = SHELL * (np.arange(SHELLS) + 0.5)


def white_images(b: torch.Tensor, information: float) -> NormalEquations:
    """Volumes seen voxel by voxel: the kernel is a spike."""
    return seen_through(
        spike(len(b), information), b, data_energy=3.0, pixel_size=PIXEL_SIZE
    )


def draw(edge: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn((edge,) * 3, dtype=torch.float64, generator=generator)


@pytest.mark.parametrize("pixel_size", [1.0, 0.8])
def test_power_of_a_blob_is_that_of_its_transform(pixel_size) -> None:
    """W² exp(−4π²σ²k²), whatever the grid."""
    width, electrons = 1.4, 60.0
    volume = band_limited_volume(
        torch.zeros(1, 3, dtype=torch.float64),
        torch.tensor([electrons]).double(),
        torch.tensor([width]).double(),
        40,
        pixel_size,
    )
    expected = electrons**2 * np.exp(-((2.0 * math.pi * width * CENTRES) ** 2))
    power = residue_power(volume, 2, pixel_size)
    # A shell is as wide as half a standard deviation of the blob's transform is far.
    some = slice(1, 12)
    np.testing.assert_allclose(power[some], expected[some] / 2.0, rtol=0.12)
    grid = power_on_grid(torch.from_numpy(2.0 * power), 80, pixel_size)
    transform = torch.fft.rfftn(volume, s=(80,) * 3).abs().square()
    assert grid[0, 0, 8] == pytest.approx(transform[0, 0, 8].item(), rel=0.1)


def test_flat_misfit_is_a_factor() -> None:
    b, information, misfit = draw(EDGE, 0), 7.0, 120.0
    normal = white_images(b, information)
    power = torch.full((SHELLS,), misfit, dtype=torch.float64)
    found = discount_misfit(normal, power)
    lacking = misfit / RESIDUE_EXTENT / PIXEL_SIZE
    trust = 1.0 / (1.0 + information * lacking)
    torch.testing.assert_close(found.b, trust * b)
    torch.testing.assert_close(found.kernel, trust * normal.kernel)
    assert found.data_energy == normal.data_energy


def test_next_to_no_misfit_changes_nothing() -> None:
    normal = white_images(draw(EDGE, 0), 7.0)
    found = discount_misfit(normal, torch.full((SHELLS,), 1e-9, dtype=torch.float64))
    torch.testing.assert_close(found.b, normal.b)
    torch.testing.assert_close(found.kernel, normal.kernel)


def test_images_of_the_misfit_alone_become_noise_of_the_new_kernel() -> None:
    """A back-projection of no signal has its kernel for covariance."""
    misfit = torch.from_numpy(60.0 * np.exp(-((6.0 * CENTRES) ** 2)))
    information = 5.0
    power = power_on_grid(misfit, 2 * EDGE, PIXEL_SIZE) * PIXEL_SIZE**3
    power /= RESIDUE_EXTENT
    ratios = []
    for seed in range(3):
        white = torch.fft.rfftn(draw(2 * EDGE, seed))
        lacking = torch.fft.irfftn(white * power.sqrt())[:EDGE, :EDGE, :EDGE]
        noise = math.sqrt(information) * draw(EDGE, 100 + seed)
        normal = white_images(information * lacking + noise, information)
        found = discount_misfit(normal, misfit)
        transfer = torch.fft.fftn(torch.fft.ifftshift(found.kernel)).real
        shell = torch.arange(2, EDGE // 2)
        expected = transfer[2 * shell, 0, 0]
        ratios.append(shell_power(found.b)[shell] / expected)
        assert (expected < 1.0 / power[2 * shell, 0, 0]).all()
    # Low shells have few frequencies; the cube's faces leak a little into others.
    mean = torch.stack(ratios).mean(0)
    assert mean.mean().item() == pytest.approx(1.0, abs=0.04)
    assert (mean - 1.0).abs().max() < 0.3


@pytest.fixture(scope="module")
def shown():
    """A protein that no constant saw, all its atoms, and the model's power."""
    atoms = read_rebuilt_chains(f"{FOLDER}/held_out_chains.npz")[1]
    model = read_residue_model(f"{FOLDER}/constants.json")
    alpha = alpha_carbons(atoms).coordinates
    specimen = scatter_atoms(atoms, atoms.coordinates - alpha.mean(0))
    diameter = float(torch.pdist(torch.from_numpy(alpha)).max())
    volume = band_limited_volume(
        specimen.coordinates,
        specimen.weights,
        torch.as_tensor(specimen.width),
        support_size(diameter, PIXEL_SIZE, 128),
        PIXEL_SIZE,
    )
    return volume, len(alpha) * torch.from_numpy(model.power)


@pytest.mark.parametrize("gain", [1.0, 37.0])
@pytest.mark.parametrize("information", [30.0, 1e4])
def test_gain_follows_from_power_alone(shown, gain, information) -> None:
    volume, power = shown
    information /= gain**2
    noise = math.sqrt(information) * draw(len(volume), 0)
    normal = white_images(information * gain * volume + noise, information)
    assert guess_gain(normal, power) == pytest.approx(gain, rel=0.1)


def test_noise_has_little_gain(shown) -> None:
    volume, power = shown
    normal = white_images(math.sqrt(30.0) * draw(len(volume), 0), 30.0)
    assert 0.0 < guess_gain(normal, power) < 0.3
    louder = replace(normal, b=1.2 * normal.b)
    assert guess_gain(louder, power) > guess_gain(normal, power)


@pytest.mark.parametrize("pixel_size", [2.5, 4.0])
def test_gain_needs_pixels_that_show_it(pixel_size) -> None:
    """A kernel that ends at Nyquist's sphere, as that of images does."""
    grid = half_grid_frequencies(2 * EDGE, pixel_size).double()
    transfer = 100.0 * (grid < 0.5 / pixel_size).double()
    kernel = torch.fft.fftshift(torch.fft.irfftn(transfer, s=(2 * EDGE,) * 3))
    normal = replace(
        white_images(5.0 * draw(EDGE, 0), 1.0), kernel=kernel, pixel_size=pixel_size
    )
    power = torch.full((SHELLS,), 1e4, dtype=torch.float64)
    if pixel_size < 0.5 / 0.14:
        assert guess_gain(normal, power) > 0.0
    else:
        with pytest.raises(InputError, match="finer pixels"):
            guess_gain(normal, power)
