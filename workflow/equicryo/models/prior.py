"""A prior as the rest of the package sees it: a denoiser in the unit it claims."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from equicryo.models.denoiser import Denoiser
from equicryo.models.transformer import ABSENT_TYPE


class DiffusionPrior(ABC):
    """What samplers ask of a prior."""

    @property
    @abstractmethod
    def residues(self) -> int:
        """Number of residues of the chain."""

    @abstractmethod
    def denoise(
        self,
        noisy: Float[Tensor, "batch residue 3"],
        noise_level: Float[Tensor, " batch"],
    ) -> Float[Tensor, "batch residue 3"]:
        """Estimate the clean coordinates, differentiable in the noisy ones.

        Args:
            noisy: clean coordinates plus normal noise of deviation σ, claimed Å.
            noise_level: σ, claimed Å.

        Returns:
            E[x₀ | x_σ] under the prior, claimed Å.
        """

    @abstractmethod
    def directions(
        self, chain: Float[Tensor, "residue 3"]
    ) -> tuple[Float[Tensor, "parameter mode"], Float[Tensor, " mode"]]:
        """Return how the prior's chains spread about one.

        Args:
            chain: one chain in its place, claimed Å.

        Returns:
            Orthonormal directions over (residue, axis) and variances, claimed Å²;
            infinite along what the prior leaves free.
        """


@final
@dataclass(frozen=True, kw_only=True)
class Prior(DiffusionPrior):
    """A trained denoiser and the length unit recorded with it.

    Attributes:
        denoiser: the network, in the Å of its training data.
        residue_types: index of each residue's type, of the chain it speaks of; or of
            several chains, `ABSENT_TYPE` beyond their ends, of which a batch then
            holds one each.
        length_unit: how many Å the card says one unit of the network is. 1 unless the
            record is wrong; the coordinates of a wrong one come out scaled by it.
    """

    denoiser: Denoiser
    residue_types: Int[Tensor, "*chain residue"]
    length_unit: float

    def denoise(
        self,
        noisy: Float[Tensor, "batch residue 3"],
        noise_level: Float[Tensor, " batch"],
    ) -> Float[Tensor, "batch residue 3"]:
        """Estimate the clean coordinates; see `DiffusionPrior.denoise`.

        Args:
            noisy: claimed Å.
            noise_level: σ, claimed Å.
        """
        unit = self.length_unit
        types = self.residue_types.expand(len(noisy), -1)
        return unit * self.denoiser(noisy / unit, noise_level / unit, types)

    @property
    def residues(self) -> int:
        """Number of residues of the chain, or of the longest."""
        return self.residue_types.shape[-1]

    def present(self, count: int) -> Bool[Tensor, "batch residue"]:
        """Return which residues there are in each chain of a batch."""
        return (self.residue_types != ABSENT_TYPE).expand(count, -1)

    def deviation(self, noise_level: float) -> float:
        """Return the spread per coordinate left after denoising at σ, claimed Å."""
        level = torch.tensor([noise_level / self.length_unit], dtype=torch.float64)
        spread = self.denoiser.whitening.deviation(level, self.present(1))
        return self.length_unit * float(spread)

    def directions(
        self, chain: Float[Tensor, "residue 3"]
    ) -> tuple[Float[Tensor, "parameter mode"], Float[Tensor, " mode"]]:
        """Return the spread as the whitening has it, infinite along rigid motions.

        Args:
            chain: one chain in its place, claimed Å.
        """
        basis, variance = self.denoiser.whitening.directions(chain / self.length_unit)
        return basis, variance * self.length_unit**2
