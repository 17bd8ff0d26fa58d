"""Simulate one chunk of a particle stack (rule simulate_images)."""

import torch

from equicryo.io.logs import log_to
from equicryo.io.models import read_atoms
from equicryo.io.normal import read_noise_power
from equicryo.io.points import read_conformers, read_points
from equicryo.io.progress import announce, track_images
from equicryo.io.relion import write_particles
from equicryo.io.stacks import write_stack
from equicryo.physics.cost import simulation_cost
from equicryo.physics.simulation import noisy_images
from equicryo.physics.stack import (
    StackConfig,
    choose_conformer,
    describe_specimen,
    disturb_views,
    draw_views,
)
from equicryo.seeds import derive_generator

log_to(snakemake.log[0])
torch.set_num_threads(snakemake.threads)
settings = StackConfig(**snakemake.params.stack)
# A stream for each purpose, so that a pose error leaves images and noise as they are.
views_generator, noise_generator, error_generator = (
    derive_generator(snakemake.params.seed, purpose, *snakemake.wildcards)
    for purpose in ("draw_views", "draw_noise", "disturb_views")
)
chain = read_points(snakemake.input.points)
held_out = read_conformers(snakemake.input.ensemble).held_out
truth = choose_conformer(chain, held_out, settings)
specimen = describe_specimen(settings, truth, read_atoms(snakemake.input.structure))

count = settings.chunk_size
memory, seconds = simulation_cost(specimen, settings.optics, count)
announce("simulate", count, memory=memory, seconds=seconds)
views = draw_views(settings, count, generator=views_generator)
noise_power = read_noise_power(snakemake.input.noise)
images = noisy_images(specimen, views, noise_power, generator=noise_generator)
grid = (count, settings.box_size, settings.pixel_size)
write_stack(snakemake.output.stack, track_images(images, "simulate", count), *grid)
written = disturb_views(views, settings, generator=error_generator)
write_particles(snakemake.output.star, written, snakemake.output.stack)
