"""Extract the chains that are fit for training (rule extract_chains)."""

from equicryo.io.chain_sets import write_chain_set
from equicryo.io.logs import log_to
from equicryo.io.promod3 import read_database
from equicryo.structure.chain_selection import select_chains

log_to(snakemake.log[0])
chains = read_database(snakemake.input.database)
write_chain_set(snakemake.output.chains, select_chains(chains))
