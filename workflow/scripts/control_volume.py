"""Reconstruct from images without a particle, and look for training chains in it."""

import torch

from equicryo.evaluation.hallucination import (
    CONTROL_COLUMNS,
    compare_with_chains,
    noise_only,
)
from equicryo.inference.volume_samplers import VOLUME_SAMPLERS, read_volume_sampler
from equicryo.inference.volume_sampling import prepare_volume_likelihood
from equicryo.io.chain_sets import read_training_chains
from equicryo.io.logs import log_to
from equicryo.io.maps import DensityMap, write_map
from equicryo.io.models import read_atoms, read_chain
from equicryo.io.normal import read_normal
from equicryo.io.tables import write_table
from equicryo.io.voxel_priors import read_voxel_prior
from equicryo.physics.normal_operator import prepare_operator
from equicryo.physics.simulation import specimen_map
from equicryo.physics.stack import StackConfig, describe_specimen
from equicryo.seeds import derive_generator

log_to(snakemake.log[0])
torch.set_num_threads(snakemake.threads)
files, params, wildcards = snakemake.input, snakemake.params, snakemake.wildcards
name, output = wildcards.volume_sampler, snakemake.output
settings = read_volume_sampler(name, params.sampler)
generator = derive_generator(params.seed, "control_volume", *wildcards)

operator = prepare_operator(read_normal(files.normal), dtype=torch.float32)
edge, pixel_size = operator.support_size, operator.pixel_size
chain, atoms = read_chain(files.truth), read_atoms(files.structure)
specimen = describe_specimen(StackConfig(**params.stack), chain, atoms)
empty = noise_only(operator, specimen_map(specimen, edge, pixel_size))
prior = read_voxel_prior(files.weights, files.card, operator)
samples, _ = VOLUME_SAMPLERS[name].sample(
    prior, prepare_volume_likelihood(empty), settings, generator=generator
)

mean = samples.mean(0)
chains = read_training_chains(files, params.chains, params.seed)
rows = compare_with_chains(mean, chains, pixel_size, generator=generator)
write_table(output.table, CONTROL_COLUMNS, rows)
write_map(output.mean, DensityMap(volume=mean.numpy(), pixel_size=pixel_size))
