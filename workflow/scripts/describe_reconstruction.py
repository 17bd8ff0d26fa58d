"""Describe a reconstruction whose truth is not known (rule describe_reconstruction)."""

import torch

from equicryo.evaluation.scores import SAMPLE_COLUMNS, complete_row
from equicryo.io.documents import read_document
from equicryo.io.logs import log_to
from equicryo.io.models import read_ensemble
from equicryo.io.points import read_points
from equicryo.io.priors import read_card
from equicryo.io.tables import read_table, write_table
from equicryo.structure.superposition import radius_of_gyration

log_to(snakemake.log[0])
torch.set_num_threads(snakemake.threads)
files, params, wildcards = snakemake.input, snakemake.params, snakemake.wildcards

chain = read_points(files.points)
samples = torch.from_numpy(read_ensemble(files.ensemble)[1])
radii = radius_of_gyration(samples)
steps = read_table(files.diagnostics)
scale = read_document(files.scale)["scale"] if files.scale else float(wildcards.scale)
row = complete_row(
    {
        **params.labels,
        "scale": scale,
        "scale_true": 1.0 / read_card(files.card)["whitening"]["length_unit"],
        "n_samples": len(samples),
        "rg_mean": radii.mean().item(),
        **read_document(files.evidence),
        "nfe": max((int(step["nfe"]) for step in steps), default=0),
        "reconstruction": files.ensemble,
    }
)

write_table(snakemake.output.score, tuple(row), [row])
empty = dict.fromkeys(SAMPLE_COLUMNS)
rows = [{**empty, "sample": i, "rg": rg} for i, rg in enumerate(radii.tolist())]
write_table(snakemake.output.samples, SAMPLE_COLUMNS, rows)
