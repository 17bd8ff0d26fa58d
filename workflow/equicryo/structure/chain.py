"""A protein chain reduced to its Cα atoms."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64, Int64

from equicryo.errors import InputError

VIRTUAL_BOND = 3.8
"""Distance of consecutive Cα across a trans peptide bond, Å."""

LONGEST_BOND = 4.5
"""Consecutive Cα farther apart than this, Å, are not bonded: the chain is broken."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Chain:
    """One protein chain, a Cα a residue, in sequence order.

    Attributes:
        name: lower-case id of the structure, e.g. ``1hel``.
        chain_id: author's chain name.
        sequence: one-letter codes of the residues that have coordinates.
        residue_numbers: author's numbers, with gaps and repeats as in the file.
        insertion_codes: one a residue, empty where there is none.
        coordinates: Cα positions, Å.
        b_factors: of the Cα atoms, Å².
    """

    name: str
    chain_id: str
    sequence: str
    residue_numbers: Int64[np.ndarray, " residue"]
    insertion_codes: tuple[str, ...]
    coordinates: Float64[np.ndarray, "residue 3"]
    b_factors: Float64[np.ndarray, " residue"]

    def __post_init__(self) -> None:
        """Refuse fields of different lengths.

        Raises:
            ValueError: the fields do not describe the same number of residues.
        """
        lengths = {
            "sequence": len(self.sequence),
            "residue_numbers": len(self.residue_numbers),
            "insertion_codes": len(self.insertion_codes),
            "coordinates": len(self.coordinates),
            "b_factors": len(self.b_factors),
        }
        if len(set(lengths.values())) > 1:
            raise ValueError(f"the fields of a chain differ in length: {lengths}")

    def __len__(self) -> int:
        """Return the number of residues."""
        return len(self.sequence)


def bond_lengths(
    coordinates: Float64[np.ndarray, "*batch residue 3"],
) -> Float64[np.ndarray, "*batch bond"]:
    """Return the distances of consecutive Cα atoms, Å."""
    return np.linalg.norm(np.diff(coordinates, axis=-2), axis=-1)


def chain_breaks(chain: Chain) -> list[str]:
    """Name the places where consecutive residues are too far apart to be bonded.

    Numbering alone is no evidence: insertion codes and renumbered loops leave gaps
    in an unbroken chain.

    Returns:
        One text a break, e.g. ``A/G71 to A/R73 (7.2 Å)``, in sequence order.
    """
    lengths = bond_lengths(chain.coordinates)
    return [
        f"{residue_label(chain, index)} to {residue_label(chain, index + 1)} "
        f"({lengths[index]:.1f} Å)"
        for index in np.flatnonzero(lengths > LONGEST_BOND).tolist()
    ]


def residue_label(chain: Chain, index: int) -> str:
    """Name a residue as a user knows it: chain, one-letter code, number, insertion."""
    number = f"{chain.residue_numbers[index]}{chain.insertion_codes[index]}"
    return f"{chain.chain_id}/{chain.sequence[index]}{number}"


def require_unbroken(chain: Chain) -> None:
    """Refuse a chain with residues missing inside.

    Raises:
        InputError: consecutive residues are too far apart to be bonded.
    """
    breaks = chain_breaks(chain)
    if breaks:
        raise InputError(
            f"structures.{chain.name}: chain {chain.chain_id} is broken: "
            f"{'; '.join(breaks)}. One unbroken chain is expected: build the missing "
            "residues, or choose another chain or entry"
        )


def centre_chain(chain: Chain) -> Chain:
    """Move a chain so that its Cα centroid lies at the origin."""
    centred = chain.coordinates - chain.coordinates.mean(axis=0)
    return replace(chain, coordinates=centred)
