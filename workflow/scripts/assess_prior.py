"""Set the quality of a prior's chains beside that of real ones (rule assess_prior)."""

from equicryo.evaluation.chain_geometry import match_lengths
from equicryo.evaluation.denoising import NO_SEQUENCE, SEQUENCE
from equicryo.evaluation.prior_quality import (
    QUALITY_COLUMNS,
    comparable_chains,
    denoising_rows,
    geometry_rows,
)
from equicryo.io.chain_sets import read_chain_set, read_splits
from equicryo.io.logs import log_to
from equicryo.io.tables import read_table, write_table

log_to(snakemake.log[0])
files = snakemake.input
drawn = {
    SEQUENCE: read_chain_set(files.chains),
    NO_SEQUENCE: read_chain_set(files.chains_no_sequence),
}
held_out = read_splits(files.targets, files.held_out, snakemake.params.splits)
training = read_splits(files.training, files.splits, ["training"])

matched = training.select(match_lengths(training, drawn[SEQUENCE].lengths))
rows = geometry_rows(drawn, comparable_chains(held_out), matched)
rows += denoising_rows(read_table(files.denoising))
named = [{"prior": snakemake.wildcards.prior, **row} for row in rows]
write_table(snakemake.output.quality, QUALITY_COLUMNS, named)
