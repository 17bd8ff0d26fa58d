import math

import numpy as np
import pytest
import torch

from equicryo.physics.optics import (
    Coherence,
    Defocus,
    Optics,
    coherence_envelope,
    contrast_transfer,
    electron_wavelength,
    unastigmatic,
)

OPTICS_COUNT = 200
TITAN = Optics(
    voltage=3e5,
    spherical_aberration=2.7e7,
    amplitude_contrast=0.1,
    pixel_size=1.0,
    box_size=128,
)


def full_plane(box: int, pixel_size: float) -> torch.Tensor:
    axis = torch.fft.fftfreq(box, pixel_size, dtype=torch.float64)
    k_y, k_x = torch.meshgrid(axis, axis, indexing="ij")
    return torch.stack([k_x, k_y], dim=-1)


def random_optics(seed: int) -> tuple[Optics, Defocus]:
    draw = np.random.default_rng(seed).uniform

    def one(low: float, high: float) -> torch.Tensor:
        return torch.tensor([draw(low, high)], dtype=torch.float64)

    optics = Optics(
        voltage=float(draw(1e5, 3e5)),
        spherical_aberration=float(draw(0.01e7, 2.7e7)),
        amplitude_contrast=float(draw(0.0, 0.3)),
        pixel_size=float(draw(0.8, 3.0)),
        box_size=32,
    )
    defocus = Defocus(
        mean=one(-5e3, 2e4),
        astigmatism=one(0.0, 1e3),
        angle=one(-math.pi, math.pi),
        phase_shift=one(0.0, math.pi),
        b_factor=torch.zeros(1, dtype=torch.float64),
    )
    return optics, defocus


def test_ctf_agrees_with_torch_ctf() -> None:
    torch_ctf = pytest.importorskip("torch_ctf")
    for seed in range(OPTICS_COUNT):
        optics, defocus = random_optics(seed)
        frequency = full_plane(optics.box_size, optics.pixel_size)
        expected = torch_ctf.calculate_ctf_2d(
            defocus=1e-4 * defocus.mean,  # µm
            astigmatism=1e-4 * defocus.astigmatism,
            astigmatism_angle=torch.rad2deg(defocus.angle),
            voltage=1e-3 * optics.voltage,
            spherical_aberration=1e-7 * optics.spherical_aberration,
            amplitude_contrast=optics.amplitude_contrast,
            phase_shift=torch.rad2deg(defocus.phase_shift),
            pixel_size=optics.pixel_size,
            image_shape=(optics.box_size, optics.box_size),
            rfft=False,
            fftshift=False,
        )
        actual = contrast_transfer(frequency, optics, defocus)
        # torch-ctf works in float32: phases up to 900 rad × 2⁻²⁴ × a few roundings.
        torch.testing.assert_close(
            actual, expected.reshape(actual.shape).double(), rtol=0.0, atol=3e-4
        )


def test_ctf_is_minus_that_of_cryojax() -> None:
    jax = pytest.importorskip("jax")
    cryojax = pytest.importorskip("cryojax.simulator")
    with jax.enable_x64(True):  # noqa: FBT003, the only signature
        for seed in range(OPTICS_COUNT):
            optics, defocus = random_optics(seed)
            frequency = full_plane(optics.box_size, optics.pixel_size)
            theirs = cryojax.AstigmaticCTF(
                defocus_in_angstroms=defocus.mean.item(),
                # cryoJAX takes the whole difference U − V.
                astigmatism_in_angstroms=2.0 * defocus.astigmatism.item(),
                astigmatism_angle=math.degrees(defocus.angle.item()),
                spherical_aberration_in_mm=1e-7 * optics.spherical_aberration,
            )
            expected = theirs(
                # cryoJAX counts angles from its second axis: give it (y, x).
                jax.numpy.asarray(frequency.flip(-1).numpy()),
                wavelength_in_angstroms=optics.wavelength,
                amplitude_contrast_ratio=optics.amplitude_contrast,
                phase_shift=math.degrees(defocus.phase_shift.item()),
            )
            actual = contrast_transfer(frequency, optics, defocus)[0]
            # float64: phases up to 900 rad × 2⁻⁵³ × tens of roundings is 1e-11.
            np.testing.assert_allclose(actual, -np.asarray(expected), atol=1e-9)


def test_defocus_u_acts_along_its_axis() -> None:
    """U along x: the CTF on the x axis is that of a plain defocus U, on y of V."""
    frequency = torch.linspace(0.0, 0.4, 50, dtype=torch.float64)
    zero = torch.zeros_like(frequency)
    value = torch.tensor([4000.0], dtype=torch.float64)
    astigmatic = Defocus(
        mean=value,
        astigmatism=value / 8,
        angle=0 * value,
        phase_shift=0 * value,
        b_factor=0 * value,
    )
    on_x = torch.stack([frequency, zero], dim=-1)
    on_y = torch.stack([zero, frequency], dim=-1)
    for vectors, plain in ((on_x, 4500.0), (on_y, 3500.0)):
        expected = contrast_transfer(vectors, TITAN, unastigmatic(0 * value + plain))
        # Equal phases of up to 100 rad, rounded in two orders of summation.
        torch.testing.assert_close(
            contrast_transfer(vectors, TITAN, astigmatic), expected, atol=1e-12, rtol=0
        )


