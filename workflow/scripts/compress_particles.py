"""Compress a chunk of a user's stack (rule compress_particles)."""

import torch

from equicryo.io.logs import log_to
from equicryo.io.normal import read_group_noise, write_normal
from equicryo.io.particles import read_batches
from equicryo.io.points import read_points
from equicryo.io.progress import announce, track_images
from equicryo.io.user_particles import (
    ParticlesConfig,
    particles_support,
    plan_chunks,
    read_user_particles,
)
from equicryo.physics.compression import compress_images
from equicryo.physics.cost import compression_cost

log_to(snakemake.log[0])
torch.set_num_threads(snakemake.threads)
particles = read_user_particles(ParticlesConfig(**snakemake.params.particles))
support = particles_support(particles, read_points(snakemake.input.points))
chunks = plan_chunks(particles, snakemake.params.chunk_size)
chunk = chunks[int(snakemake.wildcards.chunk)]

count = len(chunk.rows)
memory, seconds = compression_cost(particles.groups[0].box_size, support, count)
announce("compress", count, memory=memory, seconds=seconds)
batches = read_batches(particles[chunk.rows], 0, count)
normal = compress_images(
    track_images(batches, "compress", count, lambda batch: len(batch[0])),
    read_group_noise(snakemake.input.noise, chunk.group),
    support,
)
write_normal(snakemake.output.normal, normal)
