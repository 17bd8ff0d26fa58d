"""Train a network on a law known in closed form (rule train_mixture)."""

from dataclasses import asdict

import torch

from equicryo.evaluation.rotated_mixture import fold_mixture
from equicryo.io.checkpoints import checkpoint_path, train_with_checkpoints
from equicryo.io.documents import write_document
from equicryo.io.logs import log_to
from equicryo.io.points import read_points
from equicryo.io.priors import describe_whitening, write_weights
from equicryo.models.denoiser import Denoiser
from equicryo.models.polymer import fit_polymer
from equicryo.models.training import DenoiserTraining, TrainingConfig
from equicryo.models.transformer import NetworkConfig, initialise
from equicryo.seeds import derive_generator

log_to(snakemake.log[0])
torch.set_num_threads(snakemake.threads)
settings, seed = snakemake.params.settings, snakemake.params.seed
output = snakemake.output
network = NetworkConfig(**settings["network"])
config = TrainingConfig(**settings["training"])
mixture = fold_mixture(read_points(snakemake.input.points))
generator = derive_generator(seed, "train_mixture")

chains, _ = mixture.draw_chains(settings["whitened"], generator=generator)
denoiser = Denoiser(network, fit_polymer(list(chains.numpy())))
initialise(denoiser.network, generator)
test = mixture.draw(config.batch_residues, generator)
training = DenoiserTraining(denoiser, config, mixture, [test], seed)
rest = (settings, seed, snakemake.params.code)
checkpoint = checkpoint_path(output.weights, snakemake.input, *rest)
train_with_checkpoints(training, checkpoint, [])

write_weights(output.weights, training.average.module)
card = {
    "architecture": asdict(network),
    "whitening": describe_whitening(denoiser),
    "config": settings,
    "metrics": training.curve[-1],
}
write_document(output.card, card)
checkpoint.unlink(missing_ok=True)
