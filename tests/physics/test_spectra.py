import pytest
import torch

from equicryo.physics.spectra import shell_counts, shell_power, shells_to_grid


def test_power_adds_to_the_square_of_the_volume(generator):
    """Parseval."""
    volume = torch.randn(2, 8, 8, 8, dtype=torch.float64, generator=generator)
    total = (shell_power(volume) * shell_counts(8)).sum(-1)
    torch.testing.assert_close(total, volume.square().sum((1, 2, 3)))


def test_a_wave_lies_in_its_shell():
    place = torch.arange(8, dtype=torch.float64)
    wave = torch.cos(2.0 * torch.pi * 3.0 * place / 8)
    power = shell_power(wave.expand(8, 8, 8))
    assert power.argmax() == 3
    # Two of the shell's frequencies hold |512 / 2|² each.
    expected = 2.0 * 256.0**2 / 8**3 / float(shell_counts(8)[3])
    assert float(power[3]) == pytest.approx(expected)
    assert float(shells_to_grid(power, 8)[0, 0, 3]) == pytest.approx(expected)
