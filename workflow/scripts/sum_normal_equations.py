"""Add the normal equations of all chunks, in order (rule sum_normal_equations)."""

from equicryo.io.logs import log_to
from equicryo.io.normal import read_normal, write_normal
from equicryo.physics.normal_equations import add_normal_equations

log_to(snakemake.log[0])
total = add_normal_equations(read_normal(path) for path in snakemake.input.chunks)
write_normal(snakemake.output.normal, total)
