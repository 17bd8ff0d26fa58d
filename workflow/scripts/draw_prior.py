"""Draw chains from a prior without any image (rule draw_prior)."""

import torch

from equicryo.inference.diffusion import SHRINKAGE_COLUMNS, ScheduleConfig, draw_prior
from equicryo.io.arrays import write_arrays
from equicryo.io.logs import log_to
from equicryo.io.points import read_points
from equicryo.io.priors import read_prior
from equicryo.io.tables import write_table
from equicryo.seeds import derive_generator

log_to(snakemake.log[0])
torch.set_num_threads(snakemake.threads)
settings = snakemake.params.settings
chain = read_points(snakemake.input.points)
prior = read_prior(snakemake.input.weights, snakemake.input.card, chain.sequence)
# Without the prior's name: a spoilt copy draws what the sound one does, but for scale.
generator = derive_generator(snakemake.params.seed, "draw_prior")

draws = draw_prior(
    prior,
    settings["count"],
    ScheduleConfig(**settings["schedule"]),
    churn=settings["churn"],
    generator=generator,
)
write_arrays(snakemake.output.draws, {"coordinates": draws.coordinates.numpy()})
write_table(snakemake.output.shrinkage, SHRINKAGE_COLUMNS, draws.shrinkage())
