"""Draw errors against the number of images (rule draw_images)."""

import pandas as pd
from matplotlib.figure import Figure

from equicryo.evaluation.image_counts import pool_image_counts
from equicryo.figures.image_counts import draw_errors_by_images, draw_worth_by_images
from equicryo.figures.theme import WIDTH, mark_panel, use_theme
from equicryo.io.logs import log_to
from equicryo.io.pictures import save_figure
from equicryo.io.tables import write_frame

log_to(snakemake.log[0])
studies = snakemake.params.studies
metrics = pd.read_csv(snakemake.input.metrics)
points = [pool_image_counts(metrics, study) for study in studies]

use_theme()
figure = Figure(figsize=(WIDTH, 4.6), layout="constrained")
panels = figure.subplots(2, len(studies), sharex="col", sharey="row", squeeze=False)
for column, (study, rows) in enumerate(zip(studies, points, strict=True)):
    errors, worth = panels[:, column]
    draw_errors_by_images(errors, rows)
    draw_worth_by_images(worth, rows)
    mark_panel(errors, chr(ord("a") + column), study.replace("_", " "))
for axes in panels.flat:
    axes.label_outer()
figure.legend(
    *panels[0, -1].get_legend_handles_labels(), loc="outside upper center", ncols=6
)

save_figure(figure, snakemake.output.svg, snakemake.output.png)
write_frame(snakemake.output.csv, pd.concat(points))
