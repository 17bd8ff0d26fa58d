"""Fit the residue model's constants to all-atom chains (rule fit_residue_model)."""

import torch

from equicryo.io.files import file_sha256
from equicryo.io.logs import log_to
from equicryo.io.residue_model import read_rebuilt_chains, write_residue_model
from equicryo.physics.residue_fit import fit_residue_model

log_to(snakemake.log[0])
torch.set_num_threads(snakemake.threads)

chains = read_rebuilt_chains(snakemake.input.chains)
model = fit_residue_model(chains, chains[: snakemake.params.compared])
write_residue_model(
    snakemake.output.constants,
    model,
    {
        "chains": len(chains),
        "residues": sum(len(atoms.sequence) for atoms in chains),
        "compared": snakemake.params.compared,
        "file_sha256": file_sha256(snakemake.input.chains),
    },
)
