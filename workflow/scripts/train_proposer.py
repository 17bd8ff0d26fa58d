"""Train the network that proposes Cα positions (rule train_proposer)."""

from dataclasses import asdict

import torch

from equicryo.io.checkpoints import checkpoint_path, train_with_checkpoints
from equicryo.io.documents import write_document
from equicryo.io.logs import log_to
from equicryo.io.proposer_sets import read_proposer_training_set
from equicryo.io.proposers import write_proposer
from equicryo.io.provenance import current_commit
from equicryo.io.tables import write_table
from equicryo.models.proposer import Proposer, ProposerConfig, initialise
from equicryo.models.proposer_training import (
    CURVE_COLUMNS,
    ProposerTraining,
    ProposerTrainingConfig,
)
from equicryo.seeds import derive_generator

log_to(snakemake.log[0])
torch.set_num_threads(snakemake.threads)
params, output = snakemake.params, snakemake.output
settings = params.settings
network = ProposerConfig(**settings["network"])
config = ProposerTrainingConfig(**settings["training"])
data = read_proposer_training_set(snakemake.input, settings["count"], params.seed)

proposer = Proposer(network)
initialise(proposer, derive_generator(params.seed, "train_proposer"))
training = ProposerTraining(proposer, config, data.examples, data.held_out, params.seed)
rest = (settings, params.seed, params.code)
checkpoint = checkpoint_path(output.weights, snakemake.input, *rest)
train_with_checkpoints(training, checkpoint, watchers=[])

write_proposer(output.weights, training.average.module)
write_table(output.curve, CURVE_COLUMNS, training.curve)
write_document(
    output.card,
    {
        "training_ids": data.training_ids,
        "held_out_ids": data.held_out_ids["benchmark"],
        "validation_ids": data.held_out_ids["validation"],
        "test_ids": data.held_out_ids["test"],
        "data_sha256": data.sha256,
        "architecture": asdict(network),
        "config": settings,
        "commit": current_commit(),
        "metrics": training.curve[-1],
    },
)
checkpoint.unlink(missing_ok=True)
