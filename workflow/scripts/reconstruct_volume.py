"""Draw posterior samples of a density from its images (rule reconstruct_volume)."""

import torch

from equicryo.evaluation.volume_scores import describe_samples
from equicryo.inference.volume_samplers import (
    VOLUME_SAMPLERS,
    read_volume_sampler,
)
from equicryo.inference.volume_sampling import (
    VOLUME_DIAGNOSTICS_COLUMNS,
    prepare_volume_likelihood,
)
from equicryo.io.logs import log_to
from equicryo.io.maps import DensityMap, write_map
from equicryo.io.normal import read_normal
from equicryo.io.tables import write_table
from equicryo.io.voxel_priors import read_voxel_prior
from equicryo.physics.normal_operator import prepare_operator
from equicryo.seeds import derive_generator

log_to(snakemake.log[0])
torch.set_num_threads(snakemake.threads)
files, params, wildcards = snakemake.input, snakemake.params, snakemake.wildcards
name = wildcards.volume_sampler
settings = read_volume_sampler(name, params.sampler)
generator = derive_generator(params.seed, "reconstruct_volume", *wildcards)

operator = prepare_operator(read_normal(files.normal), dtype=torch.float32)
prior = read_voxel_prior(files.weights, files.card, operator)
samples, steps = VOLUME_SAMPLERS[name].sample(
    prior, prepare_volume_likelihood(operator), settings, generator=generator
)

found, output = describe_samples(name, samples), snakemake.output
for path, volume in ((output.mean, found.mean), (output.spread, found.spread)):
    density = DensityMap(volume=volume.numpy(), pixel_size=operator.pixel_size)
    write_map(path, density)
rows = [step.row() for step in steps]
write_table(output.diagnostics, VOLUME_DIAGNOSTICS_COLUMNS, rows)
