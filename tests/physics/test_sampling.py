import math
from dataclasses import replace

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from equicryo.physics.optics import Optics
from equicryo.physics.sampling import (
    aliasing_frequencies,
    largest_delocalisation,
    smallest_box,
)

TITAN = Optics(
    voltage=3e5,
    spherical_aberration=2.7e7,
    amplitude_contrast=0.1,
    pixel_size=1.0,
    box_size=128,
)


@given(
    defocus=st.floats(-2e4, 3e4),
    max_frequency=st.floats(0.05, 0.5),
    aberration=st.floats(0.0, 2.7e7),
)
def test_delocalisation_is_the_largest_on_a_fine_grid(
    defocus: float, max_frequency: float, aberration: float
) -> None:
    optics = Optics(**{**vars(TITAN), "spherical_aberration": aberration})
    s = np.linspace(0.0, max_frequency, 20001)
    wavelength = optics.wavelength
    grid = np.abs(wavelength * defocus * s - aberration * wavelength**3 * s**3).max()
    found = largest_delocalisation(optics, defocus, max_frequency)
    # The grid misses an inner maximum by at most its curvature × (step / 2)².
    assert grid - 1e-9 <= found <= grid + 1e-5 * (1.0 + abs(grid))


def test_smallest_box_by_hand() -> None:
    """300 kV, 0.5 µm, 3 Å: λ Δf s = 32.8 Å, C_s λ³ s³ = 7.6 Å, so 45 + 2 × 25.2."""
    assert smallest_box(TITAN, 5e3, 45.0, 1.0 / 3.0) == 96


def test_phase_advances_by_at_most_pi_in_the_smallest_box() -> None:
    """The criterion, from the CTF's own phase at neighbouring Fourier pixels."""
    defocus, box = 2e4, smallest_box(TITAN, 2e4, 0.0, 0.5)
    s = np.arange(0, box // 2) / box
    wavelength = TITAN.wavelength
    phase = math.pi * wavelength * defocus * s**2
    phase -= 0.5 * math.pi * TITAN.spherical_aberration * wavelength**3 * s**4
    step = np.abs(np.diff(phase)).max()
    # 1 %: differences of neighbours against the derivative, and rounding up the box.
    assert 0.97 * math.pi < step <= math.pi * 1.01


def test_aliasing_starts_where_the_box_gets_too_small() -> None:
    box = smallest_box(TITAN, 2e4, 40.0, 0.5)
    large, small = replace(TITAN, box_size=box), replace(TITAN, box_size=box // 2)
    defocus = torch.tensor([2e4, 1e3], dtype=torch.float64)
    assert (aliasing_frequencies(large, defocus, 40.0) == 0.5).all()
    first, second = aliasing_frequencies(small, defocus, 40.0).tolist()
    assert first < second == 0.5
    assert smallest_box(TITAN, 2e4, 40.0, 0.98 * first) <= box // 2
    assert smallest_box(TITAN, 2e4, 40.0, 1.02 * first) > box // 2
