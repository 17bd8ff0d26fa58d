"""Particle tables as RELION STAR files.

RELION's degrees, kV, mm and pixels become rad, V and Å here and in `optics`; the
particle lies at minus ``rlnOriginX/YAngst`` from pixel n // 2.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import starfile
import torch
from jaxtyping import Float64

from equicryo.io.files import replace_atomically
from equicryo.io.image_names import read_image_places
from equicryo.io.optics import read_optics_groups
from equicryo.io.particle_table import Particles
from equicryo.io.stacks import check_pixel_size
from equicryo.io.star import Table, read_image_names, read_star_tables
from equicryo.physics.optics import Defocus, Optics
from equicryo.physics.pose import Pose, Views
from equicryo.physics.rotations import (
    matrix_to_relion_angles,
    relion_angles_to_matrix,
)

ANGLES = ("rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi")
HEADER = "# version 30001"
"""RELION's mark of the format with an optics table, in place of a dated comment."""


def read_star_particles(path: Path, root: str | Path | None) -> Particles:
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
    optics, table = read_star_tables(path)
    names, image = read_image_names(table)
    stacks, stack = read_image_places(path, names, image, root)
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
        contrast=np.ones(len(table)),
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
    write_tables(path, tables)


def write_tables(path: str | Path, tables: dict[str, pd.DataFrame]) -> None:
    """Write tables as a STAR file of RELION 3.1.

    Args:
        path: a .star file, replaced as a whole.
        tables: by name, RELION's labels without the leading underscore as columns.
    """
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
