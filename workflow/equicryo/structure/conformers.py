"""Ensembles of conformers of one chain."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64


@dataclass(frozen=True, kw_only=True, eq=False)
class Conformers:
    """Conformers of one chain, each centred at its Cα centroid.

    Attributes:
        training: what a prior may see, Å.
        held_out: what it must not see; the truths behind images come from here, Å.
    """

    training: Float64[np.ndarray, "conformer residue 3"]
    held_out: Float64[np.ndarray, "truth residue 3"]
