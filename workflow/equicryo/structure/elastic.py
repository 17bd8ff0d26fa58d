"""Conformers of one chain along the softest modes of its elastic network."""

import logging
from dataclasses import dataclass

import numpy as np
import prody
import torch
from jaxtyping import Float, Float64
from scipy.optimize import brentq
from torch import Tensor

from equicryo.errors import InputError
from equicryo.structure.bonds import closest_contacts, repair_bonds
from equicryo.structure.chain import Chain, bond_lengths
from equicryo.structure.conformers import Conformers
from equicryo.structure.superposition import rmsd_unaligned, superpose

logger = logging.getLogger(__name__)
# ProDy's one warning here, of parts that move freely, is an error of ours.
logging.getLogger(".prody").setLevel(logging.ERROR)

CLASH_DISTANCE = 3.6
"""Residues that are not bonded never come closer than this in known structures, Å."""

MAX_REDRAWS = 200
MOST_CLASHES = 0.9
"""Beyond this fraction the modes do not reach so far, and redrawing takes forever."""

RIGID_MODES = 6
SMALLEST_STIFFNESS = 1e-6
SCALE_TOLERANCE = 1e-6


@dataclass(frozen=True, kw_only=True)
class EnsembleConfig:
    """Settings of one target's ensemble.

    Attributes:
        conformers: how many, those held out included.
        held_out: how many at the end of the ensemble a prior must not see.
        modes: the softest non-rigid modes that move.
        mean_rmsd: of the conformers from the given structure, superposed, Å.
        cutoff: residues closer than this are linked by a spring, Å.
    """

    conformers: int
    held_out: int
    modes: int
    mean_rmsd: float
    cutoff: float

    def __post_init__(self) -> None:
        """Check the relation between the numbers.

        Raises:
            InputError: no conformer is left to train on.
        """
        if self.held_out >= self.conformers:
            raise InputError(
                f"ensembles: held_out is {self.held_out} of {self.conformers} "
                "conformers, which leaves none to train on: lower held_out"
            )


@dataclass(frozen=True, kw_only=True, eq=False)
class ElasticModes:
    """The softest non-rigid modes of an elastic network.

    Attributes:
        stiffness: eigenvalues, ascending, in units of the spring constant.
        directions: orthonormal eigenvectors.
    """

    stiffness: Float64[np.ndarray, " mode"]
    directions: Float64[np.ndarray, "mode residue 3"]


def elastic_modes(
    coordinates: Float64[np.ndarray, "residue 3"], count: int, cutoff: float
) -> ElasticModes:
    """Find the softest modes of the anisotropic network model.

    Args:
        coordinates: Cα positions, Å.
        count: how many modes above the six rigid motions.
        cutoff: residues closer than this are linked by equal springs, Å.

    Returns:
        Modes, softest first.

    Raises:
        InputError: the chain has too few residues, or the network is not rigid.

    Source: Atilgan et al. 2001, doi:10.1016/S0006-3495(01)76033-X.
    """
    available = coordinates.size - RIGID_MODES
    if count > available:
        raise InputError(
            f"ensembles: {len(coordinates)} residues have only {available} non-rigid "
            f"modes, {count} were asked for: lower modes"
        )
    network = prody.ANM()
    network.buildHessian(coordinates, cutoff=cutoff)
    network.calcModes(n_modes=count + RIGID_MODES, zeros=True)
    stiffness = network.getEigvals()[RIGID_MODES:]
    if stiffness[0] < SMALLEST_STIFFNESS:
        raise InputError(
            f"ensembles: with a cutoff of {cutoff} Å parts of the elastic network "
            "move freely: raise cutoff (15 Å suits most proteins)"
        )
    vectors = network.getEigvecs()[:, RIGID_MODES:].T
    # Either sign is an eigenvector: fix it, lest conformers depend on the solver.
    largest = np.abs(vectors).argmax(axis=1)
    vectors = vectors * np.sign(vectors[np.arange(count), largest, None])
    directions = vectors.reshape(count, -1, 3)
    return ElasticModes(stiffness=stiffness, directions=directions)


def sample_conformers(
    chain: Chain, config: EnsembleConfig, *, generator: torch.Generator
) -> Conformers:
    """Draw conformers of a chain along its softest elastic modes.

    Amplitudes are thermal; bonds get back the lengths of the given structure; one
    scale for all is solved for, such that the repaired conformers have the mean RMSD
    asked for. Conformers with a contact below 3.6 Å, or below the closest of the
    given structure where that is shorter, are drawn anew.

    Args:
        chain: the structure to start from.
        config: settings.
        generator: source of the amplitudes.

    Returns:
        Conformers superposed on the chain, their centroids at the origin.

    Raises:
        InputError: the settings do not suit the chain.
    """
    reference = chain.coordinates - chain.coordinates.mean(axis=0)
    modes = elastic_modes(reference, config.modes, config.cutoff)
    closest = min(CLASH_DISTANCE, closest_contacts(reference[None])[0])
    displacements = draw_displacements(modes, config.conformers, generator=generator)
    for redraw in range(MAX_REDRAWS):
        conformers = _scale_to_rmsd(reference, displacements, config.mean_rmsd)
        clashing = closest_contacts(conformers) < closest
        count = int(clashing.sum())
        logger.info("draw %d: %d of %d clash", redraw, count, config.conformers)
        if not count:
            split = config.conformers - config.held_out
            return Conformers(training=conformers[:split], held_out=conformers[split:])
        if count > MOST_CLASHES * config.conformers:
            break
        displacements[clashing] = draw_displacements(modes, count, generator=generator)
    raise InputError(
        f"ensembles: {count} of {config.conformers} conformers still clash after draw "
        f"{redraw}: lower mean_rmsd ({config.mean_rmsd} Å) or modes"
    )


def draw_displacements(
    modes: ElasticModes, count: int, *, generator: torch.Generator
) -> Float64[np.ndarray, "conformer residue 3"]:
    """Draw displacements in thermal equilibrium, up to one common scale.

    Args:
        modes: what moves.
        count: how many displacements.
        generator: source of the amplitudes.

    Returns:
        Sums of the modes with normal amplitudes of variance 1/stiffness.
    """
    shape = (count, len(modes.stiffness))
    normal = torch.randn(shape, generator=generator, dtype=torch.float64).numpy()
    return np.tensordot(normal / np.sqrt(modes.stiffness), modes.directions, axes=1)


def _scale_to_rmsd(
    reference: Float64[np.ndarray, "residue 3"],
    displacements: Float64[np.ndarray, "conformer residue 3"],
    mean_rmsd: float,
) -> Float64[np.ndarray, "conformer residue 3"]:
    """Scale displacements, repair bonds and superpose, to a mean RMSD in Å."""
    lengths = bond_lengths(reference)
    target = torch.from_numpy(reference)

    def displace(scale: float) -> Float[Tensor, "conformer residue 3"]:
        repaired = repair_bonds(reference + scale * displacements, lengths)
        moved = torch.from_numpy(repaired)
        return superpose(moved, target).apply(moved)

    def excess(scale: float) -> float:
        return float(rmsd_unaligned(displace(scale), target).mean()) - mean_rmsd

    # Displacements are read as rigid first; repair and superposition shorten them.
    linear = mean_rmsd / np.sqrt(np.square(displacements).sum(-1).mean(-1)).mean()
    upper = linear
    while excess(upper) < 0.0:
        upper *= 1.2
    scale = brentq(excess, 0.5 * linear, upper, rtol=SCALE_TOLERANCE)
    return displace(scale).numpy()
