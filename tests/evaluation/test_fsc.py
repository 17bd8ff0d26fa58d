import math

import numpy as np
import pytest
import torch

from equicryo.evaluation.fsc import (
    compare_maps,
    low_pass,
    masked_correlation,
    shell_correlation,
    soft_sphere,
)

BOX = 32


@pytest.fixture
def volume() -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(BOX, BOX, BOX, dtype=torch.float64, generator=generator)


def test_a_map_agrees_with_itself_in_any_unit_and_its_negative_disagrees(volume):
    assert shell_correlation(volume, 7.0 * volume).min() == pytest.approx(1.0)
    assert shell_correlation(volume, -volume).max() == pytest.approx(-1.0)


def test_independent_noise_does_not_correlate(volume):
    other = volume.flip(0).roll(3, 1)
    # Shell s has about 4π s² / 2 independent modes of two components.
    for shell, value in enumerate(shell_correlation(volume, other)[3:], 3):
        assert abs(value) < 5.0 / math.sqrt(4.0 * math.pi * shell**2)


def test_fsc_of_signal_and_noise_is_the_closed_form(volume):
    """Of S + N₁ and S + N₂ with power ratio R: R / (R + 1), Rosenthal & Henderson."""
    generator = torch.Generator().manual_seed(1)
    noise = torch.randn(2, BOX, BOX, BOX, dtype=torch.float64, generator=generator)
    fsc = shell_correlation(2.0 * volume + noise[0], 2.0 * volume + noise[1])
    # Shells from 8 on have at least 800 modes: 0.2/√800 = 0.7 %, four of them.
    assert (fsc[8:] - 0.8).abs().max() < 0.03


def test_low_pass_keeps_waves_below_the_cut_and_removes_those_above():
    pixel_size = 1.5
    axis = torch.arange(BOX, dtype=torch.float64)
    coarse, fine = (torch.cos(2 * math.pi * n * axis / BOX) for n in (3, 11))
    filtered = low_pass((coarse + fine).expand(BOX, BOX, BOX), pixel_size, 8.0)
    # 3 and 11 waves in 48 Å: 16 Å and 4.4 Å.
    torch.testing.assert_close(filtered[0, 0], coarse, rtol=0.0, atol=1e-12)


def test_mask_is_a_ball_with_a_soft_edge():
    mask = soft_sphere(BOX, 1.5, 24.0)
    centre = BOX // 2
    assert mask[centre, centre, centre] == 1.0
    assert mask[centre, centre, centre + 13] == 1.0  # 19.5 Å, edge from 20 to 24
    assert 0.0 < mask[centre, centre, centre + 14] < 1.0
    assert mask[centre, centre, 0] == pytest.approx(0.0, abs=1e-15)  # 24 Å
    assert torch.equal(mask, mask.transpose(0, 2))


def test_masked_correlation_is_pearson_within_a_sharp_mask(volume):
    other = volume + volume.roll(1, 0)
    mask = (soft_sphere(BOX, 1.0, 14.0) > 0.5).double()
    inside = mask.bool()
    expected = np.corrcoef(volume[inside], other[inside])[0, 1]
    assert masked_correlation(volume, other, mask) == pytest.approx(expected)


def test_comparison_sees_only_what_is_inside_and_below_the_resolution(volume):
    mask = soft_sphere(BOX, 1.0, 16.0)
    sharp = volume - low_pass(volume, 1.0, 4.0)
    outside = 50.0 * (mask == 0.0)
    agreement = compare_maps(volume, volume + outside, mask, 1.0, 4.0)
    assert agreement.worst == pytest.approx(1.0)
    agreement = compare_maps(volume, volume - 2.0 * sharp, mask, 1.0, 4.0)
    assert agreement.correlation == pytest.approx(1.0)
    assert agreement.fsc[13:].max() < -0.8
