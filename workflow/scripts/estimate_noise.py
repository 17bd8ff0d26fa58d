"""Estimate the noise of a particle stack from its corners (rule estimate_noise)."""

import logging

import torch

from equicryo.io.logs import log_to
from equicryo.io.normal import write_noise_power
from equicryo.io.particle_table import warn_of_aliasing
from equicryo.io.particles import read_batches, read_particles
from equicryo.io.points import read_points
from equicryo.physics.density import molecule_diameter
from equicryo.physics.noise import estimate_radial_power, estimate_white_power

log_to(snakemake.log[0])
torch.set_num_threads(snakemake.threads)
particles = read_particles(snakemake.input.star)
chain = read_points(snakemake.input.points)
warn_of_aliasing(particles, molecule_diameter(torch.from_numpy(chain.coordinates)))
white = snakemake.params.kind == "white"
estimate = estimate_white_power if white else estimate_radial_power
batches = read_batches(particles, 0, len(particles))
noise_power = estimate(images for images, _ in batches)
logging.getLogger("equicryo").info(
    "noise variance per pixel from %.5g to %.5g over shells, from %d images",
    *(noise_power.min(), noise_power.max(), len(particles)),
)
write_noise_power(snakemake.output.noise, noise_power)
