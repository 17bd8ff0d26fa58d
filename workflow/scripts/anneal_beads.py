"""Search the orders of beads, with no part that was learnt (rule anneal_beads)."""

import torch

from equicryo.inference.bead_tracing import anneal_beads, read_bead_config
from equicryo.inference.trace_merging import AnnealingConfig
from equicryo.io.logs import log_to
from equicryo.io.tracing import read_bead_problem, read_traces, write_traces
from equicryo.seeds import derive_generator, numpy_generator

log_to(snakemake.log[0])
torch.set_num_threads(snakemake.threads)
files, params = snakemake.input, snakemake.params
config = read_bead_config(params.settings)

problem = read_bead_problem(
    files,
    config,
    residue_width=params.density["residue_width"],
    measured=params.measured,
)
generator = derive_generator(params.seed, "anneal_beads", *snakemake.wildcards)
traces = anneal_beads(
    read_traces(files.beads),
    problem,
    config,
    AnnealingConfig(**params.annealing),
    generator=numpy_generator(generator),
)
write_traces(snakemake.output.traces, traces)
