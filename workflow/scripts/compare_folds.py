"""Tell how new and how diverse the folds of drawn chains are (rule compare_folds)."""

import numpy as np

from equicryo.evaluation.folds import mean_similarity, nearest_scores
from equicryo.evaluation.prior_quality import QUALITY_COLUMNS
from equicryo.io.chain_sets import read_chain_set, read_splits
from equicryo.io.documents import read_document
from equicryo.io.logs import log_to
from equicryo.io.tables import read_table, write_table

log_to(snakemake.log[0])
files = snakemake.input
drawn = read_chain_set(files.drawn)
count = min(snakemake.params.draws, len(drawn))
drawn = drawn.select(np.linspace(0, len(drawn) - 1, count).round().astype(int).tolist())
held_out = read_splits(files.targets, files.held_out, snakemake.params.splits)
learnt = set(read_document(files.card)["training_ids"])
chains = read_chain_set(files.chains)
training = chains.select([i for i, name in enumerate(chains.ids) if name in learnt])

nearest = [
    max(float(row["tm_score"]) for row in read_table(path) if row["id"] in learnt)
    for path in files.scores
]
numbers = {
    "nearest_training_tm": (
        float(np.median(nearest_scores(drawn, training))),
        float(np.median(nearest)),
    ),
    "mean_pair_tm": (mean_similarity(drawn), mean_similarity(held_out)),
}
name = snakemake.wildcards.prior
rows = [
    dict(zip(QUALITY_COLUMNS, (name, quantity, *pair, len(drawn)), strict=True))
    for quantity, pair in numbers.items()
]
write_table(snakemake.output.folds, QUALITY_COLUMNS, rows)
