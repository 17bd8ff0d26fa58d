"""Let a generalist prior speak of a chain that it never saw (rule adopt_prior)."""

from equicryo.io.documents import write_document
from equicryo.io.files import copy_file
from equicryo.io.logs import log_to
from equicryo.io.priors import read_card, refuse_trained_on

log_to(snakemake.log[0])
files, output = snakemake.input, snakemake.output
refuse_trained_on(files.card, snakemake.params.names)
copy_file(files.weights, output.weights)
write_document(output.card, read_card(files.card))
