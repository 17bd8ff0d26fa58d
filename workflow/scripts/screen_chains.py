"""Look for training chains related to a held-out one's kin (rule screen_chains)."""

import logging

from equicryo.evaluation.chain_splits import (
    RELATIVE_COLUMNS,
    nearest_relative,
    order_training,
    relatives_of,
)
from equicryo.io.chain_sets import read_chain_set
from equicryo.io.logs import log_to
from equicryo.io.tables import read_table, write_table
from equicryo.seeds import derive_generator

log_to(snakemake.log[0])
params, target = snakemake.params, snakemake.wildcards.held_out
chains = read_chain_set(snakemake.input.chains)
splits = read_table(snakemake.input.splits)
generator = derive_generator(params.seed, "screen_chains", target)

rows = []
for name in relatives_of(target, splits, generator=generator)[: params.candidates]:
    chain = chains.select([chains.ids.index(name)])
    length = int(chain.lengths[0])
    training = order_training(chains, target, length, splits)
    nearest, score = nearest_relative(chain, training)
    values = (name, length, target, nearest, score)
    rows.append(dict(zip(RELATIVE_COLUMNS, values, strict=True)))
    logging.getLogger("equicryo").info("%s: %s, %.3f", name, nearest, score)
write_table(snakemake.output.table, RELATIVE_COLUMNS, rows)
