"""Draw the CTF of a dataset and what it does to images (rule draw_ctf)."""

import pandas as pd
import torch
from matplotlib.figure import Figure

from equicryo.figures.ctf import (
    draw_curves,
    draw_sampling,
    draw_stages,
    image_stages,
    tabulate_boxes,
    tabulate_curves,
)
from equicryo.figures.theme import WIDTH, mark_panel, use_theme
from equicryo.io.logs import log_to
from equicryo.io.models import read_chain
from equicryo.io.particle_table import select_views
from equicryo.io.particles import read_batches, read_particles
from equicryo.io.pictures import save_figure
from equicryo.io.tables import write_frame
from equicryo.physics.density import molecule_diameter
from equicryo.physics.simulation import Specimen
from equicryo.structure.residues import residue_electrons

log_to(snakemake.log[0])
chain = read_chain(snakemake.input.truth)
specimen = Specimen(
    coordinates=torch.from_numpy(chain.coordinates),
    weights=torch.from_numpy(residue_electrons(chain.sequence)),
    width=snakemake.params.residue_width,
)
particles = read_particles(snakemake.input.star)
rows = particles.defocus.mean.argsort()[[0, -1]]
views = select_views(particles, rows.numpy())
noisy = [next(read_batches(particles, row, row + 1))[0][0] for row in rows.tolist()]
low, high = views.defocus.mean.tolist()
curves = tabulate_curves(views.optics, [low, (low + high) / 2.0, high])
boxes = tabulate_boxes(views.optics, molecule_diameter(specimen.coordinates))

use_theme()
figure = Figure(figsize=(WIDTH, 3.1), layout="constrained")
left, right = figure.subfigures(1, 2, width_ratios=[1.0, 1.4])
curve_axes, box_axes = left.subplots(2, 1, height_ratios=[1.2, 1.0])
draw_curves(curve_axes, curves)
draw_sampling(box_axes, boxes, views.optics, used=(low, high))
image_axes = right.subplots(2, 3)
draw_stages(image_axes, (*image_stages(specimen, views), noisy), views)
mark_panel(curve_axes, "a", "")
mark_panel(box_axes, "b", "")
mark_panel(image_axes[0, 0], "c", "")

save_figure(figure, snakemake.output.svg, snakemake.output.png)
write_frame(snakemake.output.csv, pd.concat([curves, boxes]))
