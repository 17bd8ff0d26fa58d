"""The twenty standard amino acids: letters, electrons and type indices."""

from types import MappingProxyType

import numpy as np
from jaxtyping import Float64, Int64

ONE_TO_THREE = MappingProxyType(
    {
        "A": "ALA",
        "C": "CYS",
        "D": "ASP",
        "E": "GLU",
        "F": "PHE",
        "G": "GLY",
        "H": "HIS",
        "I": "ILE",
        "K": "LYS",
        "L": "LEU",
        "M": "MET",
        "N": "ASN",
        "P": "PRO",
        "Q": "GLN",
        "R": "ARG",
        "S": "SER",
        "T": "THR",
        "V": "VAL",
        "W": "TRP",
        "Y": "TYR",
    }
)
THREE_TO_ONE = MappingProxyType({three: one for one, three in ONE_TO_THREE.items()})
RESIDUES = "".join(ONE_TO_THREE)
"""One-letter codes in alphabetical order; the position is the type index."""

UNKNOWN_LETTER, UNKNOWN_TYPE = "X", len(RESIDUES)

# Atoms of the residue in a chain (the neutral amino acid minus water): C, H, N, O, S.
_COMPOSITIONS = {
    "A": (3, 5, 1, 1, 0),
    "C": (3, 5, 1, 1, 1),
    "D": (4, 5, 1, 3, 0),
    "E": (5, 7, 1, 3, 0),
    "F": (9, 9, 1, 1, 0),
    "G": (2, 3, 1, 1, 0),
    "H": (6, 7, 3, 1, 0),
    "I": (6, 11, 1, 1, 0),
    "K": (6, 12, 2, 1, 0),
    "L": (6, 11, 1, 1, 0),
    "M": (5, 9, 1, 1, 1),
    "N": (4, 6, 2, 2, 0),
    "P": (5, 7, 1, 1, 0),
    "Q": (5, 8, 2, 2, 0),
    "R": (6, 12, 4, 1, 0),
    "S": (3, 5, 1, 2, 0),
    "T": (4, 7, 1, 2, 0),
    "V": (5, 9, 1, 1, 0),
    "W": (11, 10, 2, 1, 0),
    "Y": (9, 9, 1, 2, 0),
}
_ATOMIC_NUMBERS = (6, 1, 7, 8, 16)


def residue_electrons(sequence: str) -> Float64[np.ndarray, " residue"]:
    """Count the electrons of each residue in a chain, hydrogens included.

    Args:
        sequence: one-letter codes.

    Returns:
        Electrons of the amino acid minus water, e⁻. The two ends count as if the
        chain went on, and side chains are neutral.

    Raises:
        ValueError: a letter is not one of the twenty standard residues.
    """
    unknown = sorted(set(sequence) - set(RESIDUES))
    if unknown:
        raise ValueError(f"residue letters {unknown} have no known electron count")
    compositions = np.array([_COMPOSITIONS[letter] for letter in sequence], dtype=float)
    return compositions.reshape(-1, 5) @ np.array(_ATOMIC_NUMBERS, dtype=float)


def residue_types(sequence: str) -> Int64[np.ndarray, " residue"]:
    """Index each residue by the alphabetical order of its one-letter code.

    Args:
        sequence: one-letter codes; any other letter is the unknown type.

    Returns:
        0 (A) to 19 (Y), and 20 where the residue is not standard.
    """
    found = [RESIDUES.find(letter) for letter in sequence]
    types = np.array(found, dtype=np.int64)
    return np.where(types < 0, UNKNOWN_TYPE, types)
