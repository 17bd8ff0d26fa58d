"""Measure the coverage of every sampler in closed form (rule calibrate_samplers)."""

import logging

import torch

from equicryo.evaluation.coverage import EXACT
from equicryo.evaluation.gaussian_problems import PROBLEMS
from equicryo.evaluation.sampler_calibration import (
    CALIBRATION_COLUMNS,
    SETTINGS,
    calibrate,
)
from equicryo.io.logs import log_to
from equicryo.io.tables import write_table
from equicryo.seeds import derive_generator

log_to(snakemake.log[0])
# Thousands of short runs: a line for each of their steps would bury the results.
logging.getLogger("equicryo.inference").setLevel(logging.WARNING)
torch.set_num_threads(snakemake.threads)
params = snakemake.params
problems = {
    name: make(
        params.settings["residues"],
        generator=derive_generator(params.seed, "calibrate_samplers", name),
    )
    for name, make in PROBLEMS.items()
}
rows = [
    {"problem": name, **row}
    for name, problem in problems.items()
    for method in (EXACT, *SETTINGS)
    for row in calibrate(
        problem,
        method,
        params.settings["problems"],
        params.settings["samples"],
        generator=derive_generator(params.seed, "calibrate_samplers", name, method),
    )
]
write_table(snakemake.output.table, CALIBRATION_COLUMNS, rows)
