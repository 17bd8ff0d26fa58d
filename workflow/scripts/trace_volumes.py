"""Trace a chain through its images' densities, by method (rule trace_volumes)."""

import torch

from equicryo.evaluation.hand_over import (
    HAND_OVER_COLUMNS,
    score_hand_over,
    show_density,
)
from equicryo.inference.likelihood import prepare_likelihood
from equicryo.inference.proposals import propose_candidates
from equicryo.inference.tracing import read_proposal_config, search_proposals
from equicryo.io.geometry import read_geometry
from equicryo.io.logs import log_to
from equicryo.io.maps import read_map
from equicryo.io.models import read_chain
from equicryo.io.normal import read_normal
from equicryo.io.proposers import read_proposer
from equicryo.io.residue_model import read_density
from equicryo.io.tables import write_table
from equicryo.physics.gain import gain_of

log_to(snakemake.log[0])
torch.set_num_threads(snakemake.threads)
files, params = snakemake.input, snakemake.params
truth, normal = read_chain(files.truth), read_normal(files.normal)
density = read_density(params.density, files.constants, truth.sequence)
likelihood = prepare_likelihood(normal, density, gain_of(measured=False), ())
config = read_proposal_config(params.settings)
count = round(max(config.places) * len(truth))
proposer = read_proposer(files.weights, files.card)
geometry = read_geometry(files.geometry)

sources = {"images": normal}
for name, path in (("wiener_oracle", files.wiener), ("unet", files.mean)):
    sources[name] = show_density(normal, torch.from_numpy(read_map(path).volume))
rows = []
for name, source in sources.items():
    proposals = propose_candidates(source, truth.sequence, proposer, count)
    traces = search_proposals(likelihood, proposals, geometry, config)
    scores = score_hand_over(proposals.places, traces, truth.coordinates)
    rows.append({"dataset": snakemake.wildcards.dataset, "map": name, **scores})
write_table(snakemake.output.table, HAND_OVER_COLUMNS, rows)
