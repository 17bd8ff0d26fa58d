"""Count how Cα atoms follow one another in training chains (rule measure_geometry)."""

from equicryo.io.chain_sets import read_training_chains
from equicryo.io.geometry import write_geometry
from equicryo.io.logs import log_to
from equicryo.seeds import derive_generator
from equicryo.structure.trace_geometry import measure_geometry

log_to(snakemake.log[0])
params = snakemake.params
chains = read_training_chains(snakemake.input, "all", params.seed)
generator = derive_generator(params.seed, "measure_geometry")
geometry = measure_geometry(chains, params.displacement, generator=generator)
write_geometry(snakemake.output.geometry, geometry)
