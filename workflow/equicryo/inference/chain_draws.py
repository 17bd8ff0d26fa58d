"""Draws from a prior of any chain, for chains of many lengths."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from equicryo.inference.diffusion import ScheduleConfig, draw_prior
from equicryo.models.denoiser import Denoiser
from equicryo.models.prior import Prior
from equicryo.models.transformer import ABSENT_TYPE
from equicryo.structure.chain_set import ChainSet, gather_chains
from equicryo.structure.extent import typical_radius
from equicryo.structure.residues import residue_types

TRACE_COLUMNS = ("noise_level", "rg_over_typical_mean", "rg_over_typical_sd")

BATCH = 8
"""Chains of like length that are drawn together; more are no faster on a CPU."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ChainDraws:
    """Chains drawn, and how large their estimates were on the way.

    Attributes:
        chains: with the sequences that were asked for, sorted by length.
        noise_level: σ at each step, Å.
        relative_radius: radius of gyration of each denoised estimate over the one
            typical of its length.
    """

    chains: ChainSet
    noise_level: Float[Tensor, " step"]
    relative_radius: Float[Tensor, "step chain"]

    def trace(self) -> list[Mapping[str, float]]:
        """Return the size of the estimates at each noise level, over the chains."""
        return [
            dict(zip(TRACE_COLUMNS, row, strict=True))
            for row in zip(
                self.noise_level.tolist(),
                self.relative_radius.mean(1).tolist(),
                self.relative_radius.std(1).tolist(),
                strict=True,
            )
        ]


def draw_chains(
    denoiser: Denoiser,
    sequences: Sequence[str],
    schedule: ScheduleConfig,
    *,
    churn: float,
    generator: torch.Generator,
) -> ChainDraws:
    """Draw a chain for each of some sequences.

    Args:
        denoiser: of chains of any kind.
        sequences: one-letter codes; of residues given by any other letter, only their
            being there is known.
        schedule: noise levels, from far above the size of the molecules.
        churn: as in `draw_prior`.
        generator: source of the randomness.
    """
    ordered = sorted(sequences, key=len)
    coordinates, radii = [], []
    for first in range(0, len(ordered), BATCH):
        batch = ordered[first : first + BATCH]
        types = [torch.from_numpy(residue_types(letters)) for letters in batch]
        prior = Prior(
            denoiser=denoiser,
            residue_types=pad_sequence(
                types, batch_first=True, padding_value=ABSENT_TYPE
            ),
            length_unit=1.0,
        )
        draws = draw_prior(
            prior, len(batch), schedule, churn=churn, generator=generator
        )
        found = zip(draws.coordinates.double().numpy(), batch, strict=True)
        coordinates += [one[: len(letters)] for one, letters in found]
        lengths = torch.tensor([len(letters) for letters in batch])
        radii.append(draws.gyration / typical_radius(lengths))
    names = tuple(f"draw_{index + 1}" for index in range(len(ordered)))
    return ChainDraws(
        chains=gather_chains(names, "".join(ordered), coordinates),
        noise_level=draws.noise_level,
        relative_radius=torch.cat(radii, 1),
    )
