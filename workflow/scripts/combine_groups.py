"""Add a user's chunks, optics groups on one intensity scale (rule combine_groups)."""

import logging

from equicryo.io.documents import write_document
from equicryo.io.logs import log_to
from equicryo.io.normal import read_normal, write_normal
from equicryo.io.points import read_points
from equicryo.io.user_particles import (
    ParticlesConfig,
    plan_chunks,
    read_user_particles,
)
from equicryo.physics.contrast import check_contrast, contrast_score
from equicryo.physics.group_gain import combine_groups, relative_gains
from equicryo.physics.normal_equations import add_normal_equations
from equicryo.structure.extent import typical_radius

log_to(snakemake.log[0])
settings = ParticlesConfig(**snakemake.params.particles)
chunks = plan_chunks(read_user_particles(settings), snakemake.params.chunk_size)
chain = read_points(snakemake.input.points)

files: dict[int, list[str]] = {}
for chunk, path in zip(chunks, snakemake.input.chunks, strict=True):
    files.setdefault(chunk.group, []).append(path)
groups = [
    add_normal_equations(read_normal(path) for path in paths)
    for paths in files.values()
]
gains = relative_gains(groups)
logging.getLogger("equicryo").info("relative gains of optics groups: %s", gains)
normal = combine_groups(groups, gains)
score = contrast_score(normal, typical_radius(len(chain)))
check_contrast(score, invert=settings.invert)

write_normal(snakemake.output.normal, normal)
write_document(
    snakemake.output.intensity,
    {"contrast_score": score, "relative_gains": gains.tolist()},
)
