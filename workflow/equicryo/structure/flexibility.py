"""How much more one residue of a chain moves than another, from its Cα alone."""

import numpy as np
from jaxtyping import Float64


def relative_b_factors(
    coordinates: Float64[np.ndarray, "residue 3"],
) -> Float64[np.ndarray, " residue"]:
    """Return each residue's B-factor over the mean of the chain.

    It falls with how crowded the residue is: the inverse of its weighted contact
    number, Σ 1/d² over all other residues.

    Args:
        coordinates: Cα positions, Å.

    Source: Lin et al. 2008, doi:10.1002/prot.21983, equation 1.
    """
    separation = coordinates[:, None] - coordinates[None]
    squares = (separation**2).sum(-1)
    np.fill_diagonal(squares, np.inf)
    relative = 1.0 / (1.0 / squares).sum(1)
    return relative / relative.mean()
