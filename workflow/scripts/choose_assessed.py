"""Gather the chains that no prior has seen the fold of (rule choose_assessed)."""

from equicryo.evaluation.chain_splits import RELATED, RELATIVE_COLUMNS
from equicryo.io.chain_sets import read_chain_set, write_chain_set
from equicryo.io.logs import log_to
from equicryo.io.tables import read_table, write_table

log_to(snakemake.log[0])
files, output = snakemake.input, snakemake.output
rows = [row for path in files.screened for row in read_table(path)]
unseen = [row for row in rows if float(row["tm_score"]) <= RELATED]
chains = read_chain_set(files.chains)
write_chain_set(
    output.chains, chains.select([chains.ids.index(row["id"]) for row in unseen])
)
write_table(output.table, RELATIVE_COLUMNS, unseen)
