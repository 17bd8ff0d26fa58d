"""Trace a chain through beads that explain its images (rule trace_beads)."""

import torch

from equicryo.inference.bead_tracing import (
    describe_bead_problem,
    read_bead_config,
    trace_beads,
)
from equicryo.inference.likelihood import prepare_likelihood
from equicryo.io.logs import log_to
from equicryo.io.normal import read_normal
from equicryo.io.points import read_points
from equicryo.io.tracing import read_geometry, write_traces
from equicryo.physics.gain import gain_of
from equicryo.physics.residue_density import single_blobs

log_to(snakemake.log[0])
torch.set_num_threads(snakemake.threads)
files, params = snakemake.input, snakemake.params
config = read_bead_config(params.settings)

chain, normal = read_points(files.points), read_normal(files.normal)
density = single_blobs(chain.sequence, params.density["residue_width"])
likelihood = prepare_likelihood(normal, density, gain_of(measured=params.measured), ())
geometry = read_geometry(files.geometry)
problem = describe_bead_problem(likelihood, normal, chain.sequence, geometry, config)
write_traces(snakemake.output.traces, trace_beads(problem, config))
