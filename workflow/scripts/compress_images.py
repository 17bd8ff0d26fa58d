"""Compress one chunk of a particle stack (rule compress_images)."""

import logging
from time import perf_counter

import torch

from equicryo.io.logs import log_to
from equicryo.io.normal import read_noise_power, write_normal
from equicryo.io.particles import read_batches, read_particles
from equicryo.io.points import read_points
from equicryo.physics.compression import compress_images
from equicryo.physics.density import molecule_diameter, support_size

log_to(snakemake.log[0])
torch.set_num_threads(snakemake.threads)
particles = read_particles(snakemake.input.star)
optics = particles.groups[0]
chain = read_points(snakemake.input.points)
diameter = molecule_diameter(torch.from_numpy(chain.coordinates))
support = support_size(diameter, optics.pixel_size, optics.box_size)

first = int(snakemake.wildcards.chunk) * snakemake.params.chunk_size
last = min(first + snakemake.params.chunk_size, len(particles))
start = perf_counter()
normal = compress_images(
    read_batches(particles, first, last),
    read_noise_power(snakemake.input.noise),
    support,
)
rate = normal.n_images / (perf_counter() - start)
logging.getLogger("equicryo").info(
    "images %d to %d on %d³ voxels, %.0f images a second",
    *(first + 1, last, support, rate),
)
write_normal(snakemake.output.normal, normal)
