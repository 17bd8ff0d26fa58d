"""A particle table in internal units, whatever program wrote it."""

import logging
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float64, Int64

from equicryo.io.stacks import StackHeader
from equicryo.physics.optics import Defocus, Optics
from equicryo.physics.pose import Pose, Views
from equicryo.physics.sampling import aliasing_frequencies

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, eq=False)
class Particles:
    """A particle table: where each image is and how it was seen.

    Attributes:
        stacks: headers of the image files, each once.
        stack: index into `stacks` of each particle.
        image: index of each particle in its stack, from 0.
        contrast: ±1, the factor by which the stored pixels are multiplied so that, as
            far as the table knows, density is white.
        groups: optics of each optics group.
        group: index into `groups` of each particle.
        defocus: of each particle.
        pose: of each particle.
    """

    stacks: tuple[StackHeader, ...]
    stack: Int64[np.ndarray, " particle"]
    image: Int64[np.ndarray, " particle"]
    contrast: Float64[np.ndarray, " particle"]
    groups: tuple[Optics, ...]
    group: Int64[np.ndarray, " particle"]
    defocus: Defocus
    pose: Pose

    def __len__(self) -> int:
        """Return the number of particles."""
        return len(self.image)

    def __getitem__(self, rows: Int64[np.ndarray, " row"]) -> "Particles":
        """Return some of the particles, in the order asked for."""
        index = torch.from_numpy(rows)
        defocus = {name: value[index] for name, value in vars(self.defocus).items()}
        pose = {name: value[index] for name, value in vars(self.pose).items()}
        return replace(
            self,
            stack=self.stack[rows],
            image=self.image[rows],
            contrast=self.contrast[rows],
            group=self.group[rows],
            defocus=Defocus(**defocus),
            pose=Pose(**pose),
        )


def select_views(particles: Particles, rows: Int64[np.ndarray, " row"]) -> Views:
    """Return the views of some particles of one optics group.

    Raises:
        ValueError: the particles belong to several groups.
    """
    group = np.unique(particles.group[rows])
    if len(group) != 1:
        raise ValueError(f"particles of {len(group)} optics groups cannot share Views")
    chosen = particles[rows]
    return Views(
        optics=particles.groups[int(group[0])],
        defocus=chosen.defocus,
        pose=chosen.pose,
    )


def warn_of_aliasing(particles: Particles, diameter: float) -> None:
    """Log one warning if the box of a stack is too small for its defocus.

    Almost every recorded stack violates the criterion at its highest frequencies; its
    images are used as they are.

    Args:
        particles: the table.
        diameter: of the molecule, Å.
    """
    largest = particles.defocus.mean.abs() + particles.defocus.astigmatism.abs()
    onset = torch.empty_like(largest)
    for number, optics in enumerate(particles.groups):
        chosen = torch.from_numpy(particles.group == number)
        onset[chosen] = aliasing_frequencies(optics, largest[chosen], diameter)
    aliased = onset < 0.5 / particles.groups[0].pixel_size
    if aliased.any():
        logger.warning(
            "the CTF of %d of %d particles is aliased in a box of %d pixels, from %.1f "
            "Å on for the worst and %.1f Å for the median of them: extract the "
            "particles in a larger box to use them to higher resolution",
            *(int(aliased.sum()), len(particles), particles.groups[0].box_size),
            *(1.0 / onset.min().item(), 1.0 / onset[aliased].median().item()),
        )
