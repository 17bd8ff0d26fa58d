"""Draw what data, width and compute are worth to a prior (rule draw_scaling)."""

import pandas as pd
from matplotlib.figure import Figure

from equicryo.evaluation.scaling import compute_rows, scaling_rows
from equicryo.figures.scaling import draw_compute_scaling, draw_data_scaling
from equicryo.figures.theme import WIDTH, mark_panel, use_theme
from equicryo.io.logs import log_to
from equicryo.io.pictures import save_figure
from equicryo.io.priors import read_card
from equicryo.io.tables import read_table, write_frame

log_to(snakemake.log[0])
files, params = snakemake.input, snakemake.params
cards = [read_card(path) for path in files.cards]
final = pd.DataFrame(
    row
    for prior, card, path in zip(params.priors, cards, files.denoising, strict=True)
    for row in scaling_rows(prior, card, read_table(path))
)
during = pd.DataFrame(
    row
    for prior, card, path in zip(params.priors, cards, files.curves, strict=True)
    for row in compute_rows(prior, card, read_table(path))
)

use_theme()
figure = Figure(figsize=(WIDTH, 2.7), layout="constrained")
data, compute = figure.subplots(1, 2)
draw_data_scaling(data, final[final["noise_level"] == params.noise_level])
draw_compute_scaling(compute, during[during["noise_level"] == params.noise_level])
mark_panel(data, "a", "more chains")
mark_panel(compute, "b", "longer training")
save_figure(figure, snakemake.output.svg, snakemake.output.png)
write_frame(snakemake.output.csv, pd.concat([final, during], ignore_index=True))
