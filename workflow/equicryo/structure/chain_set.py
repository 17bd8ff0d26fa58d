"""Many protein chains, reduced to sequence and Cα, in flat arrays."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float64, Int16, Int64

COORDINATE_STEP = 0.01
"""Å: resolution at which coordinates are stored, about a crystal structure's error."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ChainSet:
    """Protein chains one after another.

    Attributes:
        ids: PDB id and author's chain name, e.g. ``2VB1_A``; each once.
        lengths: residues of each chain.
        sequence: one-letter codes of all residues.
        steps: Cα positions in units of `COORDINATE_STEP`, each chain about its own
            centroid.
    """

    ids: tuple[str, ...]
    lengths: Int64[np.ndarray, " chain"]
    sequence: str
    steps: Int16[np.ndarray, "residue 3"]

    def __post_init__(self) -> None:
        """Refuse fields that do not describe the same chains.

        Raises:
            ValueError: the counts disagree, or an id is there twice.
        """
        if len(self.ids) != len(self.lengths) or len(set(self.ids)) != len(self.ids):
            raise ValueError(
                f"{len(self.lengths)} lengths for {len(set(self.ids))} different of "
                f"{len(self.ids)} ids"
            )
        residues = int(self.lengths.sum())
        if not residues == len(self.sequence) == len(self.steps):
            raise ValueError(
                f"the lengths add to {residues} residues, but there are "
                f"{len(self.sequence)} letters and {len(self.steps)} positions"
            )

    def __len__(self) -> int:
        """Return the number of chains."""
        return len(self.ids)

    @cached_property
    def starts(self) -> Int64[np.ndarray, " chain"]:
        """First residue of each chain."""
        return np.cumsum(self.lengths) - self.lengths

    def sequence_of(self, index: int) -> str:
        """Return the one-letter codes of a chain."""
        return self.sequence[self._span(index)]

    def coordinates_of(self, index: int) -> Float64[np.ndarray, "residue 3"]:
        """Return the Cα positions of a chain, Å."""
        return self.steps[self._span(index)] * COORDINATE_STEP

    def select(self, indices: Sequence[int]) -> "ChainSet":
        """Return some of the chains, in the order asked for."""
        spans = [self._span(index) for index in indices]
        return ChainSet(
            ids=tuple(self.ids[index] for index in indices),
            lengths=self.lengths[np.asarray(indices, dtype=np.int64)],
            sequence="".join(self.sequence[span] for span in spans),
            steps=np.concatenate(
                [np.empty((0, 3), np.int16), *(self.steps[span] for span in spans)]
            ),
        )

    def _span(self, index: int) -> slice:
        start = int(self.starts[index])
        return slice(start, start + int(self.lengths[index]))


def gather_chains(
    ids: tuple[str, ...],
    sequence: str,
    coordinates: Sequence[Float64[np.ndarray, "_ 3"]],
) -> ChainSet:
    """Make a set of chains given one by one.

    Args:
        ids: one a chain.
        sequence: one-letter codes of all residues, chain after chain.
        coordinates: Cα positions, Å; rounded to `COORDINATE_STEP`.

    Raises:
        ValueError: the fields do not describe the same chains, or a residue lies too
            far from its chain's centroid to be stored.
    """
    steps = np.concatenate([one - one.mean(axis=0) for one in coordinates])
    steps = np.rint(steps / COORDINATE_STEP)
    reach = np.iinfo(np.int16).max
    if not (np.abs(steps) <= reach).all():
        raise ValueError(
            f"a residue lies {np.abs(steps).max() * COORDINATE_STEP:.0f} Å from the "
            f"centroid of its chain, above {reach * COORDINATE_STEP:.0f} Å"
        )
    return ChainSet(
        ids=ids,
        lengths=np.array([len(one) for one in coordinates]),
        sequence=sequence,
        steps=steps.astype(np.int16),
    )
