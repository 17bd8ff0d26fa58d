"""Score the densities of a dataset, and its baselines, against the truth."""

import torch

from equicryo.evaluation.volume_baselines import (
    backprojection_estimate,
    estimate_power,
    wiener_estimate,
)
from equicryo.evaluation.volume_scores import (
    SCORE_COLUMNS,
    local_resolution,
    score_maps,
)
from equicryo.inference.volume_sampling import prepare_volume_likelihood
from equicryo.io.logs import log_to
from equicryo.io.maps import DensityMap, write_map
from equicryo.io.models import read_atoms, read_chain
from equicryo.io.normal import read_normal
from equicryo.io.tables import write_frame, write_table
from equicryo.io.volumes import read_relion_estimate, read_volume_estimates
from equicryo.physics.envelope import molecule_mask
from equicryo.physics.normal_operator import prepare_operator
from equicryo.physics.simulation import specimen_map
from equicryo.physics.spectra import shell_power
from equicryo.physics.stack import StackConfig, describe_specimen
from equicryo.seeds import derive_generator

log_to(snakemake.log[0])
torch.set_num_threads(snakemake.threads)
files, params, output = snakemake.input, snakemake.params, snakemake.output
operator = prepare_operator(read_normal(files.normal), dtype=torch.float32)
edge, pixel_size = operator.support_size, operator.pixel_size
likelihood = prepare_volume_likelihood(operator)
chain, atoms = read_chain(files.truth), read_atoms(files.structure)
specimen = describe_specimen(StackConfig(**params.stack), chain, atoms)
truth = specimen_map(specimen, edge, pixel_size)
mask = molecule_mask(truth, pixel_size)

generator = derive_generator(params.seed, "score_volumes", *snakemake.wildcards)
# Of the signal where it is: an average with the solvent would filter it too hard.
oracle = (shell_power(truth) / mask.mean()).float()
guessed = estimate_power(likelihood, generator=generator)
filtered = [
    wiener_estimate(name, likelihood, power, params.samples, generator=generator)
    for name, power in (("wiener_oracle", oracle), ("wiener_estimated", guessed))
]
estimates = [
    *read_volume_estimates(files.means, files.spreads, params.labels),
    *filtered,
    backprojection_estimate(likelihood, guessed),
    *read_relion_estimate(files.relion),
]

rows, curves = score_maps(estimates, truth, mask, pixel_size)
write_table(output.scores, SCORE_COLUMNS, [params.case | row for row in rows])
write_frame(output.fsc, curves)
local = local_resolution(estimates[0].mean, truth, mask, pixel_size, params.spacing)
for path, volume in (
    (output.truth, truth),
    (output.wiener, filtered[0].mean),
    (output.local_resolution, local),
):
    density = DensityMap(volume=volume.float().numpy(), pixel_size=pixel_size)
    write_map(path, density)
