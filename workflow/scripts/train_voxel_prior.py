"""Train a prior of densities on many chains (rule train_voxel_prior)."""

import torch

from equicryo.io.checkpoints import checkpoint_path, train_with_checkpoints
from equicryo.io.documents import write_document
from equicryo.io.logs import log_to
from equicryo.io.tables import write_table
from equicryo.io.voxel_priors import write_voxel_weights
from equicryo.io.voxel_training_sets import (
    describe_voxel_prior,
    read_grid_config,
    read_voxel_training_set,
)
from equicryo.models.voxel_denoiser import (
    VoxelDenoiser,
    VoxelNetworkConfig,
    initialise_voxel_network,
)
from equicryo.models.voxel_training import (
    VOXEL_CURVE_COLUMNS,
    VoxelTraining,
    VoxelTrainingConfig,
    error_noise_levels,
    measure_errors,
    turning_error,
)
from equicryo.seeds import derive_generator

log_to(snakemake.log[0])
torch.set_num_threads(snakemake.threads)
files, params, output = snakemake.input, snakemake.params, snakemake.output
settings, name = params.settings, snakemake.wildcards.voxel_prior
config = VoxelTrainingConfig(**settings["training"])
network = {**settings["network"], "channels": tuple(settings["network"]["channels"])}
data = read_voxel_training_set(
    files, read_grid_config(settings["grid"]), settings["count"], params.seed
)

denoiser = VoxelDenoiser(VoxelNetworkConfig(**network), data.whitening)
generator = derive_generator(params.seed, "train_voxel_prior", name)
initialise_voxel_network(denoiser, generator)
training = VoxelTraining(denoiser, config, data.examples, data.held_out, params.seed)
rest = (name, settings, params.seed, params.code)
checkpoint = checkpoint_path(output.weights, files, *rest)
train_with_checkpoints(training, checkpoint, [])

trained = training.average.module.cpu().eval()
levels = error_noise_levels(config)
sizes = data.examples.grid.pixel_sizes
measured = measure_errors(trained, data.all_atom, sizes, levels, generator=generator)
write_voxel_weights(output.weights, trained, measured)
write_table(output.curve, VOXEL_CURVE_COLUMNS, training.curve)
turning = turning_error(trained, data.held_out, generator=generator)
card = describe_voxel_prior(trained, data, measured) | {"config": settings}
write_document(output.card, card | {"metrics": training.curve[-1] | turning})
checkpoint.unlink(missing_ok=True)
