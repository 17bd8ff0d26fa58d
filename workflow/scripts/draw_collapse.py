"""Draw the three diagnostics of collapse (rule draw_collapse)."""

from pathlib import Path

import pandas as pd
import torch
from matplotlib.figure import Figure

from equicryo.evaluation.grid import Drawn, pool_grid, select_rows
from equicryo.evaluation.misfit import structure_chi_square
from equicryo.figures.collapse import draw_misfit, draw_mismatch, draw_shrinkage
from equicryo.figures.theme import WIDTH, mark_panel, use_theme
from equicryo.io.logs import log_to
from equicryo.io.models import read_chain
from equicryo.io.normal import read_normal
from equicryo.io.pictures import save_figure
from equicryo.io.residue_model import read_density
from equicryo.io.tables import write_frame
from equicryo.physics.gain import KnownGain

log_to(snakemake.log[0])
drawn = Drawn(**snakemake.params.drawn)
metrics = pd.read_csv(snakemake.input.metrics)
samples = {
    str(Path(path).with_name("ensemble.cif")): pd.read_csv(path)
    for path in snakemake.input.samples
}
grid = pool_grid(select_rows(metrics, drawn.grid_prior, drawn), samples)
traces = pd.concat(
    pd.read_csv(path).assign(prior=Path(path).parent.name)
    for path in snakemake.input.traces
)
chain = read_chain(snakemake.input.truth)
normal = read_normal(snakemake.input.normal)
at_truth = structure_chi_square(
    torch.from_numpy(chain.coordinates),
    normal,
    read_density(snakemake.params.density, snakemake.input.constants, chain.sequence),
    KnownGain(),
)
grid["misfit"] = normal.n_observations * (grid["chi2"] - at_truth) / 2.0

use_theme()
figure = Figure(figsize=(WIDTH, 2.7), layout="constrained")
mismatch, shrinkage, misfit = figure.subplots(1, 3)
draw_mismatch(mismatch, grid[grid["alpha"] == grid["alpha"].max()])
draw_shrinkage(shrinkage, traces, truth=grid["rg_truth"].iloc[0])
draw_misfit(misfit, grid)
mark_panel(mismatch, "a", "wrong unit of length")
mark_panel(shrinkage, "b", "shrinkage by the prior")
mark_panel(misfit, "c", "weak or strong guidance")
figure.legend(*misfit.get_legend_handles_labels(), loc="outside lower center", ncols=3)

save_figure(figure, snakemake.output.svg, snakemake.output.png)
write_frame(snakemake.output.csv, pd.concat([grid, traces]))
