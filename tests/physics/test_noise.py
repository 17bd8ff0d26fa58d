import math

import pytest
import torch

from equicryo.physics.noise import (
    coloured_power,
    corner_mask,
    draw_noise,
    estimate_radial_power,
    estimate_white_power,
    fourier_shells,
    white_power,
)

BOX = 32
COUNT = 400


def periodogram(images: torch.Tensor) -> torch.Tensor:
    """Mean |DFT|² / pixels over each shell."""
    power = torch.fft.rfft2(images).abs().square().mean(0) / BOX**2
    shell = fourier_shells(BOX)
    return torch.stack([power[shell == s].mean() for s in range(BOX // 2 + 1)])


@pytest.mark.parametrize(
    "power", [white_power(2.5, BOX), coloured_power(2.5, BOX, 0.2, 10.0)]
)
def test_noise_has_the_power_asked_for(power, generator) -> None:
    images = draw_noise(COUNT, power, generator=generator)
    ratio = periodogram(images) / power
    # At least 400 modes a shell: √(2/400) = 7 %, three of them; the whole to 1 %.
    assert (ratio - 1.0).abs().max() < 0.22
    # 410,000 pixels, some hundred of them correlated: √(2 · 100/410,000) = 2 %.
    assert images.var().item() == pytest.approx(2.5, rel=0.03)


def test_white_noise_is_estimated_from_corners(generator) -> None:
    images = draw_noise(COUNT, white_power(2.5, BOX), generator=generator)
    images = images + 7.0  # a constant offset is no noise
    images[:, ~corner_mask(BOX)] += 100.0  # nor is the particle
    estimate = estimate_white_power(images.split(37))
    # COUNT × 240 corner pixels: √(2/96,000) = 0.5 %, three of them.
    assert estimate.unique().item() == pytest.approx(2.5, rel=0.015)


def test_coloured_noise_is_estimated_from_corners(generator) -> None:
    power = coloured_power(2.5, 2 * BOX, 0.3, 3.0)
    images = draw_noise(COUNT, power, generator=generator)
    images[:, ~corner_mask(2 * BOX)] += 100.0
    estimate = estimate_radial_power(images.split(37))
    ratio = (estimate / power)[2:]
    # The corners' window blurs the spectrum by 5 % where it is steep.
    assert (ratio - 1.0).abs().max() < 0.1
    assert abs(ratio.mean() - 1.0) < 0.02


def test_whitened_residual_is_flat_with_chi2_of_one(generator) -> None:
    power = coloured_power(2.5, BOX, 0.2, 10.0)
    images = draw_noise(COUNT, power, generator=generator)
    shell = fourier_shells(BOX).clamp(max=BOX // 2)
    spectrum = torch.fft.rfft2(images) / power[shell].sqrt()
    whitened = torch.fft.irfft2(spectrum, s=(BOX, BOX))
    # χ² of 410,000 observations: √(2/410,000) = 0.2 %.
    assert whitened.square().mean().item() == pytest.approx(1.0, abs=0.01)
    modes = torch.bincount(fourier_shells(BOX).flatten())[: BOX // 2 + 1]
    expected = torch.sqrt(2.0 / (modes * COUNT))
    assert ((periodogram(whitened) - 1.0).abs() < 4.0 * expected).all()


def test_coloured_power_keeps_the_variance(generator) -> None:
    for floor in (0.0, 0.5, 1.0):
        power = coloured_power(1.7, BOX, floor, 4.0)
        full = torch.fft.fftfreq(BOX, 1 / BOX, dtype=torch.float64)
        radius = torch.hypot(full[:, None], full).round().long().clamp(max=BOX // 2)
        assert power[radius].mean().item() == pytest.approx(1.7, rel=1e-12)


def test_corners_are_outside_the_inscribed_circle() -> None:
    fraction = corner_mask(256).double().mean().item()
    assert fraction == pytest.approx(1 - math.pi / 4, abs=0.01)  # pixels on the rim


@pytest.mark.parametrize("estimate", [estimate_white_power, estimate_radial_power])
def test_no_images_are_refused(estimate) -> None:
    with pytest.raises(ValueError, match="no images"):
        estimate([])
