"""Record a wrong length unit with a prior, on purpose (rule plant_scale)."""

from equicryo.io.documents import write_document
from equicryo.io.files import copy_file
from equicryo.io.logs import log_to
from equicryo.io.priors import read_card

log_to(snakemake.log[0])
planted = snakemake.params.planted
card = read_card(snakemake.input.card)
whitening = {**card["whitening"], "length_unit": 1.0 / planted["scale"]}

copy_file(snakemake.input.weights, snakemake.output.weights)
spoilt = {**card, "whitening": whitening, "planted": planted}
write_document(snakemake.output.card, spoilt)
