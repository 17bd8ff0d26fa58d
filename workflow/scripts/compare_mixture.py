"""Hold a trained network against a law known in closed form (rule compare_mixture)."""

import pandas as pd
import torch
from matplotlib.figure import Figure

from equicryo.evaluation.mixture_check import compare_draws, compare_estimates
from equicryo.evaluation.rotated_mixture import HELICES, fold_mixture
from equicryo.figures.mixture import draw_components, draw_estimates
from equicryo.figures.theme import WIDTH, mark_panel, use_theme
from equicryo.inference.diffusion import ScheduleConfig, draw_prior
from equicryo.io.logs import log_to
from equicryo.io.pictures import save_figure
from equicryo.io.points import read_points
from equicryo.io.priors import read_prior
from equicryo.io.tables import write_frame
from equicryo.models.denoiser import VALIDATION_NOISE
from equicryo.seeds import derive_generator

log_to(snakemake.log[0])
torch.set_num_threads(snakemake.threads)
files, settings = snakemake.input, snakemake.params.settings
chain = read_points(files.points)
mixture = fold_mixture(chain)
prior = read_prior(files.weights, files.card, chain.sequence[HELICES])
generator = derive_generator(snakemake.params.seed, "compare_mixture")

count = settings["chains"]
rows = compare_estimates(
    prior.denoiser, mixture, VALIDATION_NOISE, count, generator=generator
)
draws = draw_prior(
    prior,
    count,
    ScheduleConfig(**settings["schedule"]),
    churn=settings["churn"],
    generator=generator,
)
table = pd.DataFrame(rows + compare_draws(draws.coordinates.double(), mixture))

use_theme()
figure = Figure(figsize=(WIDTH, 2.5), layout="constrained")
estimates, weights, spreads = figure.subplots(1, 3)
draw_estimates(estimates, table)
draw_components(weights, table, "weight", "share of draws")
draw_components(spreads, table, "spread", "RMSD from the fold (Å)")
mark_panel(estimates, "a", "denoising")
mark_panel(weights, "b", "weights of folds")
mark_panel(spreads, "c", "spread about each")
save_figure(figure, snakemake.output.svg, snakemake.output.png)
write_frame(snakemake.output.csv, table)
