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
from equicryo.physics.density import gaussian_volume
from equicryo.physics.normal_operator import prepare_operator
from equicryo.structure.residues import residue_electrons

log_to(snakemake.log[0])
torch.set_num_threads(snakemake.threads)

chain = read_chain(snakemake.input.truth)
normal = read_normal(snakemake.input.normal)
density = partial(
    gaussian_volume,
    weights=torch.from_numpy(residue_electrons(chain.sequence)),
    width=snakemake.params.residue_width,
    box_size=normal.support_size,
    pixel_size=normal.pixel_size,
)
fisher = position_information(
    torch.from_numpy(chain.coordinates), density, prepare_operator(normal).convolve
)

rmsd = cramer_rao_rmsd(fisher)
possible = math.isfinite(rmsd)
write_document(
    snakemake.output.bound,
    {
        "crlb_rmsd": rmsd if possible else None,
        "crlb_residue": cramer_rao_bound(fisher).tolist() if possible else None,
    },
)
