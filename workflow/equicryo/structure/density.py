"""Scattering density of an all-atom model on a cubic grid."""

import math
from dataclasses import dataclass

import gemmi
import numpy as np
from jaxtyping import Float32, Float64

from equicryo.errors import InputError
from equicryo.structure.atoms import AtomicModel, alpha_carbons

ATOM_MARGIN = 3.0
"""Least distance of an atom's centre from the faces of the box, Å."""

# Relative to a peak of about 1 Å⁻²: far below the float32 rounding of a map's sum.
DENSITY_CUTOFF = 1e-7


@dataclass(frozen=True, kw_only=True)
class VoxelConfig:
    """Settings of the density maps.

    Attributes:
        box_size: edge of the cube, voxels.
        pixel_size: edge of a voxel, Å.
        resolution: the low-pass falls to 1/e at this length, Å.
    """

    box_size: int
    pixel_size: float
    resolution: float

    def __post_init__(self) -> None:
        """Check the relation between sampling and resolution.

        Raises:
            InputError: the resolution is beyond Nyquist.
        """
        if self.resolution < 2.0 * self.pixel_size:
            raise InputError(
                f"voxels: resolution is {self.resolution} Å, below "
                f"{2.0 * self.pixel_size} Å (2 × pixel_size): raise it or lower "
                "pixel_size"
            )


def atomic_density(
    model: AtomicModel, config: VoxelConfig
) -> Float32[np.ndarray, "z y x"]:
    """Sum the electron scattering of every heavy atom.

    Form factors are sums of four Gaussians, widened by B-factors and by the low-pass
    exp(-(k × resolution)²) and weighted by occupancies. The Cα centroid lies at voxel
    n//2. Hydrogens and solvent are left out.

    Args:
        model: in any frame; only moved, not turned.
        config: grid and resolution.

    Returns:
        Scattering amplitude per volume at the voxel centres, Å⁻² (Å/Å³).

    Raises:
        InputError: the box is too small for the model.

    Source: Peng et al. 1996, doi:10.1107/S0108767395014371, as tabulated in gemmi;
    low-pass as in ChimeraX's molmap.
    """
    centred = model.coordinates - alpha_carbons(model).coordinates.mean(axis=0)
    _check_box(centred, config)

    edge = config.box_size * config.pixel_size
    origin = config.box_size // 2 * config.pixel_size
    calculator = gemmi.DensityCalculatorE()
    calculator.grid.unit_cell = gemmi.UnitCell(edge, edge, edge, 90.0, 90.0, 90.0)
    calculator.grid.spacegroup = gemmi.SpaceGroup("P 1")
    calculator.grid.set_size(*[config.box_size] * 3)
    calculator.cutoff = DENSITY_CUTOFF
    calculator.blur = 4.0 * config.resolution**2  # exp(-B k²/4) is the low-pass
    calculator.initialize_grid()
    for index, position in enumerate(centred + origin):
        calculator.add_atom_density_to_grid(_gemmi_atom(model, index, position))
    return np.ascontiguousarray(calculator.grid.array.transpose(2, 1, 0))


def _gemmi_atom(
    model: AtomicModel, index: int, position: Float64[np.ndarray, "3"]
) -> gemmi.Atom:
    atom = gemmi.Atom()
    atom.element = gemmi.Element(model.elements[index])
    atom.pos = gemmi.Position(*position.tolist())
    atom.b_iso = float(model.b_factors[index])
    atom.occ = float(model.occupancies[index])
    return atom


def _check_box(centred: Float64[np.ndarray, "atom 3"], config: VoxelConfig) -> None:
    # The last voxel centre is one voxel short of the first one's distance.
    needed = float(np.abs(centred).max()) + ATOM_MARGIN
    smallest = 2 * (math.ceil(needed / config.pixel_size) + 1)
    if config.box_size < smallest:
        raise InputError(
            f"voxels: box_size is {config.box_size} voxels of {config.pixel_size} Å, "
            f"the model needs {smallest}: raise box_size to {smallest}"
        )
