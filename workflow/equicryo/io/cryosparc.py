"""Particle tables as cryoSPARC's .cs files: NumPy structured arrays.

Poses are rotation vectors of the inverse of RELION's matrix, shifts are RELION's
origins in pixels of the refinement, and ``blob/sign`` is −1 where density is white.
"""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float64, Int64
from scipy.spatial.transform import Rotation

from equicryo.errors import InputError
from equicryo.io.arrays import check_declared_size
from equicryo.io.image_names import read_image_places
from equicryo.io.optics import MILLIMETRE, build_optics_groups, tell_left_out
from equicryo.io.particle_table import Particles
from equicryo.io.stacks import check_pixel_size
from equicryo.physics.optics import Defocus, Optics
from equicryo.physics.pose import Pose

NEUTRAL = {
    "ctf/tilt_A": 0.0,
    "ctf/trefoil_A": 0.0,
    "ctf/tetra_A": 0.0,
    "ctf/anisomag": 0.0,
    "ctf/scale": 1.0,
}
"""Values of what the model of the CTF here lacks with which nothing is lacking."""


def read_cs_particles(path: Path, root: str | Path | None) -> Particles:
    """Read the particles of a cryoSPARC refinement.

    Args:
        path: a .cs file that holds blob, ctf and alignments3D, as cryoSPARC exports it.
        root: folder that image paths are relative to: the project folder. Without it,
            the working folder and the table's folder are tried.

    Returns:
        The particles in the file's order; their images are not read yet.

    Raises:
        InputError: the file is missing, empty or damaged, lacks a field or holds bad
            values, or an image path escapes the root or is ambiguous.

    Source: the conversions of pyem's csparc2star (Asarnow, Palovcak & Cheng 2019,
        doi:10.5281/zenodo.3576630) and cryoDRGN's parse_pose_csparc.
    """
    table = read_cs_table(path)
    image = _numbers(path, table, "blob/idx").astype(np.int64)
    stacks, stack = read_image_places(path, _stack_names(path, table), image, root)
    groups, group = _optics_groups(path, table, stacks[0].box_size)
    for header in stacks:
        check_pixel_size(header, groups[0].pixel_size)
    _check_boxes(path, table, stacks[0].box_size)
    tell_left_out(
        path,
        {
            name: _numbers(path, table, name, default=value) - value
            for name, value in NEUTRAL.items()
        },
    )
    turned = Rotation.from_rotvec(_numbers(path, table, "alignments3D/pose")).inv()
    pixel_size = _numbers(
        path, table, "alignments3D/psize_A", default=groups[0].pixel_size
    )
    shift = -pixel_size[:, None] * _numbers(path, table, "alignments3D/shift")
    return Particles(
        stacks=stacks,
        stack=stack,
        image=image,
        contrast=_contrast(path, table),
        groups=groups,
        group=group,
        defocus=_defocus(path, table),
        pose=Pose(
            rotation=torch.from_numpy(turned.as_matrix()), shift=torch.from_numpy(shift)
        ),
    )


