"""Compress a range of a stack's images (rule compress_images)."""

import torch

from equicryo.io.logs import log_to
from equicryo.io.normal import read_noise_power, write_normal
from equicryo.io.particles import read_batches, read_particles
from equicryo.io.points import read_points
from equicryo.io.progress import announce, track_images
from equicryo.physics.compression import compress_images
from equicryo.physics.cost import compression_cost
from equicryo.physics.density import molecule_diameter
from equicryo.physics.stack import StackConfig

log_to(snakemake.log[0])
torch.set_num_threads(snakemake.threads)
particles = read_particles(snakemake.input.star)
optics = particles.groups[0]
chain = read_points(snakemake.input.points)
diameter = molecule_diameter(torch.from_numpy(chain.coordinates))
support = StackConfig(**snakemake.params.stack).support(diameter)

# The wildcards count through the whole stack, the table begins with its own first.
start = snakemake.params.table_start
first, last = (int(bound) - start for bound in snakemake.wildcards[1:])
memory, seconds = compression_cost(optics.box_size, support, last - first)
announce("compress", last - first, memory=memory, seconds=seconds)
batches = read_batches(particles, first, last)
normal = compress_images(
    track_images(batches, "compress", last - first, lambda batch: len(batch[0])),
    read_noise_power(snakemake.input.noise),
    support,
)
write_normal(snakemake.output.normal, normal)
