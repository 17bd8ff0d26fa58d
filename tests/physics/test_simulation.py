import pytest
import torch

import equicryo.physics.simulation as simulation
from equicryo.physics.density import gaussian_volume
from equicryo.physics.fourier import half_plane
from equicryo.physics.noise import white_power
from equicryo.physics.simulation import (
    Specimen,
    clean_images,
    direct_projector,
    is_projected_from_volume,
    noise_variance,
    noisy_images,
    specimen_map,
    volume_projector,
)

SNR = 0.1


@pytest.fixture
def sharp(generator) -> Specimen:
    """Blobs like those of atoms: from 0.16 to 1.4 Å wide."""
    unit = torch.rand(200, 5, dtype=torch.float64, generator=generator)
    return Specimen(
        coordinates=16.0 * unit[:, :3] - 8.0,
        weights=1.0 + 5.0 * unit[:, 3],
        width=0.16 + 1.24 * unit[:, 4],
    )


def test_snr_is_the_ratio_of_variances_over_the_support(
    specimen, views, generator
) -> None:
    variance = noise_variance(specimen, views, SNR, 32)
    clean = torch.cat(list(clean_images(specimen, views)))
    power = white_power(variance, views.optics.box_size)
    noisy = torch.cat(list(noisy_images(specimen, views, power, generator=generator)))
    signal = clean[:, 8:40, 8:40].var().item()
    # 27,648 pixels of noise: √(2/27,648) = 0.9 %, three of them.
    assert signal / (noisy - clean).var().item() == pytest.approx(SNR, rel=0.03)


@pytest.mark.parametrize("pixel_size", [0.8, 1.0, 2.0])
def test_projection_through_a_volume_is_the_direct_one(
    sharp, views, pixel_size
) -> None:
    plane = half_plane(views.optics.box_size, pixel_size)
    expected = direct_projector(sharp)(views.pose, plane)
    actual = volume_projector(sharp, pixel_size)(views.pose, plane)
    # The claim of the docstring; finufft is good to 1e-9, sharpening raises it tenfold.
    error = (actual - expected).abs().max() / expected.abs().max()
    assert error < 1e-8


def test_images_are_the_same_on_both_ways(sharp, views, monkeypatch) -> None:
    direct = torch.cat(list(clean_images(sharp, views)))
    monkeypatch.setattr(simulation, "MANY", 100)
    assert is_projected_from_volume(sharp, 1.0)
    through_volume = torch.cat(list(clean_images(sharp, views)))
    torch.testing.assert_close(
        through_volume, direct, rtol=0.0, atol=1e-8 * direct.abs().max().item()
    )


def test_a_molecule_too_large_for_a_volume_is_projected_directly(
    sharp, monkeypatch
) -> None:
    monkeypatch.setattr(simulation, "MANY", 100)
    assert not is_projected_from_volume(sharp, 0.1)


def test_specimen_map_is_the_density_where_blobs_are_wide(specimen) -> None:
    wide = Specimen(
        coordinates=specimen.coordinates, weights=specimen.weights, width=2.0
    )
    expected = gaussian_volume(wide.coordinates, wide.weights, 2.0, 48, 1.0)
    # Beyond Nyquist exp(−2π² · 2² · 0.5²) = 3e-9 of a blob's weight is missing.
    torch.testing.assert_close(
        specimen_map(wide, 48, 1.0),
        expected,
        rtol=0.0,
        atol=1e-7 * expected.max().item(),
    )


def test_specimen_map_has_the_transform_of_its_blobs_below_nyquist(sharp) -> None:
    """Sampled as it is, a blob of 0.16 Å would be aliased beyond recognition."""
    box, pixel_size = 48, 1.0
    volume = specimen_map(sharp, box, pixel_size)
    spectrum = torch.fft.fftn(torch.fft.ifftshift(volume))
    for index in ((0, 0, 0), (3, -7, 11), (-20, 5, 2), (0, 0, 23)):
        z, y, x = index
        k = torch.tensor([x, y, z], dtype=torch.float64) / (box * pixel_size)
        damping = torch.exp(-2 * torch.pi**2 * sharp.width**2 * (k @ k))
        phase = torch.exp(-2j * torch.pi * (sharp.coordinates @ k))
        expected = (sharp.weights * damping * phase).sum() / pixel_size**2
        assert abs(spectrum[index] - expected) < 1e-8 * sharp.weights.sum()
