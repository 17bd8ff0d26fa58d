"""The stationary Gaussian of a voxel prior's densities."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from equicryo.physics.gaussian_posterior import filter_volume
from equicryo.physics.spectra import shell_counts, shell_power, shells_to_grid

FLOOR = 1e-8
"""Least power, in parts of the largest: corners beyond Nyquist hold next to nothing."""


class SpectralWhitening(nn.Module):
    """Densities as a random field of zero mean, of one power spectrum a pixel size.

    Its posterior mean given a noisy density is the Wiener filter S/(S + σ²).

    Attributes:
        power: mean |F|² / voxels of each shell, (e⁻/Å³ × pixel size)².
    """

    power: Float[Tensor, "pixel shell"]

    def __init__(self, power: Float[Tensor, "pixel shell"]) -> None:
        """Take a measured spectrum."""
        super().__init__()
        self.register_buffer("power", power)

    def forward(
        self,
        noisy: Float[Tensor, "batch z y x"],
        noise_level: Float[Tensor, " batch"],
        pixel_index: Int[Tensor, " batch"],
    ) -> Float[Tensor, "batch z y x"]:
        """Return the Gaussian's posterior mean.

        Args:
            noisy: e⁻/Å³ × pixel size.
            noise_level: σ, standard deviation of the noise of a voxel.
            pixel_index: which pixel size each is sampled at.
        """
        power = self.power[pixel_index]
        gain = power / (power + noise_level[:, None] ** 2)
        return filter_volume(noisy, shells_to_grid(gain, noisy.shape[-1]))

    def deviations(
        self,
        noise_level: Float[Tensor, " batch"],
        pixel_index: Int[Tensor, " batch"],
        edge: int,
    ) -> tuple[Float[Tensor, " batch"], ...]:
        """Return root mean squares of noisy densities, their estimates and errors.

        Args:
            noise_level: σ.
            pixel_index: which pixel size each is sampled at.
            edge: of the volumes, voxels.
        """
        power, noise = self.power[pixel_index], noise_level[:, None] ** 2
        counts = shell_counts(edge).to(power)
        share = counts / counts.sum()
        noisy = power + noise
        squares = (noisy, power**2 / noisy, power * noise / noisy)
        return tuple((share * square).sum(1).sqrt() for square in squares)


def fit_spectrum(
    volume: Float[Tensor, "volume z y x"],
    pixel_index: Int[Tensor, " volume"],
    count: int,
) -> SpectralWhitening:
    """Average the spectra of volumes of each pixel size.

    Args:
        volume: at least one of each pixel size.
        pixel_index: which pixel size each is sampled at.
        count: of pixel sizes.
    """
    power = shell_power(volume)
    means = [power[pixel_index == index].mean(0) for index in range(count)]
    spectrum = torch.stack(means)
    return SpectralWhitening(spectrum.clamp(min=FLOOR * float(spectrum.max())))
