"""Which chains a prior may learn from, so that its targets stay unseen folds."""

from collections.abc import Collection, Mapping

import numpy as np
import tmtools
from jaxtyping import Float64

from equicryo.structure.chain_set import ChainSet

RELATED = 0.5
"""TM-score above which two chains share a fold; the target's length normalises it.

Source: Xu & Zhang 2010, doi:10.1093/bioinformatics/btq066.
"""

TRAINING, EXCLUDED = "training", "excluded"
SCORE_COLUMNS = ("id", "tm_score")
SPLIT_COLUMNS = ("id", "length", "split", "nearest_target", "tm_score")


def align_chains(chains: ChainSet, target: ChainSet) -> list[float]:
    """Score every chain's structural alignment with a held-out one.

    Args:
        chains: compared one by one.
        target: one chain, whose length normalises the scores.

    Returns:
        TM-score of each chain. Chains too short to pass `RELATED` are not aligned;
        theirs is the bound, the ratio of the lengths.
    """
    (length,) = target.lengths.tolist()
    reference, letters = target.coordinates_of(0), target.sequence_of(0)
    scores = []
    for index, residues in enumerate(chains.lengths.tolist()):
        if residues <= RELATED * length:
            scores.append(residues / length)
            continue
        aligned = tmtools.tm_align(
            chains.coordinates_of(index),
            reference,
            chains.sequence_of(index),
            letters,
        )
        scores.append(aligned.tm_norm_chain2)
    return scores


def split_chains(
    chains: ChainSet,
    scores: Mapping[str, Float64[np.ndarray, " chain"]],
    held_out: Mapping[str, str],
    families: Collection[str],
) -> list[dict[str, str | int | float]]:
    """Divide chains into training, the held-out splits, and neither.

    A chain is excluded if it is related to a held-out one, belongs to one's family, or
    shares its PDB entry with a chain that is held out or excluded for these reasons:
    entries hold copies and partners of one fold.

    Args:
        chains: all that are fit for training.
        scores: TM-score of every chain to each held-out one.
        held_out: split (validation, test, benchmark) of each held-out chain.
        families: ids of chains known to be homologous to held-out ones.

    Returns:
        Rows of `SPLIT_COLUMNS`, in the order of the chains.
    """
    names = list(scores)
    table = np.stack([scores[name] for name in names])
    barred = {_entry(name) for name in (*held_out, *families)}
    barred |= {_entry(chains.ids[index]) for index in related_chains(table)}
    rows = []
    for index, name in enumerate(chains.ids):
        nearest = int(table[:, index].argmax())
        rows.append(
            {
                "id": name,
                "length": int(chains.lengths[index]),
                "split": held_out.get(
                    name, EXCLUDED if _entry(name) in barred else TRAINING
                ),
                "nearest_target": names[nearest],
                "tm_score": float(table[nearest, index]),
            }
        )
    return rows


def related_chains(scores: Float64[np.ndarray, "target chain"]) -> list[int]:
    """Find the chains that share a fold with any target."""
    return np.flatnonzero((scores > RELATED).any(axis=0)).tolist()


def _entry(name: str) -> str:
    return name.split("_")[0]
