"""Draw a prior's quality beside real chains and baselines (rule draw_quality)."""

import pandas as pd
from matplotlib.figure import Figure

from equicryo.evaluation.chain_geometry import match_lengths, measure_geometry
from equicryo.evaluation.denoising import NO_SEQUENCE, SEQUENCE
from equicryo.evaluation.prior_quality import comparable_chains
from equicryo.evaluation.quality_curves import denoising_curves, geometry_curves
from equicryo.figures.prior_quality import (
    DRAWN,
    HELD_OUT,
    TRAINING,
    draw_content,
    draw_denoising,
    draw_density,
    draw_map,
    draw_mirror,
    draw_radius,
    draw_size,
)
from equicryo.figures.theme import WIDTH, mark_panel, use_theme
from equicryo.io.chain_sets import read_chain_set, read_splits
from equicryo.io.logs import log_to
from equicryo.io.pictures import save_figure
from equicryo.io.tables import write_frame

log_to(snakemake.log[0])
files = snakemake.input
drawn = read_chain_set(files.chains)
held_out = read_splits(files.targets, files.held_out, snakemake.params.splits)
training = read_splits(files.training, files.splits, ["training"])
matched = training.select(match_lengths(training, drawn.lengths))
sets = {TRAINING: matched, HELD_OUT: comparable_chains(held_out), DRAWN: drawn}
modes = {SEQUENCE: files.trace, NO_SEQUENCE: files.trace_no_sequence}
traces = {mode: pd.read_csv(path) for mode, path in modes.items()}
along = denoising_curves(pd.read_csv(files.denoising), traces)
shape = geometry_curves({name: measure_geometry(one) for name, one in sets.items()})
curves = pd.concat([along, shape], ignore_index=True)
panels = dict(list(curves.groupby("panel")))

use_theme()
figure = Figure(figsize=(WIDTH, 6.6), layout="constrained")
axes = figure.subplots(3, 3)
draw_denoising(axes[0, 0], panels["denoising"])
draw_size(axes[0, 1], panels["size"])
draw_mirror(axes[0, 2], panels["mirror"])
draw_radius(axes[1, 0], panels["radius"])
draw_density(axes[1, 1], panels["bonds"], "virtual bond")
draw_density(axes[1, 2], panels["pairs"], "distance of pairs")
draw_map(axes[2, 0], panels["map"], TRAINING)
draw_map(axes[2, 1], panels["map"], DRAWN)
draw_content(axes[2, 2], panels["content"])
titles = ("denoising", "shrinkage", "handedness", "size", "bonds", "pairs")
titles += ("local shape, training", "local shape, drawn", "structure")
for one, letter, title in zip(axes.ravel(), "abcdefghi", titles, strict=True):
    mark_panel(one, letter, title)
save_figure(figure, snakemake.output.svg, snakemake.output.png)
write_frame(snakemake.output.csv, curves)
