"""Particles and their images, from RELION's or cryoSPARC's tables."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from equicryo.errors import InputError
from equicryo.io.cryosparc import read_cs_particles
from equicryo.io.particle_table import Particles, select_views
from equicryo.io.relion import read_star_particles
from equicryo.io.stacks import map_stack
from equicryo.physics.pose import Views

BATCH = 250
"""Images read together: 16 MB at 128 pixels."""


def read_particles(path: str | Path, root: str | Path | None = None) -> Particles:
    """Read a particle table: a STAR file, or cryoSPARC's if its name ends in .cs.

    Args:
        path: of the table.
        root: folder that image paths are relative to. Without it, the working folder
            and the table's folder are tried.

    Returns:
        The particles in the file's order; their images are not read yet.

    Raises:
        InputError: the table or a stack is missing, damaged or contradicts itself.
    """
    path = Path(path)
    if path.suffix == ".cs":
        return read_cs_particles(path, root)
    return read_star_particles(path, root)


def read_batches(
    particles: Particles, first: int, last: int
) -> Iterator[tuple[Float[Tensor, "particle y x"], Views]]:
    """Read a range of particles in batches of one optics group each.

    Args:
        particles: the table.
        first: index of the first particle.
        last: one past the last.

    Yields:
        Images, float64, and their views: group after group, in the table's order.

    Raises:
        InputError: an image holds NaN or is blank.
    """
    pixels = [map_stack(header) for header in particles.stacks]
    for group in range(len(particles.groups)):
        chosen = first + np.flatnonzero(particles.group[first:last] == group)
        for start in range(0, len(chosen), BATCH):
            part = chosen[start : start + BATCH]
            images = [_image(particles, pixels, row) for row in part.tolist()]
            yield torch.from_numpy(np.stack(images)), select_views(particles, part)


def _image(
    particles: Particles, pixels: list[np.memmap], row: int
) -> Float64[np.ndarray, "y x"]:
    """Read and check one image."""
    stack, index = particles.stack[row], particles.image[row]
    with np.errstate(invalid="ignore"):  # NaN is refused below, in words
        image = np.asarray(pixels[stack][index], dtype=np.float64)
    place = f"{particles.stacks[stack].path}: image {index + 1}"
    if not np.isfinite(image).all():
        raise InputError(f"{place} has pixels that are NaN or infinite: leave it out")
    if np.ptp(image) == 0.0:
        raise InputError(f"{place} is blank, all pixels are equal: leave it out")
    return particles.contrast[row] * image
