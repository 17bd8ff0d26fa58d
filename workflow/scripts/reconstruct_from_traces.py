"""Draw posterior samples around traces of a chain (rule reconstruct_from_traces)."""

import torch

from equicryo.inference.likelihood import prepare_likelihood
from equicryo.inference.modes import start_from_traces, weigh_traces
from equicryo.inference.samplers import SAMPLERS, read_sampler
from equicryo.inference.sampling import DIAGNOSTICS_COLUMNS, Guidance
from equicryo.inference.tracing_refinement import log_restraints
from equicryo.io.logs import log_to
from equicryo.io.models import write_ensemble
from equicryo.io.normal import read_normal
from equicryo.io.points import read_points
from equicryo.io.priors import read_prior
from equicryo.io.residue_model import read_density
from equicryo.io.tables import write_table
from equicryo.io.tracing import read_traces
from equicryo.physics.gain import KnownGain, UnknownGain
from equicryo.seeds import derive_generator
from equicryo.structure.spread import spread_to_b_factor

log_to(snakemake.log[0])
torch.set_num_threads(snakemake.threads)
files, params, wildcards = snakemake.input, snakemake.params, snakemake.wildcards
sampler = read_sampler(wildcards.sampler, params.sampler)
generator = derive_generator(params.seed, "reconstruct_from_traces", *wildcards)

chain = read_points(files.points)
prior = read_prior(files.weights, files.card, chain.sequence)
likelihood = prepare_likelihood(
    read_normal(files.normal),
    read_density(params.density, files.constants, chain.sequence),
    UnknownGain() if params.measured else KnownGain(),
    sampler.blurs,
)
traces = read_traces(files.traces)
weights = weigh_traces(traces, lambda x: float(log_restraints(x)))
proposals = start_from_traces(traces, weights, sampler.samples, generator=generator)
samples, steps = SAMPLERS[wildcards.sampler].sample(
    prior,
    likelihood,
    proposals,
    Guidance(alpha=float(wildcards.alpha), scale=float(wildcards.scale)),
    sampler,
    generator=generator,
)

coordinates = samples.double().numpy()
b_factors = spread_to_b_factor(coordinates)
write_ensemble(snakemake.output.ensemble, chain, coordinates, b_factors)
write_table(snakemake.output.diagnostics, DIAGNOSTICS_COLUMNS, [s.row() for s in steps])
