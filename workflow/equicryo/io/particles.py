"""Particle tables as RELION STAR files, with the images they point to.

RELION's degrees, kV, mm and pixels become rad, V and Å here and nowhere else; the
particle lies at minus ``rlnOriginX/YAngst`` from pixel n // 2.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import starfile
import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from equicryo.errors import InputError
from equicryo.io.files import replace_atomically
from equicryo.io.image_names import read_image_places
from equicryo.io.optics import read_optics_groups
from equicryo.io.stacks import (
    StackHeader,
    check_pixel_size,
    map_stack,
)
from equicryo.io.star import Table, read_star_tables
from equicryo.physics.optics import Defocus, Optics
from equicryo.physics.pose import Pose, Views
from equicryo.physics.rotations import (
    matrix_to_relion_angles,
    relion_angles_to_matrix,
)
from equicryo.physics.sampling import aliasing_frequencies

logger = logging.getLogger(__name__)

BATCH = 250
"""Images read together: 16 MB at 128 pixels."""

ANGLES = ("rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi")
HEADER = "# version 30001"
"""RELION's mark of the format with an optics table, in place of a dated comment."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Particles:
    """A particle table: where each image is and how it was seen.

    Attributes:
        stacks: headers of the image files, each once.
        stack: index into `stacks` of each particle.
        image: index of each particle in its stack, from 0.
        groups: optics of each optics group.
        group: index into `groups` of each particle.
        defocus: of each particle.
        pose: of each particle.
    """

    stacks: tuple[StackHeader, ...]
    stack: Int64[np.ndarray, " particle"]
    image: Int64[np.ndarray, " particle"]
    groups: tuple[Optics, ...]
    group: Int64[np.ndarray, " particle"]
    defocus: Defocus
    pose: Pose

    def __len__(self) -> int:
        """Return the number of particles."""
        return len(self.image)


def write_particles(path: str | Path, views: Views, stack: str | Path) -> None:
    """Write the STAR file of one stack: optics and particles tables.

    Args:
        path: a .star file, replaced as a whole.
        views: of the particles, in the order of the stack.
        stack: path of the images as RELION shall find it, relative to the folder that
            it is started in.
    """
    tables = {
        "optics": _optics_table(views.optics),
        "particles": _particle_table(views, Path(stack).as_posix()),
    }
    text = starfile.to_string(tables, float_format="%.12g")
    first, rest = text.split("\n", 1)
    if not first.startswith("# Created by"):
        raise RuntimeError("starfile no longer starts with its dated comment")
    with replace_atomically(path) as temporary:
        temporary.write_text(f"{HEADER}\n{rest}", encoding="utf-8")


def _optics_table(optics: Optics) -> pd.DataFrame:
    row = {
        "rlnOpticsGroup": 1,
        "rlnOpticsGroupName": "opticsGroup1",
        "rlnVoltage": optics.voltage / 1e3,
        "rlnSphericalAberration": optics.spherical_aberration / 1e7,
        "rlnAmplitudeContrast": optics.amplitude_contrast,
        "rlnImagePixelSize": optics.pixel_size,
        "rlnImageSize": optics.box_size,
        "rlnImageDimensionality": 2,
    }
    return pd.DataFrame([row])


def _particle_table(views: Views, stack: str) -> pd.DataFrame:
    defocus, count = views.defocus, len(views)
    angles = torch.rad2deg(matrix_to_relion_angles(views.pose.rotation)).numpy()
    origin = 0.0 - views.pose.shift.numpy()  # 0 − 0 has no minus sign
    columns = {
        "rlnImageName": [f"{index + 1:06d}@{stack}" for index in range(count)],
        "rlnOpticsGroup": np.ones(count, dtype=np.int64),
        **dict(zip(ANGLES, angles.T, strict=True)),
        "rlnOriginXAngst": origin[:, 0],
        "rlnOriginYAngst": origin[:, 1],
        "rlnDefocusU": (defocus.mean + defocus.astigmatism).numpy(),
        "rlnDefocusV": (defocus.mean - defocus.astigmatism).numpy(),
        "rlnDefocusAngle": torch.rad2deg(defocus.angle).numpy(),
        "rlnPhaseShift": torch.rad2deg(defocus.phase_shift).numpy(),
        "rlnCtfBfactor": defocus.b_factor.numpy(),
        # Alternating halves, for programs that want two maps from disjoint particles.
        "rlnRandomSubset": 1 + np.arange(count) % 2,
    }
    return pd.DataFrame(columns)


