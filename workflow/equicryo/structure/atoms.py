"""A protein chain with all its heavy atoms."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from equicryo.structure.chain import Chain


@dataclass(frozen=True, kw_only=True, eq=False)
class AtomicModel:
    """One protein chain: standard residues, heavy atoms, one conformation.

    Attributes:
        name: lower-case id of the structure, e.g. ``1hel``.
        chain_id: author's chain name.
        sequence: one-letter codes of the residues that have coordinates.
        residue_numbers: author's numbers, with gaps and repeats as in the file.
        insertion_codes: one a residue, empty where there is none.
        atom_names: e.g. ``CA``, in file order.
        elements: chemical symbols, e.g. ``C``.
        residue_index: position in `sequence` of each atom's residue, ascending.
        coordinates: Å, in the frame of the file.
        b_factors: isotropic, Å².
        occupancies: fraction of molecules with the atom there, as in the file.
    """

    name: str
    chain_id: str
    sequence: str
    residue_numbers: Int64[np.ndarray, " residue"]
    insertion_codes: tuple[str, ...]
    atom_names: tuple[str, ...]
    elements: tuple[str, ...]
    residue_index: Int64[np.ndarray, " atom"]
    coordinates: Float64[np.ndarray, "atom 3"]
    b_factors: Float64[np.ndarray, " atom"]
    occupancies: Float64[np.ndarray, " atom"]

    def __len__(self) -> int:
        """Return the number of atoms."""
        return len(self.atom_names)


def alpha_carbons(model: AtomicModel) -> Chain:
    """Reduce a chain to its Cα atoms, in the frame of the file.

    Raises:
        ValueError: a residue does not have exactly one Cα.
    """
    alpha = np.flatnonzero(np.array(model.atom_names) == "CA")
    if not np.array_equal(model.residue_index[alpha], np.arange(len(model.sequence))):
        raise ValueError(f"{model.name}: not every residue has exactly one CA atom")
    return Chain(
        name=model.name,
        chain_id=model.chain_id,
        sequence=model.sequence,
        residue_numbers=model.residue_numbers,
        insertion_codes=model.insertion_codes,
        coordinates=model.coordinates[alpha],
        b_factors=model.b_factors[alpha],
    )
