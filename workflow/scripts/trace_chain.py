"""Trace a chain through what explains its images (rule trace_chain)."""

import numpy as np
import torch

from equicryo.inference.likelihood import prepare_likelihood
from equicryo.inference.modes import weigh_traces
from equicryo.inference.proposals import propose_candidates
from equicryo.inference.tracing import (
    TRACES_COLUMNS,
    describe_bead_problem,
    read_bead_config,
    read_proposal_config,
    trace_beads,
    trace_proposals,
)
from equicryo.inference.tracing_beads import cover_map
from equicryo.io.logs import log_to
from equicryo.io.models import write_ensemble
from equicryo.io.normal import read_normal
from equicryo.io.points import read_points
from equicryo.io.proposers import read_proposer
from equicryo.io.residue_model import read_density
from equicryo.io.tables import write_table
from equicryo.io.tracing import read_geometry, write_traces
from equicryo.physics.gain import gain_of

log_to(snakemake.log[0])
torch.set_num_threads(snakemake.threads)
files, params, output = snakemake.input, snakemake.params, snakemake.output

chain, normal = read_points(files.points), read_normal(files.normal)
density = read_density(params.density, files.constants, chain.sequence)
gain = gain_of(measured=params.measured)
likelihood = prepare_likelihood(normal, density, gain, ())
geometry = read_geometry(files.geometry)
if files.weights:
    config = read_proposal_config(params.settings)
    count = round(max(config.places) * len(chain))
    proposer = read_proposer(files.weights, files.card)
    proposals = propose_candidates(normal, chain.sequence, proposer, count)
    traces = trace_proposals(likelihood, proposals, geometry, config)
else:
    config = read_bead_config(params.settings)
    count = config.places * len(chain)
    places = cover_map(normal, chain.sequence, config.bead_width, count)
    problem = describe_bead_problem(
        likelihood, chain.sequence, config.bead_width, geometry
    )
    traces = trace_beads(problem, places, config)

write_traces(output.traces, traces)
coordinates = np.array([trace.coordinates.numpy() for trace in traces])
coordinates = coordinates.reshape(-1, len(chain), 3)
write_ensemble(output.models, chain, coordinates, np.zeros(len(chain)))
weights = weigh_traces(traces)
rows = [
    (number, trace.log_likelihood, trace.log_restraint, float(weight))
    for number, (trace, weight) in enumerate(zip(traces, weights, strict=True), start=1)
]
write_table(
    output.table,
    TRACES_COLUMNS,
    [dict(zip(TRACES_COLUMNS, row, strict=True)) for row in rows],
)
