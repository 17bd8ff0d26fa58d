"""Trace a chain through what explains its images (rule trace_chain)."""

import numpy as np
import torch

from equicryo.inference.likelihood import prepare_likelihood
from equicryo.inference.modes import weigh_traces
from equicryo.inference.tracing import TRACES_COLUMNS, trace_further
from equicryo.io.logs import log_to
from equicryo.io.models import write_ensemble
from equicryo.io.normal import read_normal
from equicryo.io.points import read_points
from equicryo.io.priors import refuse_trained_on
from equicryo.io.proposal_search import read_proposal_search
from equicryo.io.residue_model import read_density
from equicryo.io.tables import write_table
from equicryo.io.traces import read_traces, write_traces
from equicryo.physics.gain import gain_of
from equicryo.seeds import derive_generator

log_to(snakemake.log[0])
torch.set_num_threads(snakemake.threads)
files, params, output = snakemake.input, snakemake.params, snakemake.output

for card in (files.card, files.prior_card):
    refuse_trained_on(card, params.names)
chain, normal = read_points(files.points), read_normal(files.normal)
density = read_density(params.density, files.constants, chain.sequence)
gain = gain_of(measured=params.measured)
likelihood = prepare_likelihood(normal, density, gain, ())
generator = derive_generator(params.seed, "trace_chain", *snakemake.wildcards)
search = read_proposal_search(
    files, params.settings, chain.sequence, generator=generator
)
beads = read_traces(files.beads) if files.beads else None
traces = trace_further(beads, likelihood, normal, chain.sequence, search)

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
