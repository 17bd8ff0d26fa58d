"""Train a conformer prior on its target's ensemble (rule train_prior)."""

from dataclasses import asdict
from pathlib import Path

import torch

from equicryo.io.arrays import arrays_sha256
from equicryo.io.checkpoints import train_with_checkpoints
from equicryo.io.documents import write_document
from equicryo.io.logs import log_to
from equicryo.io.points import read_conformers, read_points
from equicryo.io.priors import describe_whitening, write_weights
from equicryo.io.provenance import current_commit
from equicryo.io.tables import write_table
from equicryo.models.denoiser import Denoiser
from equicryo.models.examples import EnsembleExamples, ensemble_batch
from equicryo.models.training import CURVE_COLUMNS, DenoiserTraining, TrainingConfig
from equicryo.models.transformer import NetworkConfig, initialise
from equicryo.models.whitening import fit_whitening
from equicryo.seeds import derive_generator
from equicryo.structure.residues import residue_types

log_to(snakemake.log[0])
torch.set_num_threads(snakemake.threads)
params, output = snakemake.params, snakemake.output
network = NetworkConfig(**params.settings["network"])
config = TrainingConfig(**params.settings["training"])
chain = read_points(snakemake.input.points)
conformers = read_conformers(snakemake.input.ensemble)
types = torch.from_numpy(residue_types(chain.sequence))

denoiser = Denoiser(network, fit_whitening(torch.from_numpy(conformers.training)))
name = snakemake.wildcards.prior
initialise(denoiser.network, derive_generator(params.seed, "train_prior", name))
data = torch.from_numpy(conformers.training).float()
examples = EnsembleExamples(conformers=data, residue_types=types)
held_out = ensemble_batch(torch.from_numpy(conformers.held_out).float(), types)
training = DenoiserTraining(denoiser, config, examples, [held_out], params.seed)
# Named by what it depends on, so that a changed config or code never resumes from it.
made_of = str((params.settings, params.seed, params.code))
state = arrays_sha256(conformers.training, made_of)
checkpoint = Path(output.weights).parent / "checkpoints" / f"{state[:16]}.safetensors"
train_with_checkpoints(training, checkpoint)

write_weights(output.weights, training.average.module)
write_table(output.curve, CURVE_COLUMNS, training.curve)
write_document(
    output.card,
    {
        "training_ids": [f"{chain.name.upper()}_{chain.chain_id}"],
        "held_out_ids": [],
        "validation_ids": [],
        "test_ids": [],
        "data_sha256": arrays_sha256(conformers.training, chain.sequence),
        "architecture": asdict(network),
        "whitening": describe_whitening(denoiser),
        "config": params.settings,
        "commit": current_commit(),
        "metrics": training.curve[-1],
    },
)
checkpoint.unlink(missing_ok=True)
