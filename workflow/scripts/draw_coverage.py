"""Draw the coverage of the samplers' credible regions (rule draw_coverage)."""

import pandas as pd
from matplotlib.figure import Figure

from equicryo.figures.coverage import draw_coverage
from equicryo.figures.theme import WIDTH, mark_panel, use_theme
from equicryo.io.logs import log_to
from equicryo.io.pictures import save_figure
from equicryo.io.tables import write_frame

log_to(snakemake.log[0])
rows = pd.read_csv(snakemake.input.table)

use_theme()
figure = Figure(figsize=(WIDTH, 3.6), layout="constrained")
linear, mixture = figure.subplots(1, 2)
draw_coverage(linear, rows[rows["problem"] == "linear_gaussian"])
draw_coverage(mixture, rows[rows["problem"] == "mixture"])
mark_panel(linear, "a", "Gaussian prior")
mark_panel(mixture, "b", "mixture of three Gaussians")
figure.legend(*linear.get_legend_handles_labels(), loc="outside lower center", ncols=5)

save_figure(figure, snakemake.output.svg, snakemake.output.png)
write_frame(snakemake.output.csv, rows)
