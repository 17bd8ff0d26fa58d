"""Write the table of metrics as a page of the report (rule tabulate_metrics)."""

from equicryo.figures.table import render_table
from equicryo.io.files import replace_atomically
from equicryo.io.logs import log_to
from equicryo.io.tables import read_table

log_to(snakemake.log[0])

page = render_table(read_table(snakemake.input.metrics))
with replace_atomically(snakemake.output.page) as temporary:
    temporary.write_text(page, encoding="utf-8")
