"""Draw densities of a dataset in slices, and their FSC (rule draw_volumes)."""

import pandas as pd
from matplotlib.figure import Figure

from equicryo.figures.theme import WIDTH, mark_panel, use_theme
from equicryo.figures.volumes import draw_fsc, draw_slice
from equicryo.io.logs import log_to
from equicryo.io.maps import read_map
from equicryo.io.pictures import save_figure
from equicryo.io.tables import write_frame

log_to(snakemake.log[0])
files = snakemake.input
truth = read_map(files.truth)
fsc = pd.read_csv(files.fsc)

use_theme()
figure = Figure(figsize=(WIDTH, 4.2), layout="constrained")
panels = figure.subplot_mosaic("abcd;eeee", height_ratios=[1.0, 1.25])
shown = {
    "a": (files.truth, "truth"),
    "b": (files.wiener, "Wiener, true SNR"),
    "c": (files.mean, "posterior mean"),
    "d": (files.spread, "posterior spread"),
}
for letter, (path, name) in shown.items():
    volume = read_map(path).volume
    black = 0.8 * float((volume if letter == "d" else truth.volume).max())
    draw_slice(panels[letter], volume, truth.pixel_size, black)
    mark_panel(panels[letter], letter, name)
draw_fsc(panels["e"], fsc)
mark_panel(panels["e"], "e", "agreement with the truth inside the molecule")

save_figure(figure, snakemake.output.svg, snakemake.output.png)
write_frame(snakemake.output.csv, fsc)
