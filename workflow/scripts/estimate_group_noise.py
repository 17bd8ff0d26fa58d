"""Estimate the noise of a user's optics groups (rule estimate_group_noise)."""

import logging

import numpy as np
import torch

from equicryo.io.logs import log_to
from equicryo.io.normal import write_group_noise
from equicryo.io.particle_table import warn_of_aliasing
from equicryo.io.particles import read_batches
from equicryo.io.points import read_points
from equicryo.io.user_particles import (
    ParticlesConfig,
    expected_diameter,
    read_user_particles,
)
from equicryo.physics.noise import estimate_radial_power

log_to(snakemake.log[0])
torch.set_num_threads(snakemake.threads)
particles = read_user_particles(ParticlesConfig(**snakemake.params.particles))
chain = read_points(snakemake.input.points)
warn_of_aliasing(particles, expected_diameter(chain))

# Recorded noise is coloured; it is measured in the corners, away from the particle.
powers = {}
for group in np.unique(particles.group).tolist():
    rows = np.flatnonzero(particles.group == group)[: snakemake.params.images]
    batches = read_batches(particles[rows], 0, len(rows))
    powers[group] = estimate_radial_power(images for images, _ in batches)
    logging.getLogger("equicryo").info(
        "optics group %d: noise variance per pixel from %.5g to %.5g over shells, from "
        "%d images",
        *(group + 1, powers[group].min(), powers[group].max(), len(rows)),
    )
write_group_noise(snakemake.output.noise, powers)
