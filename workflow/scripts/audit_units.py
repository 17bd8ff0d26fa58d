"""Convert an earlier work's numbers into Å, and draw its errors (rule audit_units)."""

from pathlib import Path

import pandas as pd
import torch
from matplotlib.figure import Figure

from equicryo.evaluation.units_audit import AUDIT_COLUMNS, audit_published
from equicryo.figures.audit import draw_audit
from equicryo.figures.theme import WIDTH, use_theme
from equicryo.io.logs import log_to
from equicryo.io.pictures import save_figure
from equicryo.io.structures import StructureConfig, read_structure
from equicryo.io.tables import read_table, write_frame, write_table
from equicryo.seeds import derive_generator
from equicryo.structure.atoms import alpha_carbons

log_to(snakemake.log[0])
files, params = snakemake.input, snakemake.params
settings = StructureConfig(file=files.structure, **params.structure)
atoms = read_structure(Path(files.structure), settings, "1hel")
rows = audit_published(
    read_table(files.published),
    torch.from_numpy(alpha_carbons(atoms).coordinates),
    generator=derive_generator(params.seed, "audit_units"),
)
write_table(snakemake.output.table, AUDIT_COLUMNS, rows)

use_theme()
figure = Figure(figsize=(0.6 * WIDTH, 3.0), layout="constrained")
axes = figure.subplots()
frame = pd.read_csv(snakemake.output.table)
drawn = frame[frame["quantity"] == "rmsd"]
draw_audit(axes, drawn)
figure.legend(*axes.get_legend_handles_labels(), loc="outside upper center", ncols=2)
save_figure(figure, snakemake.output.svg, snakemake.output.png)
write_frame(snakemake.output.csv, drawn)
