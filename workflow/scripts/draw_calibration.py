"""Draw error and size of the samples against α and λ (rule draw_calibration)."""

from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from equicryo.evaluation.grid import Drawn, pool_grid, select_rows
from equicryo.figures.calibration import draw_errors, draw_sizes
from equicryo.figures.theme import WIDTH, mark_panel, use_theme
from equicryo.io.logs import log_to
from equicryo.io.pictures import save_figure
from equicryo.io.tables import write_frame

log_to(snakemake.log[0])
drawn = Drawn(**snakemake.params.drawn)
metrics = pd.read_csv(snakemake.input.metrics)
samples = {
    str(Path(path).with_name("ensemble.cif")): pd.read_csv(path)
    for path in snakemake.input.samples
}
grid, reference = (
    pool_grid(select_rows(metrics, prior, drawn), samples)
    for prior in (drawn.grid_prior, drawn.reference_prior)
)

use_theme()
figure = Figure(figsize=(WIDTH, 3.0), layout="constrained")
errors, sizes = figure.subplots(1, 2)
draw_errors(errors, grid, reference)
draw_sizes(sizes, grid, reference)
mark_panel(errors, "a", "error")
mark_panel(sizes, "b", "size")
figure.legend(*errors.get_legend_handles_labels(), loc="outside upper center", ncols=4)

save_figure(figure, snakemake.output.svg, snakemake.output.png)
write_frame(snakemake.output.csv, pd.concat([grid, reference]))
