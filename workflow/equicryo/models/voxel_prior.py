"""A voxel prior as samplers see it: a denoiser of one grid, and how sure it is."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from equicryo.models.voxel_denoiser import VoxelDenoiser
from equicryo.physics.spectra import shells_to_grid


@dataclass(frozen=True, kw_only=True, eq=False)
class VoxelPrior:
    """A trained denoiser at one of its pixel sizes.

    Attributes:
        denoiser: the network.
        pixel_index: which pixel size.
        edge: of the volumes, voxels.
        noise_levels: σ at which its errors were measured, ascending.
        errors: mean square errors by shell over those of the Wiener filter.
        floor: least density of the molecules it has learnt from: nothing but the
            ringing at Nyquist is below the solvent, which is zero.
    """

    denoiser: VoxelDenoiser
    pixel_index: int
    edge: int
    noise_levels: Float[Tensor, " level"]
    errors: Float[Tensor, "level shell"]
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
        """Return the variance of V given V_σ at each frequency, as measured.

        Between the noise levels at which errors were measured their ratio to the
        Wiener filter's is interpolated in ln σ; beyond, it is that of the last.
        """
        power, noise = self._power, noise_level**2
        levels = self.noise_levels.log()
        place = torch.tensor(noise_level, dtype=levels.dtype).log()
        above = int(torch.searchsorted(levels, place).clamp(1, len(levels) - 1))
        low, high = levels[above - 1], levels[above]
        share = ((place - low) / (high - low)).clamp(0.0, 1.0)
        ratio = torch.lerp(self.errors[above - 1], self.errors[above], share)
        return shells_to_grid(ratio * power * noise / (power + noise), self.edge)

    @property
    def _power(self) -> Tensor:
        return self.denoiser.whitening.power[self.pixel_index]
