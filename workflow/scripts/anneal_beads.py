"""Search the orders of beads, with no part that was learnt (rule anneal_beads)."""

import torch

from equicryo.inference.bead_tracing import (
    anneal_beads,
    describe_bead_problem,
    read_bead_config,
)
from equicryo.inference.likelihood import prepare_likelihood
from equicryo.inference.trace_merging import AnnealingConfig
from equicryo.io.logs import log_to
from equicryo.io.normal import read_normal
from equicryo.io.points import read_points
from equicryo.io.tracing import read_geometry, read_traces, write_traces
from equicryo.physics.gain import gain_of
from equicryo.physics.residue_density import single_blobs
from equicryo.seeds import derive_generator, numpy_generator

log_to(snakemake.log[0])
torch.set_num_threads(snakemake.threads)
files, params = snakemake.input, snakemake.params
config = read_bead_config(params.settings)

chain, normal = read_points(files.points), read_normal(files.normal)
density = single_blobs(chain.sequence, params.density["residue_width"])
likelihood = prepare_likelihood(normal, density, gain_of(measured=params.measured), ())
geometry = read_geometry(files.geometry)
problem = describe_bead_problem(likelihood, normal, chain.sequence, geometry, config)
generator = derive_generator(params.seed, "anneal_beads", *snakemake.wildcards)
traces = anneal_beads(
    read_traces(files.beads),
    problem,
    config,
    AnnealingConfig(**params.annealing),
    generator=numpy_generator(generator),
)
write_traces(snakemake.output.traces, traces)
