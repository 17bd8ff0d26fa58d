"""Keep relatives of the held-out chains out of training (rule split_chains)."""

from pathlib import Path

import numpy as np

from equicryo.evaluation.chain_splits import SPLIT_COLUMNS, split_chains
from equicryo.io.chain_sets import read_chain_set
from equicryo.io.logs import log_to
from equicryo.io.tables import read_table, write_table

log_to(snakemake.log[0])
chains = read_chain_set(snakemake.input.chains)
held_out = {row["id"]: row["split"] for row in read_table(snakemake.input.held_out)}
families = [row["id"] for row in read_table(snakemake.input.families)]
scores = {
    Path(path).stem: np.array([float(row["tm_score"]) for row in read_table(path)])
    for path in snakemake.input.scores
}

rows = split_chains(chains, scores, held_out, families)
write_table(snakemake.output.splits, SPLIT_COLUMNS, rows)
