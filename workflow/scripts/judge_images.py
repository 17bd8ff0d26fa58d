"""Count wrong verdicts on images of known content (rule judge_images)."""

import logging

import torch

from equicryo.evaluation.verdicts import (
    SCENARIOS,
    VERDICT_COLUMNS,
    judge,
    redraw_images,
    residues_there,
    shuffle_sequence,
)
from equicryo.inference.bead_tracing import (
    describe_bead_problem,
    read_bead_config,
    trace_beads,
)
from equicryo.inference.likelihood import prepare_likelihood
from equicryo.inference.tracing import trace_further
from equicryo.io.geometry import read_geometry
from equicryo.io.logs import log_to
from equicryo.io.models import read_chain
from equicryo.io.normal import read_normal
from equicryo.io.proposal_search import read_proposal_search
from equicryo.io.tables import write_table
from equicryo.physics.gain import KnownGain
from equicryo.physics.residue_density import single_blobs
from equicryo.seeds import derive_generator

log_to(snakemake.log[0])
# Hundreds of searches: a line for each of their steps would bury the verdicts.
logging.getLogger("equicryo.inference").setLevel(logging.ERROR)
torch.set_num_threads(snakemake.threads)
files, params, wildcards = snakemake.input, snakemake.params, snakemake.wildcards
config = read_bead_config(params.beads)
geometry, normal = read_geometry(files.geometry), read_normal(files.normal)
chain = read_chain(files.truth)
truth = torch.from_numpy(chain.coordinates)
shown = single_blobs(chain.sequence, params.residue_width)
residues = shown.residue_volumes(truth, normal.support_size, normal.pixel_size)

rows = []
for name, scenario in SCENARIOS.items():
    for number in range(params.sets[name]):
        generator = derive_generator(params.seed, "judge_images", name, str(number))
        there = len(residues_there(scenario, truth))
        images = redraw_images(normal, residues[:there].sum(0), generator=generator)
        sequence = chain.sequence
        if scenario.shuffled:
            sequence = shuffle_sequence(sequence, generator=generator)
        density = single_blobs(sequence, params.residue_width)
        likelihood = prepare_likelihood(images, density, KnownGain(), ())
        problem = describe_bead_problem(likelihood, images, sequence, geometry, config)
        search = read_proposal_search(
            files, params.search, sequence, generator=generator
        )
        traces = trace_beads(problem, config)
        traces = trace_further(traces, likelihood, images, sequence, search)
        verdict = judge(scenario, traces, truth, likelihood)
        rows.append({"scenario": name, "set": number, **verdict})
        logging.getLogger(__name__).info("%s", rows[-1])
write_table(snakemake.output.verdicts, VERDICT_COLUMNS, rows)
