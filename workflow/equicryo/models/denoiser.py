"""The denoiser: EDM preconditioning, with the whitening as skip connection."""

from jaxtyping import Float, Int
from torch import Tensor, nn

from equicryo.models.transformer import GeometricTransformer, NetworkConfig
from equicryo.models.whitening import Whitening


class Denoiser(nn.Module):
    """Estimate E[x₀ | x_σ] of one chain, in Å.

    D(x) = W(x, σ) + c_out F(x, σ): W is the posterior mean under the whitening's
    Gaussian, in place of the scalar skip connection, and the network F learns what it
    leaves, in units of its size c_out. The centroid is kept: the prior says nothing
    about where a molecule lies.

    Source: Karras et al. 2022 (EDM), arXiv:2206.00364, section 5, with W for c_skip.
    """

    def __init__(
        self,
        network: NetworkConfig,
        whitening: Whitening,
        residue_types: Int[Tensor, " residue"],
    ) -> None:
        """Create an untrained denoiser, equal to the Gaussian's posterior mean.

        Args:
            network: size of the transformer.
            whitening: Gaussian of the conformers; saved with the weights.
            residue_types: index of each residue's type.
        """
        super().__init__()
        self.whitening = whitening
        self.register_buffer("residue_types", residue_types)
        self.network = GeometricTransformer(network)

    def forward(
        self,
        noisy: Float[Tensor, "batch residue 3"],
        noise_level: Float[Tensor, " batch"],
    ) -> Float[Tensor, "batch residue 3"]:
        """Denoise a batch of chains.

        Args:
            noisy: clean coordinates plus normal noise of deviation σ, Å.
            noise_level: σ, Å.

        Returns:
            The estimate of the clean coordinates, Å.
        """
        # Geometry in float64: its rounding would be the largest error of equivariance.
        exact = noisy.to(self.whitening.mean)
        level = noise_level.to(self.whitening.mean)
        centroid = exact.mean(1, keepdim=True)
        centred = exact - centroid
        estimate = self.whitening(centred, level)
        step = self.whitening.deviation(level)
        refined = self.network(estimate, centred, level, step, self.residue_types)
        return (refined - refined.mean(1, keepdim=True) + centroid).to(noisy)
