"""Train a prior on a molecule's conformers or on many chains (rule train_prior)."""

import sys

import torch

from equicryo.figures.training import draw_training
from equicryo.io.checkpoints import (
    TrainingPicture,
    checkpoint_path,
    train_with_checkpoints,
)
from equicryo.io.documents import write_document
from equicryo.io.logs import log_to
from equicryo.io.priors import read_card, read_denoiser, write_weights
from equicryo.io.tables import write_table
from equicryo.io.training_sets import (
    describe_prior,
    read_chain_training_set,
    read_ensemble_training_set,
)
from equicryo.models.denoiser import Denoiser
from equicryo.models.training import CURVE_COLUMNS, DenoiserTraining, TrainingConfig
from equicryo.models.transformer import NetworkConfig, initialise
from equicryo.seeds import derive_generator

log_to(snakemake.log[0])
torch.set_num_threads(snakemake.params.threads)
files, params, output = snakemake.input, snakemake.params, snakemake.output
settings = params.settings
config = TrainingConfig(**settings["training"])
if settings["regime"] == "conformer":
    data = read_ensemble_training_set(files)
else:
    data = read_chain_training_set(files, settings["count"], params.seed)

if "initial" in settings:
    denoiser, earlier = read_denoiser(files.weights, files.card), read_card(files.card)
else:
    denoiser = Denoiser(NetworkConfig(**settings["network"]), data.whitening)
    name = snakemake.wildcards.prior
    initialise(denoiser.network, derive_generator(params.seed, "train_prior", name))
    earlier = None
training = DenoiserTraining(denoiser, config, data.examples, data.held_out, params.seed)
rest = (snakemake.wildcards.prior, settings, params.seed, params.code)
checkpoint = checkpoint_path(output.weights, files, *rest)
picture = TrainingPicture(draw_training, snakemake.log.picture)
train_with_checkpoints(training, checkpoint, [picture])
if training.global_rank:
    sys.exit()  # The first of several processes writes what all have learnt.

write_weights(output.weights, training.average.module)
write_table(output.curve, CURVE_COLUMNS, training.curve)
card = describe_prior(denoiser, data, earlier)
card |= {"config": settings, "metrics": training.curve[-1]}
write_document(output.card, card)
checkpoint.unlink(missing_ok=True)
