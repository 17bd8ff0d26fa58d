"""Trace a chain by bonds, angles and sterics alone (rule trace_control)."""

from dataclasses import replace

import torch

from equicryo.inference.bead_tracing import anneal_beads, read_bead_config, trace_beads
from equicryo.inference.trace_merging import AnnealingConfig
from equicryo.io.bead_problem import read_bead_problem
from equicryo.io.logs import log_to
from equicryo.io.traces import write_traces
from equicryo.seeds import derive_generator, numpy_generator

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
problem = replace(problem, geometry=problem.geometry.without_dihedrals())
generator = derive_generator(params.seed, "trace_control", *snakemake.wildcards)
traces = anneal_beads(
    trace_beads(problem, config),
    problem,
    config,
    AnnealingConfig(**params.annealing),
    generator=numpy_generator(generator),
)
write_traces(snakemake.output.traces, traces)
