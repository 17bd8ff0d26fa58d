"""Whether drawn folds are new, and whether they differ, by structural alignment.

Needs tmtools, like `chain_splits`.
"""

import numpy as np

from equicryo.evaluation.chain_splits import align_chains
from equicryo.structure.chain_set import ChainSet


def nearest_scores(chains: ChainSet, training: ChainSet) -> list[float]:
    """Return the highest TM-score of each chain with any training chain.

    Args:
        chains: whose lengths normalise the scores.
        training: compared with one by one: some 20 ms each.
    """
    return [
        max(align_chains(training, chains.select([index])))
        for index in range(len(chains))
    ]


def mean_similarity(chains: ChainSet) -> float:
    """Return the mean TM-score of all ordered pairs; the second's length counts."""
    scores = [
        score
        for index in range(len(chains))
        for score in align_chains(
            chains.select([other for other in range(len(chains)) if other != index]),
            chains.select([index]),
        )
    ]
    return float(np.mean(scores))
