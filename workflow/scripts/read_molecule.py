"""Read what molecule a user's particles show (rule read_molecule)."""

from equicryo.io.logs import log_to
from equicryo.io.points import write_points
from equicryo.io.sequences import read_molecule

log_to(snakemake.log[0])
write_points(snakemake.output.points, read_molecule(snakemake.input.sequence))
