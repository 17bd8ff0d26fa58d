"""The denoiser of densities: MONAI's diffusion U-Net in EDM preconditioning."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from monai.networks.nets.diffusion_model_unet import DiffusionModelUNet
from torch import Tensor, nn

from equicryo.models.voxel_whitening import SpectralWhitening

TIME_SCALE = 100.0
"""Steps of the U-Net's time, meant to run to 1,000, in a unit of ln σ."""

GROUPS = 8
"""Of the group norms: channels are multiples of it."""


@dataclass(frozen=True, kw_only=True)
class VoxelNetworkConfig:
    """Size of the U-Net.

    Attributes:
        stem: edge, voxels, of the cubes that are laid into channels before the first
            layer, and spread out again after the last.
        channels: of each level, from fine to coarse; each level halves the grid.
        blocks: residual blocks a level.
    """

    stem: int
    channels: tuple[int, ...]
    blocks: int

    @property
    def multiple(self) -> int:
        """Number of voxels of which the edge of a volume must be a multiple."""
        return self.stem * 2 ** (len(self.channels) - 1)


class VoxelDenoiser(nn.Module):
    """Estimate E[V | V_σ] of densities.

    D(V) = W(V, σ) + c_out F(V, σ): W is the Wiener filter of the whitening's spectrum,
    in place of the scalar skip connection, and the network F learns what it leaves, in
    units of its size c_out. F sees the noisy density and its Wiener estimate. It is
    equivariant to shifts by its coarsest cell, and to rotations only as far as it has
    learnt to be.

    Source: Karras et al. 2022 (EDM), arXiv:2206.00364, section 5, with W for c_skip;
        the space-to-depth stem is that of Shi et al. 2016, arXiv:1609.05158.
    """

    def __init__(
        self, network: VoxelNetworkConfig, whitening: SpectralWhitening
    ) -> None:
        """Create an untrained denoiser, equal to the Wiener filter.

        Args:
            network: size of the U-Net.
            whitening: spectrum of the densities; saved with the weights.
        """
        super().__init__()
        self.config = network
        self.whitening = whitening
        cells, levels = network.stem**3, len(network.channels)
        self.network = DiffusionModelUNet(
            spatial_dims=3,
            in_channels=2 * cells,
            out_channels=cells,
            channels=network.channels,
            attention_levels=(False,) * levels,
            num_res_blocks=network.blocks,
            norm_num_groups=GROUPS,
            num_head_channels=(*[0] * (levels - 1), network.channels[-1]),
            num_class_embeds=len(whitening.power),
        )

    def forward(
        self,
        noisy: Float[Tensor, "batch z y x"],
        noise_level: Float[Tensor, " batch"],
        pixel_index: Int[Tensor, " batch"],
    ) -> Float[Tensor, "batch z y x"]:
        """Denoise a batch of densities.

        Args:
            noisy: clean densities plus normal noise, e⁻/Å³ × pixel size.
            noise_level: σ, standard deviation of the noise of a voxel.
            pixel_index: which pixel size each is sampled at.

        Returns:
            The estimate of the clean densities.
        """
        with torch.autocast(noisy.device.type, enabled=False):
            first = self.whitening(noisy, noise_level, pixel_index)
            deviations = self.whitening.deviations(
                noise_level, pixel_index, noisy.shape[-1]
            )
        whole, part, step = (one[:, None, None, None] for one in deviations)
        inputs = torch.stack([noisy / whole, first / part], dim=1)
        hidden = space_to_depth(inputs, self.config.stem)
        time = TIME_SCALE * noise_level.log()
        hidden = self.network(hidden, time, class_labels=pixel_index)
        learnt = depth_to_space(hidden, self.config.stem)[:, 0]
        return first + step * learnt.to(first)


def space_to_depth(
    volume: Float[Tensor, "batch channel z y x"], stem: int
) -> Float[Tensor, "batch depth z_cell y_cell x_cell"]:
    """Lay each cube of stem³ voxels into channels."""
    batch, channels, *edges = volume.shape
    z, y, x = (edge // stem for edge in edges)
    cells = volume.reshape(batch, channels, z, stem, y, stem, x, stem)
    return cells.permute(0, 1, 3, 5, 7, 2, 4, 6).reshape(
        batch, channels * stem**3, z, y, x
    )


def depth_to_space(
    cells: Float[Tensor, "batch depth z_cell y_cell x_cell"], stem: int
) -> Float[Tensor, "batch channel z y x"]:
    """Spread channels out into cubes of voxels: the inverse of `space_to_depth`."""
    batch, depth, z, y, x = cells.shape
    channels = depth // stem**3
    cubes = cells.reshape(batch, channels, stem, stem, stem, z, y, x)
    return cubes.permute(0, 1, 5, 2, 6, 3, 7, 4).reshape(
        batch, channels, z * stem, y * stem, x * stem
    )


def initialise_voxel_network(
    denoiser: VoxelDenoiser, generator: torch.Generator
) -> None:
    """Draw the network's weights, all from one generator.

    Matrices and kernels are uniform, as torch draws them, but for those that MONAI sets
    to zero; biases are zero.

    Args:
        denoiser: untrained; changed in place.
        generator: source of the randomness.
    """
    with torch.no_grad():
        for name, weight in denoiser.network.named_parameters():
            if weight.dim() < 2:
                if name.endswith("bias"):
                    weight.zero_()
            elif weight.any():
                fan_in = weight[0].numel()
                drawn = torch.rand(weight.shape, generator=generator)
                weight.copy_((2.0 * drawn - 1.0) / fan_in**0.5)
