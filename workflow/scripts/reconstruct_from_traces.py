"""Draw posterior samples around traces of a chain (rule reconstruct_from_traces)."""

import torch

from equicryo.inference.modes import start_from_traces, weigh_traces
from equicryo.inference.samplers import SAMPLERS, read_sampler
from equicryo.inference.sampling import DIAGNOSTICS_COLUMNS, Guidance
from equicryo.io.arrays import read_arrays
from equicryo.io.likelihoods import read_likelihood
from equicryo.io.logs import log_to
from equicryo.io.models import write_samples
from equicryo.io.points import read_points
from equicryo.io.priors import read_prior
from equicryo.io.tables import write_table
from equicryo.io.traces import read_traces
from equicryo.seeds import derive_generator

log_to(snakemake.log[0])
torch.set_num_threads(snakemake.threads)
files, params, wildcards = snakemake.input, snakemake.params, snakemake.wildcards
sampler = read_sampler(wildcards.sampler, params.sampler)
generator = derive_generator(params.seed, "reconstruct_from_traces", *wildcards)

chain = read_points(files.points)
prior = read_prior(files.weights, files.card, chain.sequence)
likelihood = read_likelihood(
    files,
    chain.sequence,
    sampler.blurs,
    density=params.density,
    measured=params.measured,
)
traces = read_traces(files.traces)
if traces:
    weights = weigh_traces(traces)
    proposals = start_from_traces(traces, weights, sampler.samples, generator=generator)
    samples, steps = SAMPLERS[wildcards.sampler].sample(
        prior,
        likelihood,
        proposals,
        Guidance(alpha=float(wildcards.alpha), scale=float(wildcards.scale)),
        sampler,
        generator=generator,
    )
else:
    # The images name no place for any residue: the prior alone speaks.
    draws = read_arrays(files.draws, ["coordinates"])["coordinates"]
    scaled = float(wildcards.scale) * torch.from_numpy(draws[: sampler.samples])
    samples, steps = scaled, []

write_samples(snakemake.output.ensemble, chain, samples.double().numpy())
write_table(snakemake.output.diagnostics, DIAGNOSTICS_COLUMNS, [s.row() for s in steps])
