"""Average the scores of densities over reconstructions (rule tabulate_volumes)."""

from itertools import chain

from equicryo.evaluation.volume_scores import average_scores
from equicryo.io.logs import log_to
from equicryo.io.tables import read_table, write_frame

log_to(snakemake.log[0])
rows = list(chain.from_iterable(read_table(path) for path in snakemake.input.scores))
write_frame(snakemake.output.table, average_scores(rows))
