"""How well density models of a Cα trace explain all-atom density, and what they cost.

A model that puts all of a residue at its Cα draws the estimated Cα towards the side
chain. At high signal-to-noise ratio this bias is all the error there is.
"""

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from equicryo.evaluation.noiseless import (
    PIXEL_SIZE,
    density_correlation,
    draw_atoms,
    inside_molecule,
    most_likely_chain,
    typical_images,
)
from equicryo.physics.residue_density import ChainDensity
from equicryo.structure.atoms import AtomicModel, alpha_carbons
from equicryo.structure.residue_model import BACKBONE

logger = logging.getLogger(__name__)

RESOLUTIONS = (2.0, 2.5, 3.0)
"""Å, at which densities are correlated."""

COMPARISON_COLUMNS = (
    "chain",
    "residues",
    "model",
    *(f"correlation_{resolution:g}" for resolution in RESOLUTIONS),
    "ml_rmsd",
    "ml_median",
)
BIAS_COLUMNS = ("model", "residue", "count", "ml_rmsd", "along_side_chain")


@dataclass(frozen=True, kw_only=True, eq=False)
class Comparison:
    """One density model on one chain.

    Attributes:
        atoms: the chain.
        model: name of the density model.
        correlations: with the all-atom density, at `RESOLUTIONS`.
        shifts: of the most likely Cα from the true ones, Å.
    """

    atoms: AtomicModel
    model: str
    correlations: tuple[float, ...]
    shifts: Float[Tensor, "residue 3"]

    def row(self) -> dict[str, str | int | float]:
        """Return the row under `COMPARISON_COLUMNS`."""
        length = self.shifts.norm(dim=-1)
        values = (
            f"{self.atoms.name}_{self.atoms.chain_id}",
            len(length),
            self.model,
            *self.correlations,
            length.square().mean().sqrt().item(),
            length.median().item(),
        )
        return dict(zip(COMPARISON_COLUMNS, values, strict=True))


def compare_densities(
    atoms: AtomicModel,
    densities: Mapping[str, ChainDensity],
    *,
    generator: torch.Generator,
) -> list[Comparison]:
    """Compare density models of a chain with all its atoms, each from the true Cα.

    Args:
        atoms: with all heavy atoms, Å.
        densities: models of the chain's density, by name.
        generator: draws the views of the noise-free images.
    """
    alpha = torch.from_numpy(alpha_carbons(atoms).coordinates)
    alpha = alpha - alpha.mean(0)
    truth = draw_atoms(atoms)
    edge = truth.shape[-1]
    inside = inside_molecule(atoms, edge)
    normal = typical_images(edge, generator=generator)
    compared = []
    for name, density in densities.items():
        volume = density.volume(alpha, edge, PIXEL_SIZE, 0.0)
        correlations = [
            density_correlation(volume, truth, inside, resolution)
            for resolution in RESOLUTIONS
        ]
        found = most_likely_chain(alpha, density, truth, normal)
        compared.append(
            Comparison(
                atoms=atoms,
                model=name,
                correlations=tuple(correlations),
                shifts=found - alpha,
            )
        )
        logger.info("%s", compared[-1].row())
    return compared


def tabulate_bias(
    comparisons: Sequence[Comparison],
) -> list[dict[str, str | int | float | None]]:
    """Pool the shifts of the most likely Cα by residue type.

    Returns:
        Rows under `BIAS_COLUMNS`: root mean square shift, and its mean component
        towards the centroid of the side chain (Cβ and beyond), Å; that of glycine is
        None.
    """
    shifts, along = defaultdict(list), defaultdict(list)
    for each in comparisons:
        centres = side_chain_directions(each.atoms)
        for letter, shift, direction in zip(
            each.atoms.sequence, each.shifts.numpy(), centres, strict=True
        ):
            shifts[each.model, letter].append(float(shift @ shift))
            along[each.model, letter].append(float(shift @ direction))
    return [
        {
            "model": model,
            "residue": letter,
            "count": len(squares),
            "ml_rmsd": float(np.sqrt(np.mean(squares))),
            "along_side_chain": None
            if letter == "G"
            else float(np.mean(along[model, letter])),
        }
        for (model, letter), squares in sorted(shifts.items())
    ]


def side_chain_directions(atoms: AtomicModel) -> Float64[np.ndarray, "residue 3"]:
    """Return unit vectors from each Cα to its side chain's centroid; 0 in glycine."""
    names = np.array(atoms.atom_names)
    side = ~np.isin(names, (*BACKBONE, "OXT"))
    index = atoms.residue_index[side]
    alpha = alpha_carbons(atoms).coordinates
    offset = np.zeros_like(alpha)
    np.add.at(offset, index, atoms.coordinates[side] - alpha[index])
    length = np.linalg.norm(offset, axis=-1, keepdims=True)
    return offset / np.maximum(length, np.finfo(float).tiny)
