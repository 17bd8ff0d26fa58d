"""Draw conformers of a chain along its elastic modes (rule make_ensemble)."""

from equicryo.io.logs import log_to
from equicryo.io.points import read_points, write_conformers
from equicryo.seeds import derive_generator
from equicryo.structure.elastic import EnsembleConfig, sample_conformers

log_to(snakemake.log[0])
settings = EnsembleConfig(**snakemake.params.settings)
target = snakemake.wildcards.target
generator = derive_generator(snakemake.params.seed, "make_ensemble", target)

chain = read_points(snakemake.input.points)
conformers = sample_conformers(chain, settings, generator=generator)
write_conformers(snakemake.output.ensemble, conformers)
