"""Draw densities of a dataset in slices, and their FSC (rule draw_volumes)."""

import pandas as pd
from matplotlib.figure import Figure

from equicryo.figures.theme import WIDTH, mark_panel, use_theme
from equicryo.figures.volumes import (
    draw_fsc,
    draw_local_resolution,
    draw_slice,
    draw_surface,
)
from equicryo.io.logs import log_to
from equicryo.io.maps import read_map
from equicryo.io.pictures import save_figure
from equicryo.io.tables import write_frame

CONTOUR = 1.5
"""Standard deviations of the truth whose surface is drawn."""

log_to(snakemake.log[0])
files = snakemake.input
truth = read_map(files.truth)
fsc = pd.read_csv(files.fsc)

use_theme()
figure = Figure(figsize=(WIDTH, 5.9), layout="constrained")
panels = figure.subplot_mosaic("abcd;efgh;iiii", height_ratios=[1.0, 1.0, 1.25])
shown = {
    "ae": (files.truth, "truth"),
    "bf": (files.wiener, "Wiener, true SNR"),
    "cg": (files.mean, "posterior mean"),
    "d": (files.spread, "posterior spread"),
}
# Surfaces enclose equal volumes, so that none is flattered by its contour.
enclosed = float((truth.volume > CONTOUR * truth.volume.std()).mean())
for letters, (path, name) in shown.items():
    volume = read_map(path).volume
    black = 0.8 * float((volume if letters == "d" else truth.volume).max())
    draw_slice(panels[letters[0]], volume, truth.pixel_size, black)
    mark_panel(panels[letters[0]], letters[0], name)
    for letter in letters[1:]:
        draw_surface(panels[letter], volume, enclosed)
        mark_panel(panels[letter], letter, "its surface")
draw_local_resolution(panels["h"], read_map(files.local_resolution).volume)
mark_panel(panels["h"], "h", "local resolution")
draw_fsc(panels["i"], fsc)
mark_panel(panels["i"], "i", "agreement with the truth inside the molecule")

save_figure(figure, snakemake.output.svg, snakemake.output.png)
write_frame(snakemake.output.csv, fsc)
