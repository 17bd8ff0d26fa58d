"""Write the conformer behind a data set's images (rule choose_truth)."""

from equicryo.io.logs import log_to
from equicryo.io.models import write_chain
from equicryo.io.points import read_conformers, read_points
from equicryo.physics.stack import StackConfig, choose_conformer

log_to(snakemake.log[0])
settings = StackConfig(**snakemake.params.stack)
held_out = read_conformers(snakemake.input.ensemble).held_out
chain = read_points(snakemake.input.points)
truth = choose_conformer(chain, held_out, settings)
write_chain(snakemake.output.truth, truth)