def read_particles(path: str | Path, root: str | Path | None = None) -> Particles:
    """Read a RELION STAR file of version 3.0, 3.1, 4 or 5.

    Args:
        path: the STAR file.
        root: folder that image paths are relative to. Without it, the working folder
            and the STAR file's folder are tried.

    Returns:
        The particles in the file's order; their images are not read yet.

    Raises:
        InputError: the file is missing, empty, of an unknown version, lacks a label or
            holds bad values, or an image path escapes the root or is ambiguous.
    """
    path = Path(path)
    optics, table = read_star_tables(path)
    stacks, stack, image = read_image_places(table, root)
    groups, group = read_optics_groups(optics, table, stacks[0].box_size)
    for header in stacks:
        check_pixel_size(header, groups[0].pixel_size)
    angles = np.stack([table.numbers(label) for label in ANGLES], axis=-1)
    pixel_size = np.array([one.pixel_size for one in groups])[group]
    shift = -np.stack([_origin(table, axis, pixel_size) for axis in "XY"], axis=-1)
    upper, lower = table.numbers("rlnDefocusU"), table.numbers("rlnDefocusV")
    defocus = {
        "mean": (upper + lower) / 2.0,
        "astigmatism": (upper - lower) / 2.0,
        "angle": np.deg2rad(table.numbers("rlnDefocusAngle")),
        "phase_shift": np.deg2rad(table.numbers("rlnPhaseShift", default=0.0)),
        "b_factor": table.numbers("rlnCtfBfactor", default=0.0),
    }
    return Particles(
        stacks=stacks,
        stack=stack,
        image=image,
        groups=groups,
        group=group,
        defocus=Defocus(
            **{name: torch.from_numpy(value) for name, value in defocus.items()}
        ),
        pose=Pose(
            rotation=relion_angles_to_matrix(torch.from_numpy(np.deg2rad(angles))),
            shift=torch.from_numpy(shift),
        ),
    )


def _origin(
    table: Table, axis: str, pixel_size: Float64[np.ndarray, " particle"]
) -> Float64[np.ndarray, " particle"]:
    """Return RELION's origin, Å; before version 3.1 it was in pixels."""
    if f"rlnOrigin{axis}Angst" in table:
        return table.numbers(f"rlnOrigin{axis}Angst")
    return pixel_size * table.numbers(f"rlnOrigin{axis}", default=0.0)


def read_batches(
    particles: Particles, first: int, last: int
) -> Iterator[tuple[Float[Tensor, "particle y x"], Views]]:
    """Read a range of particles in batches of one optics group each.

    Args:
        particles: the table.
        first: index of the first particle.
        last: one past the last.

    Yields:
        Images, float64, and their views.

    Raises:
        InputError: an image holds NaN or is blank.
    """
    pixels = [map_stack(header) for header in particles.stacks]
    for group in range(len(particles.groups)):
        chosen = first + np.flatnonzero(particles.group[first:last] == group)
        for start in range(0, len(chosen), BATCH):
            rows = chosen[start : start + BATCH]
            images = [_image(particles, pixels, row) for row in rows.tolist()]
            yield torch.from_numpy(np.stack(images)), select_views(particles, rows)


def _image(
    particles: Particles, pixels: list[np.memmap], row: int
) -> Float64[np.ndarray, "y x"]:
    """Read and check one image."""
    stack, index = particles.stack[row], particles.image[row]
    image = np.asarray(pixels[stack][index], dtype=np.float64)
    place = f"{particles.stacks[stack].path}: image {index + 1}"
    if not np.isfinite(image).all():
        raise InputError(f"{place} has pixels that are NaN or infinite: leave it out")
    if np.ptp(image) == 0.0:
        raise InputError(f"{place} is blank, all pixels are equal: leave it out")
    return image


def select_views(particles: Particles, rows: Int64[np.ndarray, " row"]) -> Views:
    """Return the views of some particles of one optics group.

    Raises:
        ValueError: the particles belong to several groups.
    """
    group = np.unique(particles.group[rows])
    if len(group) != 1:
        raise ValueError(f"particles of {len(group)} optics groups cannot share Views")
    index = torch.from_numpy(rows)
    defocus = {name: value[index] for name, value in vars(particles.defocus).items()}
    pose = {name: value[index] for name, value in vars(particles.pose).items()}
    return Views(
        optics=particles.groups[int(group[0])],
        defocus=Defocus(**defocus),
        pose=Pose(**pose),
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
