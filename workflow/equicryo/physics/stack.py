"""Simulated particle stacks: their settings, their truth, and the law of their views.

A stack has no length. Its images come in chunks, each drawn by a generator of its own,
and a data set is the first images of a stack: a longer one begins with a shorter.

Source: our own choice; the laws are those stated.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from equicryo.errors import InputError
from equicryo.physics.all_atom import all_atom_specimen
from equicryo.physics.density import support_size
from equicryo.physics.optics import Optics, unastigmatic
from equicryo.physics.pose import Pose, Views
from equicryo.physics.rotations import draw_rotations, rotation_vector_to_matrix
from equicryo.physics.sampling import smallest_box
from equicryo.physics.simulation import Specimen, matched_specimen
from equicryo.structure.atoms import AtomicModel
from equicryo.structure.chain import Chain, centre_chain

DEPOSITED = "deposited"
"""As `conformer` of a stack: its images show the structure as it was deposited."""


@dataclass(frozen=True, kw_only=True)
class StackConfig:
    """One block `stacks.<name>` of the config; units are in the names.

    Attributes:
        target: which structure.
        conformer: index of the held-out conformer that is the truth, or
            ``deposited`` for the structure itself.
        density: ``matched``, a Gaussian a residue, or ``all-atom``.
        residue_width: standard deviation of a residue's Gaussian, Å; for ``matched``.
        ctf: ``on``, or ``off`` for images without a microscope.
        snr: variance of the clean images over the support / noise variance per pixel.
        noise: `kind`, ``white`` or ``coloured``, and the latter's shape.
        largest_shift: particles lie off centre by up to this along x and y, Å.
        pose_error_deg: r.m.s. angle between the poses in the STAR file and the true.
        shift_error: standard deviation of the positions there, along x and y, Å.
        chunk_size: images simulated, and compressed, by one job.
        box_size: edge of the images, pixels.
        support_size: edge of the volume they are compressed to, voxels; None for the
            least that holds the molecule.
        pixel_size: Å.
        voltage_kv: acceleration voltage.
        spherical_aberration_mm: C_s.
        amplitude_contrast: fraction.
        defocus_um: lowest and highest underfocus.
    """

    target: str
    conformer: int | str
    density: str
    residue_width: float
    ctf: str
    snr: float
    noise: Mapping[str, str | float]
    largest_shift: float
    pose_error_deg: float
    shift_error: float
    chunk_size: int
    box_size: int
    pixel_size: float
    voltage_kv: float
    spherical_aberration_mm: float
    amplitude_contrast: float
    defocus_um: Sequence[float]
    support_size: int | None = None

    def __post_init__(self) -> None:
        """Check what the schema cannot: relations between fields.

        Raises:
            InputError: an odd box or a reversed range of defocus.
        """
        if self.box_size % 2:
            raise InputError(
                f"config.yaml: box_size is {self.box_size}: choose an even number"
            )
        low, high = self.defocus_um
        if low > high:
            raise InputError(
                f"config.yaml: defocus_um is [{low}, {high}]: put the lower value first"
            )

    @property
    def optics(self) -> Optics:
        """Optics in internal units; without a CTF, those whose CTF is 1 everywhere."""
        with_ctf = self.ctf == "on"
        return Optics(
            voltage=1e3 * self.voltage_kv,
            spherical_aberration=1e7 * self.spherical_aberration_mm * with_ctf,
            amplitude_contrast=self.amplitude_contrast if with_ctf else 1.0,
            pixel_size=self.pixel_size,
            box_size=self.box_size,
        )

    @property
    def defocus_range(self) -> tuple[float, float]:
        """Lowest and highest defocus, Å; zero without a CTF."""
        low, high = self.defocus_um
        return (1e4 * low, 1e4 * high) if self.ctf == "on" else (0.0, 0.0)

    def support(self, diameter: float) -> int:
        """Return the edge of the volume that images are compressed to, voxels.

        Args:
            diameter: of the molecule, Å.

        Raises:
            InputError: what the config asks for does not hold the molecule, or is
                larger than the images.
        """
        least = support_size(diameter, self.pixel_size, self.box_size)
        if self.support_size is None:
            return least
        if not least <= self.support_size <= self.box_size:
            raise InputError(
                f"config.yaml: support_size is {self.support_size} voxels of "
                f"{self.pixel_size} Å: a molecule of {diameter:.0f} Å needs {least}, "
                f"and images of box_size {self.box_size} allow no more than that"
            )
        return self.support_size


def check_sampling(settings: StackConfig, diameter: float) -> None:
    """Refuse a box in which the CTF would be aliased, wherever in it the particle lies.

    Args:
        settings: of the stack.
        diameter: of the molecule, Å.

    Raises:
        InputError: names the smallest box that works.
    """
    optics = settings.optics
    nyquist = 0.5 / optics.pixel_size
    extent = diameter + 2.0 * settings.largest_shift
    smallest = max(
        smallest_box(optics, defocus, extent, nyquist)
        for defocus in settings.defocus_range
    )
    if optics.box_size < smallest:
        raise InputError(
            f"config.yaml: box_size is {optics.box_size} pixels of {optics.pixel_size} "
            f"Å, too small for a molecule of {diameter:.0f} Å, up to "
            f"{settings.largest_shift:g} Å off centre, at defocus_um "
            f"{list(settings.defocus_um)}: its CTF would be aliased. Use box_size "
            f">= {smallest}, or less defocus"
        )


def choose_conformer(
    deposited: Chain,
    held_out: Float64[np.ndarray, "conformer residue 3"],
    settings: StackConfig,
) -> Chain:
    """Return the conformer that is the truth, centred at its Cα centroid.

    Args:
        deposited: the chain of the structure.
        held_out: conformers of it that no prior of its fold has seen, Å.
        settings: of the stack.

    Raises:
        InputError: there is no conformer of that index.
    """
    if settings.conformer == DEPOSITED:
        return centre_chain(deposited)
    if not 0 <= settings.conformer < len(held_out):
        raise InputError(
            f"config.yaml: conformer is {settings.conformer}, but the ensemble of "
            f"{settings.target} holds out {len(held_out)}: choose one from 0 to "
            f"{len(held_out) - 1}"
        )
    truth = held_out[settings.conformer]
    return centre_chain(replace(deposited, coordinates=truth))


def describe_specimen(
    settings: StackConfig, truth: Chain, atoms: AtomicModel
) -> Specimen:
    """Describe what a stack shows, in its kind of density, in electrons and Å.

    Args:
        settings: of the stack.
        truth: the conformer.
        atoms: the same molecule with all its atoms, in any conformation.

    Raises:
        InputError: all atoms are to be shown, but only Cα are known.
        ValueError: the two do not have the same sequence.
    """
    if settings.density == "matched":
        return matched_specimen(truth, settings.residue_width)
    if len(atoms) == len(truth):
        raise InputError(
            f"stacks: {truth.name} is known by its Cα alone and cannot be shown with "
            "all atoms: set density to matched, or give a PDB or mmCIF file of it"
        )
    return all_atom_specimen(atoms, truth)


def draw_views(
    settings: StackConfig, count: int, *, generator: torch.Generator
) -> Views:
    """Draw uniform orientations, defoci (Å) and positions (Å).

    Args:
        settings: of the stack.
        count: number of particles.
        generator: source of the randomness.
    """
    low, high = settings.defocus_range
    rotation = draw_rotations(count, generator=generator)
    unit = torch.rand(count, dtype=torch.float64, generator=generator)
    place = torch.rand(count, 2, dtype=torch.float64, generator=generator)
    return Views(
        optics=settings.optics,
        defocus=unastigmatic(low + (high - low) * unit),
        pose=Pose(
            rotation=rotation, shift=settings.largest_shift * (2.0 * place - 1.0)
        ),
    )


def disturb_views(
    views: Views, settings: StackConfig, *, generator: torch.Generator
) -> Views:
    """Return views whose poses are wrong, as those of a refinement are.

    Each orientation R becomes exp([ω]×) R. The rotation vector ω, in the frame of the
    view, has independent Gaussian components of variance pose_error²/3: the angle
    between the two orientations has the r.m.s. pose_error. Positions get independent
    Gaussian errors of standard deviation shift_error along x and y. Where both errors
    are 0 the views stay as they are, bit for bit.

    Args:
        views: the true ones.
        settings: of the stack.
        generator: source of the randomness.
    """

    def normal(axes: int) -> Tensor:
        return torch.randn(len(views), axes, dtype=torch.float64, generator=generator)

    turn = math.radians(settings.pose_error_deg) / math.sqrt(3.0) * normal(3)
    step = settings.shift_error * normal(2)
    return Views(
        optics=views.optics,
        defocus=views.defocus,
        pose=Pose(
            rotation=rotation_vector_to_matrix(turn) @ views.pose.rotation,
            shift=views.pose.shift + step,
        ),
    )
