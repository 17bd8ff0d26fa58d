import math

import pytest
import torch

from equicryo.physics import noise
from equicryo.physics.fourier import image_to_samples
from equicryo.physics.image_likelihood import (
    log_likelihood_of_gaussians,
    measure_samples,
)
from equicryo.physics.noise import (
    coloured_power,
    corner_mask,
    draw_noise,
    estimate_radial_power,
    estimate_white_power,
    fourier_shells,
    noise_spectrum,
    white_power,
)
from equicryo.physics.optics import Optics, unastigmatic
from equicryo.physics.pose import Pose, Views
from equicryo.physics.rotations import draw_rotations
from equicryo.physics.simulation import clean_images, noise_variance, noisy_images

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
    power = coloured_power(2.5, 2 * BOX, 0.3, 10.0)
    images = draw_noise(COUNT, power, generator=generator)
    images = images + 7.0
    images[:, ~corner_mask(2 * BOX)] += 100.0
    ratio = estimate_radial_power(images.split(37)) / power
    # The corners of 400 images hold some 100 modes of shell 1, 20,000 of all.
    assert (ratio[1:6] - 1.0).abs().max() < 0.15
    assert (ratio[6:] - 1.0).abs().max() < 0.05
    assert abs(ratio[1:].mean() - 1.0) < 0.01


def test_spectrum_behind_the_corners_is_exact_in_expectation() -> None:
    """The blur, mean removed, against the windowed covariance of each shell's noise."""
    box = 12
    mask = corner_mask(box)
    window = torch.diag(mask.flatten().double())
    window -= torch.outer(*(2 * [mask.flatten().double()])) / mask.sum()
    full = torch.fft.fftfreq(box, 1 / box, dtype=torch.float64)
    shell = torch.hypot(full[:, None], full).round().long()
    blur = torch.from_numpy(noise._corner_blur(mask))
    modes = torch.fft.fft2(
        torch.eye(box**2, dtype=torch.float64).unflatten(1, (box,) * 2)
    )
    fourier = modes.flatten(1).T
    for source in range(box // 2 + 1):
        chosen = (shell.clamp(max=box // 2) == source).flatten().to(fourier.dtype)
        covariance = (fourier.mH * chosen) @ fourier / box**2
        seen = fourier @ window.to(fourier.dtype)
        power = (seen @ covariance @ seen.mH).diagonal().real / mask.sum()
        expected = [power[(shell == s).flatten()].mean() for s in range(box // 2 + 1)]
        torch.testing.assert_close(blur[:, source], torch.stack(expected))


def test_a_config_asks_for_noise_in_angstrom() -> None:
    white = noise_spectrum({"kind": "white"}, 2.0, BOX, 1.5)
    assert torch.equal(white, white_power(2.0, BOX))
    shape = {"kind": "coloured", "floor": 0.3, "correlation": 12.0}
    power = noise_spectrum(shape, 2.0, BOX, 1.5)
    # 1 / (1 + (k · 12 Å)²) at k = 8 / (32 · 1.5 Å), over the value at 0.
    expected = 0.3 + 0.7 / (1.0 + (8 / 48 * 12) ** 2)
    assert (power[8] / power[0]).item() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("settings", "estimate"),
    [
        ({"kind": "white"}, estimate_white_power),
        (
            {"kind": "coloured", "floor": 0.3, "correlation": 12.0},
            estimate_radial_power,
        ),
    ],
    ids=["white", "coloured"],
)
def test_residual_at_the_truth_is_white_with_chi2_of_one(
    settings, estimate, specimen, generator
) -> None:
    """As in a run: images with a particle, noise from their corners, the likelihood."""
    box = 64
    optics = Optics(
        voltage=3e5,
        spherical_aberration=2.7e7,
        amplitude_contrast=0.1,
        pixel_size=1.0,
        box_size=box,
    )
    views = Views(
        optics=optics,
        defocus=unastigmatic(torch.full((COUNT,), 2000.0, dtype=torch.float64)),
        pose=Pose(
            rotation=draw_rotations(COUNT, generator=generator),
            shift=torch.zeros(COUNT, 2, dtype=torch.float64),
        ),
    )
    power = noise_spectrum(settings, noise_variance(specimen, views, 0.1, 32), box, 1.0)
    images = torch.cat(list(noisy_images(specimen, views, power, generator=generator)))
    measured = measure_samples(images, views, estimate(images.split(100)))
    log_likelihood = log_likelihood_of_gaussians(
        measured, specimen.coordinates, specimen.weights, specimen.width
    )
    n_observations = COUNT * measured.plane.multiplicity.sum()
    chi2 = -2.0 * log_likelihood.sum() / n_observations
    # √(2 / 1.3e6) = 0.1 %, and the corners' own 0.2 %.
    assert chi2.item() == pytest.approx(1.0, abs=0.01)

    clean = torch.cat(list(clean_images(specimen, views)))
    residual = image_to_samples(images - clean, measured.plane)
    terms = (measured.weight * residual.abs().square()).mean(0)
    terms = terms / measured.plane.multiplicity
    shell = measured.plane.shell
    flat = torch.stack([terms[shell == s].mean() for s in range(1, box // 2)])
    # Shell 1 has 1,600 modes (4 %), and the corners, a fifth of an image, know it to
    # 10 %; from shell 6 on to 2 %. Unwhitened, coloured power falls threefold.
    assert (flat[:5] - 1.0).abs().max() < 0.2
    assert (flat[5:] - 1.0).abs().max() < 0.06


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
