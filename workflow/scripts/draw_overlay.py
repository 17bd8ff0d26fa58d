"""Draw posterior samples over the truth (rule draw_overlay)."""

import pandas as pd
import torch
from matplotlib.figure import Figure

from equicryo.evaluation.metrics import residue_error, residue_spread
from equicryo.figures.overlay import (
    QUARTER_TURN,
    draw_profile,
    draw_traces,
    principal_axes,
)
from equicryo.figures.theme import WIDTH, mark_panel, use_theme
from equicryo.io.documents import read_document
from equicryo.io.logs import log_to
from equicryo.io.models import read_chain, read_ensemble
from equicryo.io.pictures import save_figure
from equicryo.io.tables import write_frame
from equicryo.structure.superposition import superpose

log_to(snakemake.log[0])
chain = read_chain(snakemake.input.truth)
truth = torch.from_numpy(chain.coordinates - chain.coordinates.mean(axis=0))
samples = torch.from_numpy(read_ensemble(snakemake.input.ensemble)[1])
aligned = superpose(samples, truth).apply(samples)
bound = read_document(snakemake.input.bound)["crlb_residue"]
profile = pd.DataFrame(
    {
        "residue": chain.residue_numbers,
        "residue_name": list(chain.sequence),
        "error": residue_error(aligned, truth),
        "spread": residue_spread(aligned),
        "crlb": bound,
    }
)

use_theme()
figure = Figure(figsize=(WIDTH, 4.8), layout="constrained")
views = figure.subplot_mosaic("ab;cc", height_ratios=[1.7, 1.0])
front = principal_axes(truth.numpy())
for name, turn in (("a", front), ("b", QUARTER_TURN @ front)):
    draw_traces(views[name], truth.numpy() @ turn.T, aligned.numpy() @ turn.T)
draw_profile(views["c"], profile)
mark_panel(views["a"], "a", "truth (red) and posterior samples (blue)")
mark_panel(views["b"], "b", "turned by 90° about the vertical")
mark_panel(views["c"], "c", "along the sequence")

save_figure(figure, snakemake.output.svg, snakemake.output.png)
write_frame(snakemake.output.csv, profile)
