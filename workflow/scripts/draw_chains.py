"""Draw chains of the held-out ones' lengths from a prior (rule draw_chains)."""

import torch

from equicryo.evaluation.denoising import NO_SEQUENCE
from equicryo.evaluation.prior_quality import choose_sequences, comparable_chains
from equicryo.inference.chain_draws import TRACE_COLUMNS, draw_chains
from equicryo.inference.diffusion import ScheduleConfig
from equicryo.io.chain_sets import read_splits, write_chain_set
from equicryo.io.logs import log_to
from equicryo.io.priors import read_denoiser
from equicryo.io.tables import write_table
from equicryo.seeds import derive_generator
from equicryo.structure.residues import UNKNOWN_LETTER

log_to(snakemake.log[0])
torch.set_num_threads(snakemake.threads)
files, settings = snakemake.input, snakemake.params.settings
held_out = read_splits(files.targets, files.held_out, settings["splits"])
# Without the prior's name: priors are compared on the same noise.
generator = derive_generator(snakemake.params.seed, "draw_chains")

count = settings["samples"]
chosen = choose_sequences(comparable_chains(held_out), count, generator=generator)
if snakemake.wildcards.mode == NO_SEQUENCE:
    chosen = [UNKNOWN_LETTER * len(sequence) for sequence in chosen]
draws = draw_chains(
    read_denoiser(files.weights, files.card),
    chosen,
    ScheduleConfig(**settings["schedule"]),
    churn=settings["churn"],
    generator=generator,
)
write_chain_set(snakemake.output.chains, draws.chains)
write_table(snakemake.output.trace, TRACE_COLUMNS, draws.trace())
