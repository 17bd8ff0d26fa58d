"""Score one reconstruction against the truth (rule score_reconstruction)."""

import torch

from equicryo.evaluation.scores import (
    SAMPLE_COLUMNS,
    complete_row,
    score_controls,
    score_samples,
    score_trace,
    summarise,
)
from equicryo.io.arrays import read_arrays
from equicryo.io.documents import read_document
from equicryo.io.logs import log_to
from equicryo.io.models import read_chain, read_ensemble
from equicryo.io.priors import read_card
from equicryo.io.tables import read_table, write_table
from equicryo.io.traces import read_traces
from equicryo.seeds import derive_generator

log_to(snakemake.log[0])
torch.set_num_threads(snakemake.threads)
files, params, wildcards = snakemake.input, snakemake.params, snakemake.wildcards

chain = read_chain(files.truth)
truth = torch.from_numpy(chain.coordinates)
samples = torch.from_numpy(read_ensemble(files.ensemble)[1])
scale = read_document(files.scale)["scale"] if files.scale else float(wildcards.scale)
draws = torch.from_numpy(read_arrays(files.draws, ["coordinates"])["coordinates"])

scores = score_samples(samples, truth)
generator = derive_generator(params.seed, "score_reconstruction", *wildcards)
controls = score_controls(samples, truth, scale * draws.double(), generator=generator)
traces, control = (
    read_traces(path) if path else [] for path in (files.traces, files.control)
)
steps = read_table(files.diagnostics)
row = complete_row(
    {
        **params.labels,
        **summarise(scores, samples, truth),
        **controls,
        "scale": scale,
        "scale_true": 1.0 / read_card(files.card)["whitening"]["length_unit"],
        **read_document(files.evidence),
        "crlb_rmsd": float(read_document(files.bound)["crlb_rmsd"] or "inf"),
        "trace_rmsd": score_trace(traces, truth),
        "beads_rmsd": score_trace(control, truth),
        "nfe": max((int(step["nfe"]) for step in steps), default=0),
        "reconstruction": files.ensemble,
        "truth": files.truth,
    }
)

write_table(snakemake.output.score, tuple(row), [row])
write_table(snakemake.output.samples, SAMPLE_COLUMNS, scores.rows())
