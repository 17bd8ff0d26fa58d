"""Denoise unseen chains by a prior and by simple means (rule denoise_chains)."""

import torch

from equicryo.errors import InputError
from equicryo.evaluation.denoising import DENOISING_COLUMNS, measure_denoising
from equicryo.io.chain_sets import read_chain_set
from equicryo.io.logs import log_to
from equicryo.io.priors import read_denoiser
from equicryo.io.tables import write_table
from equicryo.models.denoiser import VALIDATION_NOISE
from equicryo.seeds import derive_generator

log_to(snakemake.log[0])
torch.set_num_threads(snakemake.threads)
files, settings = snakemake.input, snakemake.params.settings
chains = read_chain_set(files.chains)
if (count := settings["denoised"]) != "all":
    if count > len(chains):
        raise InputError(
            f"config: assessment.denoised is {count}, but {files.chains} holds "
            f"{len(chains)} chains: ask for fewer, or all"
        )
    chains = chains.select(range(count))
rows = measure_denoising(
    read_denoiser(files.weights, files.card),
    chains,
    VALIDATION_NOISE,
    settings["noise_copies"],
    # Without the prior's name: priors are compared on the same noise.
    generator=derive_generator(snakemake.params.seed, "denoise_chains"),
)
write_table(snakemake.output.denoising, DENOISING_COLUMNS, rows)
