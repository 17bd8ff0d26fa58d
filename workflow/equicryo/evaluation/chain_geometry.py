"""What makes a Cα trace protein-like, measured on sets of chains."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64
from scipy.spatial.distance import jensenshannon, pdist, squareform
from scipy.stats import wasserstein_distance

from equicryo.structure.chain import bond_lengths
from equicryo.structure.chain_selection import CIS_BOND, virtual_dihedrals
from equicryo.structure.chain_set import ChainSet
from equicryo.structure.extent import typical_radius
from equicryo.structure.secondary_structure import (
    COIL,
    HELIX,
    STRAND,
    assign_structure,
    helix_hands,
    virtual_angles,
)

CLASH = 3.6
"""Å: residues that are not bonded to each other are farther apart."""

CONTACT = 8.0
"""Å: residues in contact are nearer to each other."""

LEAST_SEPARATION = 3
"""Residues along the chain below which nearness is no contact."""

MAP_BIN = 10.0
"""Degrees: edge of the bins of the map of virtual angles and dihedrals."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ChainGeometry:
    """Geometry of a set of chains, pooled.

    Attributes:
        residues: of each chain.
        bonds: lengths of all virtual bonds, Å.
        clashes: pairs of each chain nearer than `CLASH`.
        radius: radius of gyration of each chain, Å.
        distances: of all pairs of residues of each chain, Å.
        angles: virtual bond angle at each residue that has a dihedral, degrees.
        dihedrals: virtual dihedral from the residue before, degrees.
        contact_order: relative contact order of each chain.
        structure: assignment of all residues, chain after chain.
        hands: mean dihedral of each helix, degrees.
    """

    residues: Int64[np.ndarray, " chain"]
    bonds: Float64[np.ndarray, " bond"]
    clashes: Float64[np.ndarray, " chain"]
    radius: Float64[np.ndarray, " chain"]
    distances: Float64[np.ndarray, " pair"]
    angles: Float64[np.ndarray, " dihedral"]
    dihedrals: Float64[np.ndarray, " dihedral"]
    contact_order: Float64[np.ndarray, " chain"]
    structure: str
    hands: Float64[np.ndarray, " helix"]

    def relative_radius(self) -> Float64[np.ndarray, " chain"]:
        """Return each radius of gyration over the one typical of the length."""
        typical = [typical_radius(residues) for residues in self.residues.tolist()]
        return self.radius / np.array(typical)

    def summary(self) -> dict[str, float]:
        """Return one number a quantity: lengths in Å, shares in per cent.

        Mean and deviation of bonds leave out those as short as across a cis peptide,
        whose share is a number of its own. The radius is the median ratio to
        `typical_radius`, itself a median. Without any helix, none is right-handed.
        """
        short = self.bonds <= CIS_BOND[1]
        share = {kind: self.structure.count(kind) for kind in (HELIX, STRAND, COIL)}
        total = 0.01 * len(self.structure)
        right = 100.0 * float((self.hands > 0.0).mean()) if len(self.hands) else 0.0
        return {
            "bond_mean": float(self.bonds[~short].mean()),
            "bond_sd": float(self.bonds[~short].std()),
            "short_bonds_percent": 100.0 * float(short.mean()),
            "clashes_per_100_residues": float(self.clashes.sum()) / total,
            "rg_over_typical": float(np.median(self.relative_radius())),
            "contact_order": float(self.contact_order.mean()),
            "helix_percent": share[HELIX] / total,
            "strand_percent": share[STRAND] / total,
            "coil_percent": share[COIL] / total,
            "right_handed_helices_percent": right,
        }

    def angle_map(self) -> Float64[np.ndarray, "angle dihedral"]:
        """Return the joint distribution of virtual angles and dihedrals."""
        counts, _, _ = np.histogram2d(
            self.angles,
            self.dihedrals,
            bins=(round(180.0 / MAP_BIN), round(360.0 / MAP_BIN)),
            range=((0.0, 180.0), (-180.0, 180.0)),
        )
        return counts / counts.sum()


def measure_geometry(chains: ChainSet) -> ChainGeometry:
    """Measure the geometry of a set of chains.

    Source of the relative contact order, here of Cα: Plaxco, Simons & Baker 1998,
        doi:10.1006/jmbi.1998.1645.
    """
    traces = list(_traces(chains))
    apart = [pdist(trace) for trace in traces]
    structures = [assign_structure(trace) for trace in traces]
    hands = map(helix_hands, traces, structures)
    return ChainGeometry(
        residues=chains.lengths,
        bonds=np.concatenate([bond_lengths(trace) for trace in traces]),
        clashes=np.array([_clashes(squareform(one)) for one in apart]),
        radius=np.array([np.sqrt(trace.var(0).sum()) for trace in traces]),
        distances=np.concatenate(apart),
        angles=np.concatenate([virtual_angles(trace)[:-1] for trace in traces]),
        dihedrals=np.concatenate([virtual_dihedrals(trace) for trace in traces]),
        contact_order=np.array([_contact_order(squareform(one)) for one in apart]),
        structure="".join(structures),
        hands=np.array([hand for found in hands for hand in found]),
    )


def distances_between(one: ChainGeometry, other: ChainGeometry) -> dict[str, float]:
    """Return how far two sets of chains are apart as distributions.

    Args:
        one: some chains.
        other: chains of like lengths, for pair distances grow with the length.

    Returns:
        `pair_distance_wasserstein`, the Wasserstein-1 distance of pair distances, Å;
        `angle_map_jensen_shannon`, the Jensen-Shannon divergence of the maps of angles
        and dihedrals, bits, from 0 (the same) to 1 (disjoint).
    """
    root = jensenshannon(one.angle_map().ravel(), other.angle_map().ravel(), base=2.0)
    return {
        "pair_distance_wasserstein": float(
            wasserstein_distance(one.distances, other.distances)
        ),
        "angle_map_jensen_shannon": float(root) ** 2,
    }


def match_lengths(chains: ChainSet, lengths: Int64[np.ndarray, " wanted"]) -> list[int]:
    """Choose for each length a chain of its own that is nearest to it in length.

    Args:
        chains: to choose from.
        lengths: wanted, in residues; no more than there are chains.

    Returns:
        Indices of the chains, in the order of the lengths.
    """
    gap = np.abs(chains.lengths - lengths[:, None]).astype(float)
    chosen = []
    for row in gap:
        chosen.append(int(row.argmin()))
        gap[:, chosen[-1]] = np.inf
    return chosen


def _traces(chains: ChainSet) -> Iterator[Float64[np.ndarray, "residue 3"]]:
    return (chains.coordinates_of(index) for index in range(len(chains)))


def _clashes(distances: Float64[np.ndarray, "residue residue"]) -> float:
    """Count pairs beyond neighbours that are too near."""
    return float(np.triu(distances < CLASH, k=2).sum())


def _contact_order(distances: Float64[np.ndarray, "residue residue"]) -> float:
    """Return the mean separation of contacts over the length; 0 without any."""
    first, second = np.nonzero(np.triu(distances < CONTACT, k=LEAST_SEPARATION))
    return float((second - first).mean()) / len(distances) if len(first) else 0.0
