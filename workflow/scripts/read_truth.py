"""Read the known structure behind a user's particles (rule read_truth)."""

from pathlib import Path

from equicryo.io.logs import log_to
from equicryo.io.models import write_chain
from equicryo.io.points import read_points
from equicryo.io.sequences import check_truth, read_single_chain

log_to(snakemake.log[0])
truth = read_single_chain(Path(snakemake.input.truth))
check_truth(truth, read_points(snakemake.input.points))
write_chain(snakemake.output.truth, truth)
