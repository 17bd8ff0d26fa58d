import math
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.distance import pdist

from equicryo.io.structures import StructureConfig, read_structure
from equicryo.structure.atoms import alpha_carbons
from equicryo.structure.extent import generous_diameter, typical_radius

FILE = "resources/structures/1hel.pdb"


def test_laws_hold_for_a_protein_that_they_were_not_fitted_to() -> None:
    """Lysozyme and its relatives were left out of the fit."""
    settings = StructureConfig(
        source="file", file=FILE, sha256="", model=1, chain="A", altloc="highest"
    )
    atoms = read_structure(Path(FILE), settings, "1hel")
    x = alpha_carbons(atoms).coordinates
    radius = math.sqrt(np.square(x - x.mean(0)).sum(1).mean())
    assert typical_radius(len(x)) == pytest.approx(radius, rel=0.2)
    assert 1.0 < generous_diameter(len(x)) / pdist(x).max() < 1.6


@pytest.mark.parametrize("n_residues", [40, 129, 500])
def test_the_diameter_holds_a_ball_of_the_radius(n_residues: int) -> None:
    ball = 2 * math.sqrt(5 / 3) * typical_radius(n_residues)
    assert ball < generous_diameter(n_residues) < 2 * ball
