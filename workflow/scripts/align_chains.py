"""Align all chains with one held-out chain (rule align_chains)."""

from equicryo.evaluation.chain_splits import SCORE_COLUMNS, align_chains
from equicryo.io.chain_sets import read_chain_set
from equicryo.io.logs import log_to
from equicryo.io.tables import write_table

log_to(snakemake.log[0])
chains = read_chain_set(snakemake.input.chains)
targets = read_chain_set(snakemake.input.targets)
target = targets.select([targets.ids.index(snakemake.wildcards.held_out)])

scores = align_chains(chains, target)
rows = zip(chains.ids, scores, strict=True)
write_table(
    snakemake.output.scores,
    SCORE_COLUMNS,
    (dict(zip(SCORE_COLUMNS, row, strict=True)) for row in rows),
)
