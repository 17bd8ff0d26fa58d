"""Which chains a prior may learn from: whole, single, standard, right-handed."""

import logging
from collections import Counter
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64
from scipy import sparse

from equicryo.structure.chain import bond_lengths
from equicryo.structure.chain_set import ChainSet
from equicryo.structure.residues import RESIDUES, residue_types

logger = logging.getLogger(__name__)

SHORTEST_CHAIN, LONGEST_CHAIN = 40, 256
CIS_BOND = (2.7, 3.2)
TRANS_BOND = (3.4, 4.2)
"""Å: consecutive Cα across a peptide bond are 2.9 (cis) or 3.8 (trans) apart. What
lies between or beyond is a break or a model error."""

HELIX_DIHEDRALS = (20.0, 80.0)
"""Virtual Cα dihedrals around the 50 of a right-handed α-helix, degrees."""

LARGEST_MIRRORED_EXCESS = 0.15
"""Share of dihedrals by which mirrored helix may outweigh helix: a guard against a
mirrored file. Left-handed polyproline and twisted strands stay well below."""

WORD_LENGTH = 5
LARGEST_SHARED_WORDS = 0.2
"""Share of the words of the shorter of two chains that both may hold; it is 0.2 at
about 70 % sequence identity. Structure is compared with the held-out chains only."""


def select_chains(chains: ChainSet) -> ChainSet:
    """Keep unbroken, right-handed chains of fit length that differ in sequence.

    Args:
        chains: of a database, in a fixed order: of two that are alike, the first stays.

    Returns:
        The chains kept, in the same order. How many were left out, and why, is logged.
    """
    reasons = [
        refusal(chains.sequence_of(index), chains.coordinates_of(index))
        for index in range(len(chains))
    ]
    sound = chains.select([index for index, why in enumerate(reasons) if not why])
    kept = sound.select(_distinct([sound.sequence_of(i) for i in range(len(sound))]))
    counts = Counter(why for why in reasons if why)
    counts["like another chain in sequence"] = len(sound) - len(kept)
    left_out = "; ".join(f"{number} {why}" for why, number in sorted(counts.items()))
    logger.info("%d of %d chains kept; %s", len(kept), len(chains), left_out)
    return kept


def refusal(sequence: str, coordinates: Float64[np.ndarray, "residue 3"]) -> str:
    """Say why a chain is not fit for training.

    Args:
        sequence: one-letter codes.
        coordinates: Cα positions, Å.

    Returns:
        The reason; empty if the chain is fit.
    """
    if not SHORTEST_CHAIN <= len(sequence) <= LONGEST_CHAIN:
        return f"outside {SHORTEST_CHAIN}-{LONGEST_CHAIN} residues"
    if set(sequence) - set(RESIDUES):
        return "with residues that are not standard"
    bonds = bond_lengths(coordinates)
    cis = (bonds >= CIS_BOND[0]) & (bonds <= CIS_BOND[1])
    trans = (bonds >= TRANS_BOND[0]) & (bonds <= TRANS_BOND[1])
    if not (cis | trans).all():
        return "broken"
    dihedrals = virtual_dihedrals(coordinates)
    if _helical(-dihedrals) > _helical(dihedrals) + LARGEST_MIRRORED_EXCESS:
        return "mirrored"
    return ""


def virtual_dihedrals(
    coordinates: Float64[np.ndarray, "residue 3"],
) -> Float64[np.ndarray, " dihedral"]:
    """Measure the dihedrals of four consecutive Cα, degrees in (-180, 180].

    Positive turns are right-handed: an α-helix has about +50.
    """
    bonds = np.diff(coordinates, axis=0)
    normals = np.cross(bonds[:-1], bonds[1:])
    axes = bonds[1:-1] / np.linalg.norm(bonds[1:-1], axis=-1, keepdims=True)
    sine = (np.cross(normals[:-1], normals[1:]) * axes).sum(-1)
    cosine = (normals[:-1] * normals[1:]).sum(-1)
    return np.degrees(np.arctan2(sine, cosine))


def shared_words(sequences: Sequence[str]) -> sparse.csr_matrix:
    """Measure what share of the shorter sequence's words each pair has in common.

    Args:
        sequences: standard one-letter codes, at least `WORD_LENGTH` each.

    Returns:
        Symmetric `[sequence, sequence]`, 1 on the diagonal; pairs without a common
        word are not stored.
    """
    words = [_words(sequence) for sequence in sequences]
    rows = np.repeat(np.arange(len(words)), [len(found) for found in words])
    columns = np.concatenate(words)
    shape = (len(words), len(RESIDUES) ** WORD_LENGTH)
    holds = sparse.csr_matrix((np.ones(len(rows)), (rows, columns)), shape=shape)
    common = (holds @ holds.T).tocoo()
    sizes = np.array([len(found) for found in words])
    shorter = np.minimum(sizes[common.row], sizes[common.col])
    shares = (common.data / shorter, (common.row, common.col))
    return sparse.csr_matrix(shares, shape=common.shape)


def _distinct(sequences: Sequence[str]) -> list[int]:
    """Choose sequences so that no two are alike, the first of any two."""
    alike = (shared_words(sequences) > LARGEST_SHARED_WORDS).tocoo()
    earlier = alike.row < alike.col
    kept = np.ones(len(sequences), dtype=bool)
    # The pairs come by row, so that a chain's fate is known before it drops others.
    for row, column in zip(alike.row[earlier], alike.col[earlier], strict=True):
        kept[column] &= not kept[row]
    return np.flatnonzero(kept).tolist()


def _words(sequence: str) -> np.ndarray:
    types = residue_types(sequence)
    count = len(types) - WORD_LENGTH + 1
    codes = np.zeros(count, np.int64)
    for place in range(WORD_LENGTH):
        codes = codes * len(RESIDUES) + types[place : place + count]
    return np.unique(codes)


def _helical(dihedrals: Float64[np.ndarray, " dihedral"]) -> float:
    low, high = HELIX_DIHEDRALS
    return float(((dihedrals > low) & (dihedrals < high)).mean())
