"""Train a prior on a molecule's conformers or on many chains (rule train_prior)."""

from dataclasses import asdict
from pathlib import Path

import torch

from equicryo.io.arrays import arrays_sha256
from equicryo.io.checkpoints import train_with_checkpoints
from equicryo.io.documents import write_document
from equicryo.io.logs import log_to
from equicryo.io.priors import describe_whitening, write_weights
from equicryo.io.provenance import current_commit
from equicryo.io.tables import write_table
from equicryo.io.training_sets import (
    read_chain_training_set,
    read_ensemble_training_set,
)
from equicryo.models.denoiser import Denoiser
from equicryo.models.training import CURVE_COLUMNS, DenoiserTraining, TrainingConfig
from equicryo.models.transformer import NetworkConfig, initialise
from equicryo.seeds import derive_generator

log_to(snakemake.log[0])
torch.set_num_threads(snakemake.threads)
params, output = snakemake.params, snakemake.output
settings = params.settings
network = NetworkConfig(**settings["network"])
config = TrainingConfig(**settings["training"])
if settings["regime"] == "conformer":
    data = read_ensemble_training_set(snakemake.input)
else:
    count = None if settings["count"] == "all" else settings["count"]
    data = read_chain_training_set(snakemake.input, count, params.seed)

denoiser = Denoiser(network, data.whitening)
name = snakemake.wildcards.prior
initialise(denoiser.network, derive_generator(params.seed, "train_prior", name))
training = DenoiserTraining(denoiser, config, data.examples, data.held_out, params.seed)
# Named by what it depends on, so that a changed config or code never resumes from it.
state = arrays_sha256(str((settings, params.seed, params.code, data.sha256)))
checkpoint = Path(output.weights).parent / "checkpoints" / f"{state[:16]}.safetensors"
train_with_checkpoints(training, checkpoint)

write_weights(output.weights, training.average.module)
write_table(output.curve, CURVE_COLUMNS, training.curve)
write_document(
    output.card,
    {
        "training_ids": data.training_ids,
        "held_out_ids": data.held_out_ids.get("benchmark", []),
        "validation_ids": data.held_out_ids.get("validation", []),
        "test_ids": data.held_out_ids.get("test", []),
        "data_sha256": data.sha256,
        "architecture": asdict(network),
        "whitening": describe_whitening(denoiser),
        "config": settings,
        "commit": current_commit(),
        "metrics": training.curve[-1],
    },
)
checkpoint.unlink(missing_ok=True)
