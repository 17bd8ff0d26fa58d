"""Compare density models of a Cα trace with all atoms (rule compare_residue_models)."""

import torch

from equicryo.evaluation.residue_models import (
    BIAS_COLUMNS,
    COMPARISON_COLUMNS,
    compare_densities,
    tabulate_bias,
)
from equicryo.io.logs import log_to
from equicryo.io.models import read_atoms
from equicryo.io.residue_model import read_rebuilt_chains, read_residue_model
from equicryo.io.tables import write_table
from equicryo.physics.residue_density import residue_blobs, single_blobs
from equicryo.seeds import derive_generator

log_to(snakemake.log[0])
torch.set_num_threads(snakemake.threads)
files, params = snakemake.input, snakemake.params

model = read_residue_model(files.constants)
chains = [read_atoms(path) for path in files.structures]
chains += read_rebuilt_chains(files.chains)
comparisons = [
    comparison
    for atoms in chains
    for comparison in compare_densities(
        atoms,
        {
            "single": single_blobs(atoms.sequence, params.residue_width),
            "full": residue_blobs(atoms.sequence, model),
        },
        generator=derive_generator(params.seed, "compare_residue_models", atoms.name),
    )
]

rows = [comparison.row() for comparison in comparisons]
write_table(snakemake.output.comparison, COMPARISON_COLUMNS, rows)
write_table(snakemake.output.bias, BIAS_COLUMNS, tabulate_bias(comparisons))
