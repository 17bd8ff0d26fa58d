"""Compute the Cramér-Rao bound of one dataset (rule bound_error)."""

import math
from functools import partial

import torch

from equicryo.evaluation.cramer_rao import (
    cramer_rao_bound,
    cramer_rao_rmsd,
    position_information,
)
from equicryo.io.documents import write_document
from equicryo.io.logs import log_to
from equicryo.io.models import read_chain
from equicryo.io.normal import read_normal
from equicryo.io.residue_model import read_density
from equicryo.physics.gain import gain_of
from equicryo.physics.normal_operator import prepare_operator

log_to(snakemake.log[0])
torch.set_num_threads(snakemake.threads)
files, params = snakemake.input, snakemake.params

chain = read_chain(files.truth)
density = read_density(params.density, files.constants, chain.sequence)
gain = gain_of(measured=params.measured)
operator = prepare_operator(density.discount(read_normal(files.normal), gain))
volume = partial(
    density.volume,
    box_size=operator.support_size,
    pixel_size=operator.pixel_size,
    blur=0.0,
)
truth = torch.from_numpy(chain.coordinates)
curvature = gain.curvature(operator, volume(truth))
fisher = position_information(truth, volume, curvature)

rmsd = cramer_rao_rmsd(fisher)
possible = math.isfinite(rmsd)
write_document(
    snakemake.output.bound,
    {
        "crlb_rmsd": rmsd if possible else None,
        "crlb_residue": cramer_rao_bound(fisher).tolist() if possible else None,
    },
)
