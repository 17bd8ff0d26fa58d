"""Which chains a prior may learn from, so that its targets stay unseen folds."""

from collections.abc import Collection, Mapping

import numpy as np
import tmtools
import torch
from jaxtyping import Float64

from equicryo.evaluation.tm_score import tm_distance
from equicryo.structure.chain_set import ChainSet

RELATED = 0.5
"""TM-score above which two chains share a fold; the target's length normalises it.

Source: Xu & Zhang 2010, doi:10.1093/bioinformatics/btq066.
"""

THINNINGS = ((3, 0.28), (2, 0.34))
"""Every how many-th residue is aligned before all are, and the least score with which
a pair goes on: of 1,200 of TM-score 0.5-0.6, 99 in 100 did, of unrelated ones 20."""

TRAINING, EXCLUDED = "training", "excluded"
SCORE_COLUMNS = ("id", "tm_score")
RELATIVE_COLUMNS = ("id", "length", "held_out", "nearest_training", "tm_score")
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


def relatives_of(
    target: str, rows: Collection[Mapping[str, str]], *, generator: torch.Generator
) -> list[str]:
    """List the excluded chains that are nearest to a held-out one, in random order.

    Args:
        target: id of the held-out chain.
        rows: under `SPLIT_COLUMNS`, as read from a table.
        generator: source of the order.
    """
    near = [
        row["id"]
        for row in rows
        if row["split"] == EXCLUDED and row["nearest_target"] == target
    ]
    order = torch.randperm(len(near), generator=generator)
    return [near[index] for index in order.tolist()]


def order_training(
    chains: ChainSet, target: str, length: int, rows: Collection[Mapping[str, str]]
) -> ChainSet:
    """Put the training chains first that most likely share a fold with a chain.

    Args:
        chains: all.
        target: id of the held-out chain that the chain is a relative of; whatever
            resembles it comes first, then chains of like length.
        length: residues of the chain.
        rows: under `SPLIT_COLUMNS`, as read from a table.
    """
    index = {name: number for number, name in enumerate(chains.ids)}
    learnt = [row for row in rows if row["split"] == TRAINING]
    near = [row for row in learnt if row["nearest_target"] == target]
    others = [row for row in learnt if row["nearest_target"] != target]
    near.sort(key=lambda row: -float(row["tm_score"]))
    others.sort(key=lambda row: abs(int(row["length"]) - length))
    return chains.select([index[row["id"]] for row in (*near, *others)])


def nearest_relative(target: ChainSet, chains: ChainSet) -> tuple[str, float]:
    """Find the chain of most similar fold, or the first that shares the target's.

    Pairs that are unlike already with a third or half of their residues are passed
    over, so that a score below `RELATED` may not be the highest.

    Args:
        target: one chain, whose length normalises the scores.
        chains: compared one by one, in this order, until one is related.

    Returns:
        Id and TM-score of that chain; an empty id and 0 if all were passed over.
    """
    (length,) = target.lengths.tolist()
    reference, best = target.coordinates_of(0), ("", 0.0)
    for index, residues in enumerate(chains.lengths.tolist()):
        if residues <= RELATED * length:
            continue
        trace = chains.coordinates_of(index)
        if all(_thin_score(trace, reference, n) >= least for n, least in THINNINGS):
            (score,) = align_chains(chains.select([index]), target)
            best = max(best, (chains.ids[index], score), key=lambda pair: pair[1])
        if best[1] > RELATED:
            break
    return best


def _thin_score(
    chain: Float64[np.ndarray, "residue 3"],
    target: Float64[np.ndarray, "place 3"],
    every: int,
) -> float:
    """Align every n-th residue, at the scale at which distances count as for all."""
    thin = target[::every]
    scale = tm_distance(len(thin)) / tm_distance(len(target))
    chain, thin = scale * chain[::every], scale * thin
    letters = "A" * max(len(chain), len(thin))
    aligned = tmtools.tm_align(chain, thin, letters[: len(chain)], letters[: len(thin)])
    return aligned.tm_norm_chain2


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
