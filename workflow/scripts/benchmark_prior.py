"""Measure what the generalist prior costs (rule benchmark_prior)."""

import torch

from equicryo.evaluation.prior_costs import PriorCostConfig, measure_prior
from equicryo.io.chain_sets import read_chain_set
from equicryo.io.logs import log_to
from equicryo.io.machine import describe_machine
from equicryo.io.priors import read_denoiser
from equicryo.io.tables import write_table
from equicryo.models.examples import ChainExamples

log_to(snakemake.log[0])
torch.set_num_threads(snakemake.threads)
denoiser = read_denoiser(snakemake.input.weights, snakemake.input.card).eval()
examples = ChainExamples(read_chain_set(snakemake.input.chains))
config = PriorCostConfig(**snakemake.params.settings)
measurements = measure_prior(denoiser, examples, config)

machine = describe_machine()
write_table(
    snakemake.output.table,
    ["name", "value", "unit", "n", "machine"],
    [{**vars(one), "machine": machine} for one in measurements],
)
