"""What a denoiser learns from: batches of clean chains, drawn at random."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from equicryo.models.transformer import ABSENT_TYPE
from equicryo.structure.chain_set import ChainSet
from equicryo.structure.residues import UNKNOWN_TYPE, residue_types

WITHOUT_SEQUENCE = 0.2
"""Fraction of chains whose residue types are hidden, so that a prior can do without."""

LENGTH_POOL = 4
"""Batches of chains of like length among which those of a batch are drawn."""


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Chains, padded to the longest.

    Attributes:
        coordinates: Cα positions, each chain centred, Å; zero where no residue is.
        residue_types: `ABSENT_TYPE` where no residue is.
    """

    coordinates: Float[Tensor, "batch residue 3"]
    residue_types: Int[Tensor, "batch residue"]


@runtime_checkable
class Examples(Protocol):
    """A source of training batches."""

    def draw(self, batch_residues: int, generator: torch.Generator) -> Batch:
        """Draw a batch of about that many residues."""


@dataclass(frozen=True, kw_only=True)
class EnsembleExamples:
    """Conformers of one molecule.

    Attributes:
        conformers: centred, Å.
        residue_types: of the molecule.
    """

    conformers: Float[Tensor, "conformer residue 3"]
    residue_types: Int[Tensor, " residue"]

    def draw(self, batch_residues: int, generator: torch.Generator) -> Batch:
        """Draw conformers, with repetition."""
        count = max(1, round(batch_residues / len(self.residue_types)))
        chosen = torch.randint(len(self.conformers), (count,), generator=generator)
        return ensemble_batch(self.conformers[chosen], self.residue_types)


class ChainExamples:
    """Chains of many folds."""

    def __init__(self, chains: ChainSet) -> None:
        """Sort chains by their length, so that those of a batch need little padding."""
        self.chains = chains.select(np.argsort(chains.lengths, kind="stable").tolist())

    def draw(self, batch_residues: int, generator: torch.Generator) -> Batch:
        """Draw chains of like length, and hide the sequence of some."""
        count = len(self.chains)
        middle = int(torch.randint(count, (1,), generator=generator))
        size = max(1, round(batch_residues / int(self.chains.lengths[middle])))
        pool = min(count, LENGTH_POOL * size)
        first = min(max(0, middle - pool // 2), count - pool)
        order = torch.randperm(pool, generator=generator)[:size]
        batch = collate(self.chains, (first + order).tolist())
        hidden = torch.rand(len(order), generator=generator) < WITHOUT_SEQUENCE
        hidden = hidden[:, None] & (batch.residue_types != ABSENT_TYPE)
        types = batch.residue_types.masked_fill(hidden, UNKNOWN_TYPE)
        return Batch(coordinates=batch.coordinates, residue_types=types)


def ensemble_batch(
    conformers: Float[Tensor, "conformer residue 3"],
    residue_types: Int[Tensor, " residue"],
) -> Batch:
    """Make a batch of conformers of one molecule."""
    types = residue_types.expand(len(conformers), -1)
    return Batch(coordinates=conformers, residue_types=types)


def collate(chains: ChainSet, indices: list[int]) -> Batch:
    """Centre some chains and pad them to one length, in float32."""
    longest = int(chains.lengths[indices].max())
    coordinates = np.zeros((len(indices), longest, 3), np.float32)
    types = np.full((len(indices), longest), ABSENT_TYPE)
    for row, index in enumerate(indices):
        residues = chains.lengths[index]
        chain = chains.coordinates_of(index)
        coordinates[row, :residues] = chain - chain.mean(0)
        types[row, :residues] = residue_types(chains.sequence_of(index))
    return Batch(
        coordinates=torch.from_numpy(coordinates), residue_types=torch.from_numpy(types)
    )
