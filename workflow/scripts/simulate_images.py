"""Simulate a particle stack of a held-out conformer (rule simulate_images)."""

import logging
from dataclasses import replace

import torch

from equicryo.io.logs import log_to
from equicryo.io.models import read_atoms, write_chain
from equicryo.io.particles import write_particles
from equicryo.io.points import read_conformers, read_points
from equicryo.io.stacks import write_stack
from equicryo.physics.all_atom import all_atom_specimen
from equicryo.physics.density import molecule_diameter, support_size
from equicryo.physics.noise import white_power
from equicryo.physics.simulation import (
    SimulationConfig,
    check_sampling,
    choose_conformer,
    draw_views,
    matched_specimen,
    noise_variance,
    noisy_images,
)
from equicryo.seeds import derive_generator

log_to(snakemake.log[0])
torch.set_num_threads(snakemake.threads)
settings = SimulationConfig(**snakemake.params.settings)
generator = derive_generator(
    snakemake.params.seed, "simulate_images", snakemake.wildcards.dataset
)
chain = read_points(snakemake.input.points)
held_out = read_conformers(snakemake.input.ensemble).held_out
truth = replace(chain, coordinates=choose_conformer(held_out, settings))

diameter = molecule_diameter(torch.from_numpy(chain.coordinates))
check_sampling(settings, diameter)
support = support_size(diameter, settings.pixel_size, settings.box_size)
if settings.density == "matched":
    specimen = matched_specimen(truth, settings.residue_width)
else:
    specimen = all_atom_specimen(read_atoms(snakemake.input.structure), truth)
views = draw_views(settings, generator=generator)
variance = noise_variance(specimen, views, settings.snr, support)
logging.getLogger("equicryo").info(
    "%d images, SNR %g over the central %d × %d pixels: noise variance %.4g (e⁻/Å²)²",
    *(settings.n_images, settings.snr, support, support, variance),
)

noise_power = white_power(variance, settings.box_size)
images = noisy_images(specimen, views, noise_power, generator=generator)
grid = (settings.n_images, settings.box_size, settings.pixel_size)
write_chain(snakemake.output.truth, truth)
write_stack(snakemake.output.stack, images, *grid)
write_particles(snakemake.output.star, views, snakemake.output.stack)
