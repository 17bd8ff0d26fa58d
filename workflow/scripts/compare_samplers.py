"""Compare ways to draw chains from a prior (rule compare_samplers)."""

import torch

from equicryo.evaluation.chain_geometry import measure_geometry
from equicryo.evaluation.prior_quality import choose_sequences, comparable_chains
from equicryo.inference.chain_draws import draw_chains
from equicryo.inference.diffusion import ScheduleConfig
from equicryo.io.chain_sets import read_splits
from equicryo.io.logs import log_to
from equicryo.io.priors import read_denoiser
from equicryo.io.tables import write_table
from equicryo.seeds import derive_generator

log_to(snakemake.log[0])
torch.set_num_threads(snakemake.threads)
files, settings = snakemake.input, snakemake.params.settings
denoiser = read_denoiser(files.weights, files.card)
held_out = read_splits(files.targets, files.held_out, ["validation"])
like = comparable_chains(held_out)
rows = [{"steps": 0, "churn": 0.0, "calls": 0, **measure_geometry(like).summary()}]
for steps in settings["steps"]:
    for churn in settings["churn"]:
        generator = derive_generator(snakemake.params.seed, "compare_samplers")
        schedule = ScheduleConfig(steps=steps, **settings["noise"])
        chosen = choose_sequences(like, settings["samples"], generator=generator)
        draws = draw_chains(
            denoiser, chosen, schedule, churn=churn, generator=generator
        )
        found = measure_geometry(draws.chains).summary()
        rows.append({"steps": steps, "churn": churn, "calls": 2 * steps - 1, **found})
write_table(snakemake.output.table, list(rows[0]), rows)
