"""Draw posterior samples from where DPS ended (rule reconstruct_from_samples)."""

import torch

from equicryo.inference.samplers import SAMPLERS, read_sampler
from equicryo.inference.sampling import DIAGNOSTICS_COLUMNS, Guidance
from equicryo.io.documents import read_document
from equicryo.io.likelihoods import read_likelihood
from equicryo.io.logs import log_to
from equicryo.io.models import read_ensemble, write_samples
from equicryo.io.points import read_points
from equicryo.io.priors import read_prior
from equicryo.io.tables import write_table
from equicryo.seeds import derive_generator

log_to(snakemake.log[0])
torch.set_num_threads(snakemake.threads)
files, params, wildcards = snakemake.input, snakemake.params, snakemake.wildcards
sampler = read_sampler(wildcards.sampler, params.sampler)
generator = derive_generator(params.seed, "reconstruct_from_samples", *wildcards)

chain = read_points(files.points)
prior = read_prior(files.weights, files.card, chain.sequence)
likelihood = read_likelihood(
    files,
    chain.sequence,
    sampler.blurs,
    density=params.density,
    measured=params.measured,
)
scale = read_document(files.scale)["scale"] if files.scale else float(wildcards.scale)
found = torch.from_numpy(read_ensemble(files.start)[1])
proposals = found[torch.arange(sampler.samples) % len(found)]
samples, steps = SAMPLERS[wildcards.sampler].sample(
    prior,
    likelihood,
    proposals,
    Guidance(alpha=float(wildcards.alpha), scale=scale),
    sampler,
    generator=generator,
)

write_samples(snakemake.output.ensemble, chain, samples.double().numpy())
write_table(snakemake.output.diagnostics, DIAGNOSTICS_COLUMNS, [s.row() for s in steps])
