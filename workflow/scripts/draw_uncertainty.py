"""Draw whether error bars mean what they say (rule draw_uncertainty)."""

import pandas as pd
import torch
from matplotlib.figure import Figure

from equicryo.evaluation.uncertainty import coverage_rows, skill_rows
from equicryo.figures.theme import WIDTH, mark_panel, use_theme
from equicryo.figures.uncertainty import draw_coverage_by_level, draw_spread_skill
from equicryo.io.logs import log_to
from equicryo.io.models import read_chain, read_ensemble
from equicryo.io.pictures import save_figure
from equicryo.io.tables import write_frame

log_to(snakemake.log[0])
metrics = pd.read_csv(snakemake.input.metrics)
coverage, skill = [], []
for study in snakemake.params.studies:
    rows = metrics[(metrics["study"] == study) & (metrics["verdict"] == "found")]
    ensembles = [
        (
            torch.from_numpy(read_ensemble(row.reconstruction)[1]),
            torch.from_numpy(read_chain(row.truth).coordinates),
        )
        for row in rows.itertuples()
    ]
    coverage += coverage_rows(study, ensembles)
    skill += skill_rows(study, ensembles)

use_theme()
figure = Figure(figsize=(WIDTH, 3.2), layout="constrained")
left, right = figure.subplots(1, 2)
draw_coverage_by_level(left, pd.DataFrame(coverage))
draw_spread_skill(right, pd.DataFrame(skill))
mark_panel(left, "a", "coverage")
mark_panel(right, "b", "residues of like spread")
figure.legend(*left.get_legend_handles_labels(), loc="outside upper center", ncols=5)

save_figure(figure, snakemake.output.svg, snakemake.output.png)
write_frame(snakemake.output.csv, pd.DataFrame([*coverage, *skill]))