def test_ctf_at_zero_frequency_is_plus_amplitude_contrast() -> None:
    origin = torch.zeros(1, 2, dtype=torch.float64)
    defocus = unastigmatic(torch.tensor([5000.0], dtype=torch.float64))
    assert contrast_transfer(origin, TITAN, defocus).item() == pytest.approx(0.1)


def test_envelope_is_gaussian_in_frequency() -> None:
    frequency = torch.tensor([[0.25, 0.0]], dtype=torch.float64)
    sharp = unastigmatic(torch.tensor([5000.0], dtype=torch.float64))
    blurred = Defocus(**{**vars(sharp), "b_factor": torch.full_like(sharp.mean, 80.0)})
    ratio = contrast_transfer(frequency, TITAN, blurred) / contrast_transfer(
        frequency, TITAN, sharp
    )
    assert ratio.item() == pytest.approx(math.exp(-80.0 * 0.25**2 / 4.0), rel=1e-12)


def test_ctf_without_aberrations_and_full_amplitude_contrast_is_one() -> None:
    optics = Optics(
        voltage=3e5,
        spherical_aberration=0.0,
        amplitude_contrast=1.0,
        pixel_size=1.0,
        box_size=8,
    )
    ctf = contrast_transfer(
        full_plane(8, 1.0), optics, unastigmatic(torch.zeros(3, dtype=torch.float64))
    )
    assert torch.equal(ctf, torch.ones(3, 8, 8, dtype=torch.float64))


@pytest.mark.parametrize(
    ("voltage", "expected"), [(1e5, 0.0370144), (2e5, 0.0250793), (3e5, 0.0196875)]
)
def test_wavelength_agrees_with_published_tables(
    voltage: float, expected: float
) -> None:
    """Williams & Carter, Transmission Electron Microscopy, table 1.2, recomputed."""
    assert electron_wavelength(voltage) == pytest.approx(expected, abs=2e-7)


def test_gradient_of_the_ctf() -> None:
    frequency = full_plane(4, 2.0)

    def ctf(mean, astigmatism, angle, phase_shift, b_factor):
        defocus = Defocus(
            mean=1e3 * mean,
            astigmatism=1e3 * astigmatism,
            angle=angle,
            phase_shift=phase_shift,
            b_factor=b_factor,
        )
        return contrast_transfer(frequency, TITAN, defocus)

    values = [
        torch.tensor([value], dtype=torch.float64, requires_grad=True)
        for value in (2.0, 0.3, 0.4, 0.5, 6.0)
    ]
    assert torch.autograd.gradcheck(ctf, values)


def test_temporal_envelope_is_the_average_over_defocus() -> None:
    """Averaged over electrons of Gaussian defocus the CTF is damped, exactly."""
    k = torch.linspace(0.0, 0.45, 30, dtype=torch.float64)
    frequency = torch.stack([k, torch.zeros_like(k)], dim=-1)
    deviate = torch.linspace(-8.0, 8.0, 4001, dtype=torch.float64)
    density = torch.exp(-0.5 * deviate**2)
    spread = contrast_transfer(frequency, TITAN, unastigmatic(5000.0 + 60.0 * deviate))
    expected = (density[:, None] * spread).sum(0) / density.sum()
    mean = unastigmatic(torch.tensor([5000.0], dtype=torch.float64))
    coherence = Coherence(source_angle=0.0, defocus_spread=60.0)
    envelope = coherence_envelope(frequency, TITAN, mean, coherence)
    actual = (envelope * contrast_transfer(frequency, TITAN, mean))[0]
    # The sum over 4001 deviates converges beyond rounding; tails at 8 σ are 1e-15.
    torch.testing.assert_close(actual, expected, atol=1e-12, rtol=0.0)
    assert envelope.min() < 0.8


def test_spatial_envelope_is_the_average_over_tilts() -> None:
    """A beam tilt θ displaces by the CTF's group delay: the phase 2π g θ / λ."""
    k = torch.linspace(0.0, 0.4, 30, dtype=torch.float64)
    frequency = torch.stack([k, torch.zeros_like(k)], dim=-1)
    mean = unastigmatic(torch.tensor([2e4], dtype=torch.float64))
    angle, wavelength = 1e-4, TITAN.wavelength
    tilt = angle * torch.linspace(-6.0, 6.0, 4001, dtype=torch.float64)
    density = torch.exp(-((tilt / angle) ** 2))
    delay = wavelength * 2e4 * k - 2.7e7 * wavelength**3 * k**3
    phase = 2.0 * math.pi * tilt[:, None] * delay / wavelength
    expected = (density[:, None] * torch.cos(phase)).sum(0) / density.sum()
    coherence = Coherence(source_angle=angle, defocus_spread=0.0)
    actual = coherence_envelope(frequency, TITAN, mean, coherence)[0]
    torch.testing.assert_close(actual, expected, atol=1e-12, rtol=0.0)
    assert actual.min() < 0.5
