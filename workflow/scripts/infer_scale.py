"""Infer the scale of a prior's coordinates from the images (rule infer_scale)."""

from dataclasses import asdict

import torch

from equicryo.inference.samplers import read_sampler
from equicryo.inference.scale import ROUNDS_COLUMNS, ScaleConfig, infer_scale
from equicryo.io.arrays import read_arrays
from equicryo.io.documents import write_document
from equicryo.io.likelihoods import read_likelihood
from equicryo.io.logs import log_to
from equicryo.io.points import read_points
from equicryo.io.priors import read_prior
from equicryo.io.tables import write_table
from equicryo.seeds import derive_generator

log_to(snakemake.log[0])
torch.set_num_threads(snakemake.threads)
files, params, wildcards = snakemake.input, snakemake.params, snakemake.wildcards
config = ScaleConfig(**params.settings)
sampler = read_sampler("dps", params.sampler)

chain = read_points(files.points)
likelihood = read_likelihood(
    files,
    chain.sequence,
    sampler.blurs,
    density=params.density,
    measured=params.measured,
)
estimates = infer_scale(
    read_prior(files.weights, files.card, chain.sequence),
    likelihood,
    torch.from_numpy(read_arrays(files.draws, ["coordinates"])["coordinates"]),
    config,
    sampler,
    generator=derive_generator(params.seed, "infer_scale", *wildcards),
)

write_document(snakemake.output.scale, asdict(estimates[-1]))
write_table(snakemake.output.rounds, ROUNDS_COLUMNS, [asdict(e) for e in estimates])
