"""Let a generalist prior speak of a chain that it never saw (rule adopt_prior)."""

from equicryo.errors import InputError
from equicryo.io.documents import write_document
from equicryo.io.files import copy_file
from equicryo.io.logs import log_to
from equicryo.io.points import read_points
from equicryo.io.priors import read_card

log_to(snakemake.log[0])
files, output = snakemake.input, snakemake.output
chain, card = read_points(files.points), read_card(files.card)
name = f"{chain.name.upper()}_{chain.chain_id}"
if name in card["training_ids"]:
    raise InputError(
        f"{files.card}: the prior was trained on {name}, so that nothing it says of it "
        "would be a prediction: take another target, or a prior that has not seen it"
    )
copy_file(files.weights, output.weights)
write_document(output.card, card)
