"""Gather the rows of all reconstructions (rule aggregate_metrics)."""

from itertools import chain

from equicryo.evaluation.scores import METRICS_COLUMNS, ROW_ORDER
from equicryo.io.logs import log_to
from equicryo.io.tables import read_table, sort_rows, write_table

log_to(snakemake.log[0])

rows = chain.from_iterable(read_table(path) for path in snakemake.input.scores)
write_table(snakemake.output.metrics, METRICS_COLUMNS, sort_rows(rows, ROW_ORDER))
