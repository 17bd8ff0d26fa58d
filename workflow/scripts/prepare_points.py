"""Reduce a structure to its centred Cα chain (rule prepare_points)."""

from equicryo.io.logs import log_to
from equicryo.io.models import read_atoms
from equicryo.io.points import write_points
from equicryo.structure.atoms import alpha_carbons
from equicryo.structure.chain import centre_chain, require_unbroken

log_to(snakemake.log[0])
chain = alpha_carbons(read_atoms(snakemake.input.structure))

require_unbroken(chain)
write_points(snakemake.output.points, centre_chain(chain))
