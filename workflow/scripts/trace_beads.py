"""Trace a chain through beads that explain its images (rule trace_beads)."""

import torch

from equicryo.inference.bead_tracing import read_bead_config, trace_beads
from equicryo.io.bead_problem import read_bead_problem
from equicryo.io.logs import log_to
from equicryo.io.traces import write_traces

log_to(snakemake.log[0])
torch.set_num_threads(snakemake.threads)
params = snakemake.params
config = read_bead_config(params.settings)

problem = read_bead_problem(
    snakemake.input,
    config,
    residue_width=params.density["residue_width"],
    measured=params.measured,
)
write_traces(snakemake.output.traces, trace_beads(problem, config))
