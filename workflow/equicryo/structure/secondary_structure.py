"""Helices and strands, told from the Cα trace alone."""

from itertools import groupby

import numpy as np
from jaxtyping import Bool, Float64

from equicryo.structure.chain_selection import virtual_dihedrals

HELIX, STRAND, COIL = "H", "E", "C"

SHORTEST_HELIX = 5
SHORTEST_STRAND, SHORTEST_PAIRED_STRAND = 4, 3
STRAND_CONTACTS = 5
"""Contacts that a strand shorter than `SHORTEST_STRAND` needs to be one."""

CONTACT = (4.2, 5.2)
"""Å between Cα that lie beside each other in a sheet."""

HELIX_DISTANCES = {3: (4.8, 5.8), 4: (5.8, 7.0)}
STRAND_DISTANCES = {2: (6.1, 7.3), 3: (9.0, 10.8), 4: (11.3, 13.5)}
"""Å from a residue to the one so many further."""

HELIX_ANGLE, HELIX_DIHEDRAL = (77.0, 101.0), (30.0, 70.0)
STRAND_ANGLE, STRAND_DIHEDRAL = (110.0, 138.0), (145.0, 235.0)
"""Degrees."""


def assign_structure(coordinates: Float64[np.ndarray, "residue 3"]) -> str:
    """Assign each residue of an unbroken chain to a helix, a strand or the coil.

    The criteria are those of P-SEA, but for one: dihedrals of a helix count by their
    magnitude, so that a mirrored helix is one, too; `helix_hands` tells its hand.

    Args:
        coordinates: Cα positions, Å.

    Returns:
        One of `HELIX`, `STRAND` and `COIL` a residue.

    Source: Labesse, Colloc'h, Pothier & Mornon 1997,
        doi:10.1093/bioinformatics/13.3.291, table 1.
    """
    reach = {step: _distances(coordinates, step) for step in (2, 3, 4)}
    angle = _placed(virtual_angles(coordinates), len(coordinates))
    dihedral = _placed(virtual_dihedrals(coordinates), len(coordinates))
    bent, turned = _within(angle, HELIX_ANGLE), _within(abs(dihedral), HELIX_DIHEDRAL)
    coiled = {step: _within(reach[step], HELIX_DISTANCES[step]) for step in (3, 4)}
    helix = _runs((coiled[3] & coiled[4]) | (bent & turned), SHORTEST_HELIX)
    helix = _extend(helix, coiled[3] | bent)

    stretched = [_within(reach[step], STRAND_DISTANCES[step]) for step in (2, 3, 4)]
    flat = _within(angle, STRAND_ANGLE) & _within(dihedral % 360.0, STRAND_DIHEDRAL)
    strand = np.logical_and.reduce(stretched) | flat
    paired = _paired(_runs(strand, SHORTEST_PAIRED_STRAND), coordinates)
    strand = _extend(_runs(strand, SHORTEST_STRAND) | paired, stretched[1])
    return "".join(np.where(strand, STRAND, np.where(helix, HELIX, COIL)).tolist())


def helix_hands(
    coordinates: Float64[np.ndarray, "residue 3"], structure: str
) -> list[float]:
    """Return the mean dihedral of each helix, degrees: positive if right-handed.

    Args:
        coordinates: Cα positions, Å.
        structure: assignment of the chain.
    """
    dihedral = virtual_dihedrals(coordinates)
    # Dihedral i turns about the bond of residues i + 1 and i + 2.
    return [
        float(dihedral[start : stop - 3].mean())
        for start, stop in _spans(np.array(list(structure)) == HELIX)
        if stop - start >= SHORTEST_HELIX
    ]


def virtual_angles(
    coordinates: Float64[np.ndarray, "residue 3"],
) -> Float64[np.ndarray, " angle"]:
    """Measure the angles of three consecutive Cα, degrees in [0, 180]."""
    bonds = np.diff(coordinates, axis=0)
    bonds /= np.linalg.norm(bonds, axis=-1, keepdims=True)
    cosine = -(bonds[:-1] * bonds[1:]).sum(-1)
    return np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0)))


def _distances(
    coordinates: Float64[np.ndarray, "residue 3"], step: int
) -> Float64[np.ndarray, " residue"]:
    """Return the distance from before each residue to `step` further, Å."""
    apart = np.linalg.norm(coordinates[step:] - coordinates[:-step], axis=-1)
    return _placed(apart, len(coordinates))


def _placed(
    values: Float64[np.ndarray, " value"], residues: int
) -> Float64[np.ndarray, " residue"]:
    """Give each value that begins with residue i − 1 to residue i; NaN elsewhere."""
    placed = np.full(residues, np.nan)
    placed[1 : 1 + len(values)] = values
    return placed


def _within(
    values: Float64[np.ndarray, "*shape"], limits: tuple[float, float]
) -> Bool[np.ndarray, "*shape"]:
    return (values >= limits[0]) & (values <= limits[1])


def _spans(mask: Bool[np.ndarray, " residue"]) -> list[tuple[int, int]]:
    """Return where each run of true values starts, and where it has ended."""
    runs = [(value, len(list(run))) for value, run in groupby(mask.tolist())]
    stops = np.cumsum([length for _, length in runs]).tolist()
    pairs = zip(runs, stops, strict=True)
    return [(stop - length, stop) for (value, length), stop in pairs if value]


def _runs(
    mask: Bool[np.ndarray, " residue"], shortest: int
) -> Bool[np.ndarray, " residue"]:
    """Keep the runs of true values that are long enough."""
    kept = np.zeros_like(mask)
    for start, stop in _spans(mask):
        kept[start:stop] = stop - start >= shortest
    return kept


def _extend(
    mask: Bool[np.ndarray, " residue"], fit: Bool[np.ndarray, " residue"]
) -> Bool[np.ndarray, " residue"]:
    """Lengthen each run by a residue at either end where that is fit."""
    beside = np.zeros_like(mask)
    beside[1:] |= mask[:-1]
    beside[:-1] |= mask[1:]
    return mask | (beside & fit)


def _paired(
    candidates: Bool[np.ndarray, " residue"],
    coordinates: Float64[np.ndarray, "residue 3"],
) -> Bool[np.ndarray, " residue"]:
    """Keep the runs that lie beside enough other residues, as in a sheet."""
    kept = np.zeros_like(candidates)
    for start, stop in _spans(candidates):
        apart = coordinates[start:stop, None] - coordinates
        contacts = _within(np.linalg.norm(apart, axis=-1), CONTACT).sum()
        kept[start:stop] = contacts >= STRAND_CONTACTS
    return kept
