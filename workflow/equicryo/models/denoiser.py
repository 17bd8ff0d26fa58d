"""The denoiser: EDM preconditioning, with the whitening as skip connection."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from equicryo.models.polymer import PolymerWhitening
from equicryo.models.transformer import (
    ABSENT_TYPE,
    GeometricTransformer,
    NetworkConfig,
)
from equicryo.models.whitening import EnsembleWhitening

VALIDATION_NOISE = (0.3, 1.0, 2.0, 4.0, 8.0, 16.0)
"""Noise levels of the denoising test, Å."""


class Denoiser(nn.Module):
    """Estimate E[x₀ | x_σ] of chains, in Å.

    D(x) = W(x, σ) + c_out F(x, σ): W is the posterior mean under the whitening's
    Gaussian, in place of the scalar skip connection, and the network F learns what it
    leaves, in units of its size c_out. The centroid is kept: the prior says nothing
    about where a molecule lies.

    Source: Karras et al. 2022 (EDM), arXiv:2206.00364, section 5, with W for c_skip.
    """

    def __init__(
        self, network: NetworkConfig, whitening: EnsembleWhitening | PolymerWhitening
    ) -> None:
        """Create an untrained denoiser, equal to the Gaussian's posterior mean.

        Args:
            network: size of the transformer.
            whitening: Gaussian of the chains; saved with the weights.
        """
        super().__init__()
        self.whitening = whitening
        self.network = GeometricTransformer(network)

    def forward(
        self,
        noisy: Float[Tensor, "batch residue 3"],
        noise_level: Float[Tensor, " batch"],
        residue_types: Int[Tensor, "batch residue"],
    ) -> Float[Tensor, "batch residue 3"]:
        """Denoise a batch of chains.

        Args:
            noisy: clean coordinates plus normal noise of deviation σ, Å.
            noise_level: σ, Å.
            residue_types: index of each residue's type; `ABSENT_TYPE` beyond the end.

        Returns:
            The estimate of the clean coordinates, Å.
        """
        return self.estimates(noisy, noise_level, residue_types)[-1]

    def estimates(
        self,
        noisy: Float[Tensor, "batch residue 3"],
        noise_level: Float[Tensor, " batch"],
        residue_types: Int[Tensor, "batch residue"],
    ) -> list[Float[Tensor, "batch residue 3"]]:
        """Return the estimate after each round; as `forward` otherwise."""
        present = residue_types != ABSENT_TYPE
        # The whitening's precision is that of all geometry: float64 but in training,
        # for its rounding would be the largest error of equivariance.
        precision = next(self.whitening.buffers()).dtype
        exact, level = noisy.to(precision), noise_level.to(precision)
        middle = centroid(exact, present)
        centred = (exact - middle) * present[..., None]
        with torch.autocast(noisy.device.type, enabled=False):
            first = self.whitening(centred, level, present)
            step = self.whitening.deviation(level, present)
        refined = self.network(first, centred, level, step, residue_types)
        return [(x - centroid(x, present) + middle).to(noisy) for x in refined]


def centroid(
    coordinates: Float[Tensor, "batch residue 3"],
    present: Bool[Tensor, "batch residue"],
) -> Float[Tensor, "batch 1 3"]:
    """Return the mean position of the residues that there are."""
    total = torch.where(present[..., None], coordinates, 0.0).sum(1, keepdim=True)
    return total / present.sum(1)[:, None, None]
