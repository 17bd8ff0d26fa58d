"""Weigh what the images say for a reconstruction (rule weigh_evidence)."""

import torch

from equicryo.evaluation.metrics import posterior_mean
from equicryo.evaluation.misfit import structure_chi_square
from equicryo.inference.evidence import (
    RESIDUE_COLUMNS,
    noise_limit,
    residue_rows,
    settle_verdict,
    weigh_evidence,
)
from equicryo.inference.likelihood import prepare_likelihood
from equicryo.io.documents import read_document, write_document
from equicryo.io.logs import log_to
from equicryo.io.models import read_ensemble
from equicryo.io.normal import read_normal
from equicryo.io.residue_model import read_density
from equicryo.io.tables import write_table
from equicryo.io.traces import read_traces
from equicryo.physics.gain import gain_of

log_to(snakemake.log[0])
torch.set_num_threads(snakemake.threads)
files, params, output = snakemake.input, snakemake.params, snakemake.output

chain, coordinates = read_ensemble(files.ensemble)
samples = torch.from_numpy(coordinates)
mean = posterior_mean(samples)
normal = read_normal(files.normal)
density = read_density(params.density, files.constants, chain.sequence)
gain = gain_of(measured=params.measured)
evidence = weigh_evidence(mean, prepare_likelihood(normal, density, gain, ()))
bound = read_document(files.bound)["crlb_residue"] if files.bound else None
verdict = evidence.verdict
if files.traces:
    verdict = settle_verdict(read_traces(files.traces), evidence)

rows = residue_rows(chain, samples, bound, evidence)
write_table(output.residues, RESIDUE_COLUMNS, rows)
write_document(
    output.evidence,
    {
        "chi2": structure_chi_square(mean, normal, density, gain),
        "evidence": evidence.chain,
        "evidence_limit": noise_limit(len(chain)),
        "residues_seen": float(evidence.seen().double().mean()),
        "residues_suspect": float(evidence.suspect().double().mean()),
        "verdict": verdict,
    },
)
