"""Draw whether error bars mean what they say (rule draw_uncertainty)."""

import pandas as pd
import torch
from matplotlib.figure import Figure

from equicryo.evaluation.uncertainty import (
    COVERAGE_COLUMNS,
    RANK_COLUMNS,
    REGION_COLUMNS,
    SKILL_COLUMNS,
    coverage_rows,
    rank_rows,
    region_rows,
    skill_rows,
)
from equicryo.figures.theme import WIDTH, mark_panel, use_theme
from equicryo.figures.uncertainty import (
    draw_coverage_by_level,
    draw_ranks,
    draw_regions_by_level,
    draw_spread_skill,
)
from equicryo.io.logs import log_to
from equicryo.io.models import read_chain, read_ensemble
from equicryo.io.pictures import save_figure
from equicryo.io.tables import write_frame

log_to(snakemake.log[0])
metrics = pd.read_csv(snakemake.input.metrics)
coverage, regions, ranks, skill = [], [], [], []
for study in snakemake.params.studies:
    found = (metrics["verdict"] == "found") & metrics["truth"].notna()
    rows = metrics[(metrics["study"] == study) & found]
    ensembles = [
        (
            torch.from_numpy(read_ensemble(row.reconstruction)[1]),
            torch.from_numpy(read_chain(row.truth).coordinates),
        )
        for row in rows.itertuples()
    ]
    if not ensembles:
        continue
    coverage += coverage_rows(study, ensembles)
    regions += region_rows(study, ensembles)
    ranks += rank_rows(study, ensembles)
    skill += skill_rows(study, ensembles)

use_theme()
figure = Figure(figsize=(WIDTH, 5.6), layout="constrained")
(upper_left, upper_right), (lower_left, lower_right) = figure.subplots(2, 2)
draw_coverage_by_level(upper_left, pd.DataFrame(coverage, columns=COVERAGE_COLUMNS))
draw_regions_by_level(upper_right, pd.DataFrame(regions, columns=REGION_COLUMNS))
draw_ranks(lower_left, pd.DataFrame(ranks, columns=RANK_COLUMNS))
draw_spread_skill(lower_right, pd.DataFrame(skill, columns=SKILL_COLUMNS))
mark_panel(upper_left, "a", "coordinates in intervals")
mark_panel(upper_right, "b", "residues in regions")
mark_panel(lower_left, "c", "ranks of coordinates")
mark_panel(lower_right, "d", "residues of like spread")
handles = upper_left.get_legend_handles_labels()
figure.legend(*handles, loc="outside upper center", ncols=5)

save_figure(figure, snakemake.output.svg, snakemake.output.png)
write_frame(snakemake.output.csv, pd.DataFrame([*coverage, *regions, *ranks, *skill]))
