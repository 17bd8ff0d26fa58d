"""Compute the density map of a structure (rule prepare_voxels)."""

from equicryo.io.logs import log_to
from equicryo.io.maps import DensityMap, write_map
from equicryo.io.models import read_atoms
from equicryo.structure.density import VoxelConfig, atomic_density

log_to(snakemake.log[0])
settings = VoxelConfig(**snakemake.params.settings)
atoms = read_atoms(snakemake.input.structure)

volume = atomic_density(atoms, settings)
density = DensityMap(volume=volume, pixel_size=settings.pixel_size)
write_map(snakemake.output.voxels, density)
