"""Write a data set's images as one stack for RELION (rule gather_images)."""

from equicryo.io.chunks import gather_tables, read_first_images
from equicryo.io.logs import log_to
from equicryo.io.particles import read_particles
from equicryo.io.stacks import write_stack

log_to(snakemake.log[0])
stars, count = snakemake.input.stars, snakemake.params.n_images
optics = read_particles(stars[0]).groups[0]
grid = (count, optics.box_size, optics.pixel_size)
write_stack(snakemake.output.stack, read_first_images(stars, count), *grid)
gather_tables(snakemake.output.star, stars, count, snakemake.output.stack)
