"""A voxel prior as samplers see it: a denoiser of one grid, and how sure it is."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from equicryo.models.voxel_denoiser import VoxelDenoiser
from equicryo.physics.gaussian_posterior import filter_volume
from equicryo.physics.spectra import half_grid_frequencies, shells_to_grid

ERROR_WIDTH = 1.5
"""Å: blur of the squared density that errors follow."""

ERROR_EXPONENT = 0.75
"""Of that squared density: from 0.3 to 1.3, the more the more noise there is."""

ERROR_FLOOR = 0.02
"""Variance of errors in the solvent, over that where the density is typical: measured
from 0.01 to 0.06."""


@dataclass(frozen=True, kw_only=True, eq=False)
class MeasuredErrors:
    """What a denoiser errs by, as measured on molecules that it has not seen.

    Attributes:
        noise_levels: σ, ascending, e⁻/Å³ × pixel size.
        ratios: mean square errors by shell over those of the Wiener filter.
        strength: of the `error_pattern` where errors are those, by pixel size.
    """

    noise_levels: Float[Tensor, " level"]
    ratios: Float[Tensor, "level shell"]
    strength: Float[Tensor, "level pixel_size"]

    def at(self, noise_level: float) -> tuple[Tensor, Tensor]:
        """Return ratios and strength, interpolated in ln σ.

        Beyond the measured noise levels they are those of the last.
        """
        levels = self.noise_levels.log()
        place = torch.tensor(noise_level, dtype=levels.dtype).log()
        above = int(torch.searchsorted(levels, place).clamp(1, len(levels) - 1))
        low, high = levels[above - 1], levels[above]
        share = ((place - low) / (high - low)).clamp(0.0, 1.0)
        ratios, strength = (
            torch.lerp(values[above - 1], values[above], share)
            for values in (self.ratios, self.strength)
        )
        return ratios, strength


def error_pattern(
    estimate: Float[Tensor, "*batch z y x"], pixel_size: float
) -> Float[Tensor, "*batch z y x"]:
    """Return what the variance of an estimate's errors is in proportion to.

    Errors follow the density from place to place, and from molecule to molecule: sharp
    ones have more of what noise hides.

    Args:
        estimate: e⁻/Å³ × pixel size.
        pixel_size: Å.
    """
    frequency = half_grid_frequencies(estimate.shape[-1], pixel_size).to(estimate)
    blur = torch.exp(-2.0 * (math.pi * ERROR_WIDTH * frequency) ** 2)
    power = filter_volume(estimate.square(), blur).clamp(min=0.0)
    total = power.sum((-3, -2, -1), keepdim=True)
    typical = power.square().sum((-3, -2, -1), keepdim=True) / total
    return typical**2 * ((power / typical) ** ERROR_EXPONENT + ERROR_FLOOR)


@dataclass(frozen=True, kw_only=True, eq=False)
class VoxelPrior:
    """A trained denoiser at one of its pixel sizes.

    Attributes:
        denoiser: the network.
        pixel_index: which pixel size.
        pixel_size: Å.
        edge: of the volumes, voxels.
        errors: of its estimates.
        floor: least density of the molecules it has learnt from: nothing but the
            ringing at Nyquist is below the solvent, which is zero.
    """

    denoiser: VoxelDenoiser
    pixel_index: int
    pixel_size: float
    edge: int
    errors: MeasuredErrors
    floor: float

    def denoise(
        self, noisy: Float[Tensor, "sample z y x"], noise_level: float
    ) -> Float[Tensor, "sample z y x"]:
        """Return E[V | V_σ], no lower than any molecule's density.

        Args:
            noisy: clean densities plus normal noise, e⁻/Å³ × pixel size.
            noise_level: σ.
        """
        level = noisy.new_full((1,), noise_level)
        index = torch.full((1,), self.pixel_index, device=noisy.device)
        # One at a time: memory, and a processor's cache, hold the layers of one.
        estimates = [self.denoiser(one[None], level, index)[0] for one in noisy]
        return torch.stack(estimates).clamp(min=self.floor)

    @property
    def variance(self) -> Float[Tensor, "z y x_half"]:
        """Variance of densities at each frequency."""
        return shells_to_grid(self._power, self.edge)

    def remaining_variance(self, noise_level: float) -> Float[Tensor, "z y x_half"]:
        """Return the variance of V given V_σ at each frequency, as measured."""
        power, noise = self._power, noise_level**2
        ratios, _ = self.errors.at(noise_level)
        return shells_to_grid(ratios * power * noise / (power + noise), self.edge)

    def error_amplitude(
        self, denoised: Float[Tensor, "sample z y x"], noise_level: float
    ) -> Float[Tensor, "sample z y x"]:
        """Return errors over those of `remaining_variance`, voxel by voxel.

        Args:
            denoised: estimates, e⁻/Å³ × pixel size.
            noise_level: σ.
        """
        _, strength = self.errors.at(noise_level)
        pattern = error_pattern(denoised, self.pixel_size)
        return (pattern / strength[self.pixel_index]).sqrt()

    @property
    def _power(self) -> Tensor:
        return self.denoiser.whitening.power[self.pixel_index]