def read_cs_table(path: Path) -> np.ndarray:
    """Read the structured array of a .cs file, a row a particle.

    Raises:
        InputError: the file is missing, empty, damaged or not such a table.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such .cs file")
    try:
        with path.open("rb") as file:
            check_declared_size(file, path.stat().st_size)
        table = np.load(path, allow_pickle=False)
    # NumPy's parser fails on a damaged header with whatever its code runs into.
    except Exception as error:
        raise InputError(
            f"{path}: not a readable .cs file ({error}): export the particles from "
            "cryoSPARC again"
        ) from error
    if not isinstance(table, np.ndarray) or table.dtype.names is None:
        raise InputError(f"{path}: no table of particles, as cryoSPARC exports it")
    if not len(table):
        raise InputError(f"{path}: the particle table is empty: select some particles")
    return table


def _column(path: Path, table: np.ndarray, name: str) -> np.ndarray:
    if name not in table.dtype.names:
        raise InputError(
            f"{path}: no field {name}: export the particles of a 3-D refinement from "
            "cryoSPARC, which joins all fields in one file"
        )
    return table[name]


def _numbers(
    path: Path, table: np.ndarray, name: str, *, default: float | None = None
) -> Float64[np.ndarray, " particle *axis"]:
    """Return a field of finite numbers, or a default where it may be left out."""
    if default is not None and name not in table.dtype.names:
        return np.full(len(table), default)
    values = _column(path, table, name)
    if values.dtype.kind not in "fiu":
        raise InputError(f"{path}: {name} holds {values.dtype}; expected numbers")
    if values.dtype == np.float32 and values.ndim == 1:
        # 2.7 was rounded to 32 bits: its shortest decimal is 2.7 again.
        values = values.astype(str)
    numbers = values.astype(np.float64)
    bad = np.flatnonzero(~np.isfinite(numbers.reshape(len(table), -1)).all(axis=1))
    if len(bad):
        raise InputError(
            f"{path}: {name} is {numbers[bad[0]]} in row {bad[0] + 1}; expected finite "
            "numbers"
        )
    return numbers


def _stack_names(path: Path, table: np.ndarray) -> list[str]:
    """Return the stacks' paths; a leading ``>`` marks some paths inside a project."""
    names = _column(path, table, "blob/path")
    if names.dtype.kind not in "SU":
        raise InputError(f"{path}: blob/path holds {names.dtype}; expected texts")
    try:
        return [name.removeprefix(">") for name in names.astype(str).tolist()]
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: blob/path is not plain text ({error})") from error


def _optics_groups(
    path: Path, table: np.ndarray, box_size: int
) -> tuple[tuple[Optics, ...], Int64[np.ndarray, " particle"]]:
    """Make a group of the particles of one exposure group and equal optics."""
    columns = (
        _numbers(path, table, "ctf/exp_group_id", default=0.0),
        1e3 * _numbers(path, table, "ctf/accel_kv"),
        MILLIMETRE * _numbers(path, table, "ctf/cs_mm"),
        _numbers(path, table, "ctf/amp_contrast"),
        _numbers(path, table, "blob/psize_A"),
    )
    rows, group = np.unique(np.stack(columns, axis=-1), axis=0, return_inverse=True)
    groups = build_optics_groups(path, rows[:, 1:], box_size)
    return groups, group.reshape(-1).astype(np.int64)


def _check_boxes(path: Path, table: np.ndarray, box_size: int) -> None:
    if "blob/shape" not in table.dtype.names:
        return
    sizes = _numbers(path, table, "blob/shape")
    if (sizes != box_size).any():
        raise InputError(
            f"{path}: blob/shape is {sizes[sizes != box_size][0]:g}, but the stack's "
            f"images have an edge of {box_size} pixels: correct it"
        )


def _contrast(path: Path, table: np.ndarray) -> Float64[np.ndarray, " particle"]:
    sign = _numbers(path, table, "blob/sign")
    wrong = np.flatnonzero(np.abs(sign) != 1.0)
    if len(wrong):
        raise InputError(
            f"{path}: blob/sign is {sign[wrong[0]]:g} in row {wrong[0] + 1}; expected "
            "-1 (density white) or 1 (density dark)"
        )
    return -sign


def _defocus(path: Path, table: np.ndarray) -> Defocus:
    upper = _numbers(path, table, "ctf/df1_A")
    lower = _numbers(path, table, "ctf/df2_A")
    values = {
        "mean": (upper + lower) / 2.0,
        "astigmatism": (upper - lower) / 2.0,
        "angle": _numbers(path, table, "ctf/df_angle_rad"),
        "phase_shift": _numbers(path, table, "ctf/phase_shift_rad", default=0.0),
        "b_factor": _numbers(path, table, "ctf/bfactor", default=0.0),
    }
    return Defocus(**{name: torch.from_numpy(value) for name, value in values.items()})
