"""Draw errors against the number of images (rule draw_images)."""

from string import ascii_lowercase

import pandas as pd
from matplotlib.figure import Figure

from equicryo.evaluation.image_counts import pool_image_counts
from equicryo.figures.image_counts import draw_errors_by_images, draw_worth_by_images
from equicryo.figures.theme import WIDTH, mark_panel, use_theme
from equicryo.io.logs import log_to
from equicryo.io.pictures import save_figure
from equicryo.io.tables import write_frame

ACROSS = 3
"""Studies beside each other; more would leave no room for their axes."""

log_to(snakemake.log[0])
metrics = pd.read_csv(snakemake.input.metrics)
points = [pool_image_counts(metrics, study) for study in snakemake.params.studies]

use_theme()
blocks = [points[first : first + ACROSS] for first in range(0, len(points), ACROSS)]
figure = Figure(figsize=(WIDTH, 4.6 * len(blocks)), layout="constrained")
letters, curves = iter(ascii_lowercase), {}
for part, block in zip(
    figure.subfigures(len(blocks), squeeze=False).flat, blocks, strict=True
):
    panels = part.subplots(2, len(blocks[0]), sharex="col", sharey="row", squeeze=False)
    for spare in panels[:, len(block) :].flat:
        spare.remove()
    for (errors, worth), rows in zip(panels.T, block, strict=False):
        draw_errors_by_images(errors, rows)
        draw_worth_by_images(worth, rows)
        mark_panel(errors, next(letters), rows["study"].iloc[0].replace("_", " "))
        errors.label_outer()
        worth.label_outer()
        handles, names = errors.get_legend_handles_labels()
        curves.update(zip(names, handles, strict=True))
figure.legend(curves.values(), curves.keys(), loc="outside upper center", ncols=6)

save_figure(figure, snakemake.output.svg, snakemake.output.png)
write_frame(snakemake.output.csv, pd.concat(points))
