"""A user's particle stack as a data set: its settings, its jobs, its size."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Int64

from equicryo.errors import InputError
from equicryo.io.particle_table import Particles
from equicryo.io.particles import read_particles
from equicryo.io.stacks import PIXEL_SIZE_TOLERANCE
from equicryo.physics.density import molecule_diameter, support_size
from equicryo.structure.chain import Chain
from equicryo.structure.extent import generous_diameter


@dataclass(frozen=True, kw_only=True)
class ParticlesConfig:
    """One block `datasets.<name>.particles` of the config.

    Attributes:
        star: RELION's STAR file or cryoSPARC's .cs file.
        root: folder that its image paths are relative to; empty to try the working
            folder and the table's folder.
        pixel_size: of the images, Å; compared with the table and the stacks' headers.
        invert: whether density is black in the images.
        sequence: FASTA or structure file of the molecule.
        truth: structure file in the frame of the poses; empty if there is none.
    """

    star: str
    root: str
    pixel_size: float
    invert: bool
    sequence: str
    truth: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Chunk:
    """What one job compresses.

    Attributes:
        group: optics group of all its particles.
        rows: the particles.
    """

    group: int
    rows: Int64[np.ndarray, " row"]


def read_user_particles(settings: ParticlesConfig) -> Particles:
    """Read the table of a user's stack, with density white.

    Raises:
        InputError: see `read_particles`; or the pixel size is not the config's.
    """
    particles = read_particles(settings.star, settings.root or None)
    found = particles.groups[0].pixel_size
    if abs(found / settings.pixel_size - 1.0) > PIXEL_SIZE_TOLERANCE:
        raise InputError(
            f"{settings.star}: {found:g} Å per pixel, but particles.pixel_size is "
            f"{settings.pixel_size:g} Å: correct the wrong one"
        )
    sign = -1.0 if settings.invert else 1.0
    return replace(particles, contrast=sign * particles.contrast)


def plan_chunks(particles: Particles, chunk_size: int) -> list[Chunk]:
    """Divide particles among jobs, the optics groups apart and in order.

    Args:
        particles: the table.
        chunk_size: particles of one job, at most.
    """
    chunks = []
    for group in np.unique(particles.group).tolist():
        rows = np.flatnonzero(particles.group == group)
        chunks += [
            Chunk(group=group, rows=rows[start : start + chunk_size])
            for start in range(0, len(rows), chunk_size)
        ]
    return chunks


def expected_diameter(chain: Chain) -> float:
    """Return the largest Cα distance, or a generous guess from the length, Å."""
    if np.isnan(chain.coordinates).any():
        return generous_diameter(len(chain))
    return molecule_diameter(torch.from_numpy(chain.coordinates))


def particles_support(particles: Particles, chain: Chain) -> int:
    """Return the edge of the cube that holds the molecule, pixels.

    Raises:
        InputError: it does not fit into the images.
    """
    optics, diameter = particles.groups[0], expected_diameter(chain)
    extent = optics.box_size * optics.pixel_size
    if diameter > extent:
        raise InputError(
            f"the molecule {chain.name} of about {diameter:.0f} Å does not fit into "
            f"images of {optics.box_size} pixels of {optics.pixel_size:g} Å: extract "
            "them in a larger box"
        )
    return support_size(diameter, optics.pixel_size, optics.box_size)
