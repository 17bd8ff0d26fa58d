"""Optics groups of a particle table."""

import logging
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Float64, Int64

from equicryo.errors import InputError
from equicryo.io.star import Table
from equicryo.physics.optics import Optics

MICROMETRE = 1e4  # Å
MILLIMETRE = 1e7  # Å

TREATED = ("rlnCtfDataArePhaseFlipped", "rlnCtfDataAreCtfPremultiplied")
"""Marks of images to which a CTF has been applied after the microscope's own."""

NEUTRAL = {
    "rlnBeamTiltX": 0.0,
    "rlnBeamTiltY": 0.0,
    "rlnMagMat00": 1.0,
    "rlnMagMat01": 0.0,
    "rlnMagMat10": 0.0,
    "rlnMagMat11": 1.0,
    "rlnCtfScalefactor": 1.0,
}
"""Values of what the model of the CTF here lacks with which nothing is lacking."""

ZERNIKES = ("rlnOddZernike", "rlnEvenZernike")

logger = logging.getLogger(__name__)


def read_optics_groups(
    optics: Table | None, particles: Table, box_size: int
) -> tuple[tuple[Optics, ...], Int64[np.ndarray, " particle"]]:
    """Read the optics groups and the group of each particle.

    Args:
        optics: the optics table; None before RELION 3.1, where each particle carries
            its own and equal ones make a group.
        particles: the particle table.
        box_size: edge of the images in the stacks, pixels.

    Returns:
        The groups, and the index into them of each particle.

    Raises:
        InputError: a value is missing or impossible, a particle's group is not in the
            table, the groups disagree on pixel size or with the stacks on the box, or
            the images are not as the microscope made them.
    """
    tables = [table for table in (optics, particles) if table is not None]
    _refuse_treated(tables)
    tell_left_out(
        particles.path,
        {
            label: table.numbers(label) - value
            for table in tables
            for label, value in NEUTRAL.items()
            if label in table
        }
        | {
            label: np.array([bool(re.search("[1-9]", it)) for it in table.texts(label)])
            for table in tables
            for label in ZERNIKES
            if label in table
        },
    )
    rows = _optics_rows(particles if optics is None else optics)
    if optics is None:
        rows, group = np.unique(rows, axis=0, return_inverse=True)
    else:
        group = _group_index(optics, particles)
    sizes = (particles if optics is None else optics).numbers(
        "rlnImageSize", default=float(box_size)
    )
    if (sizes != box_size).any():
        raise InputError(
            f"{particles.path}: _rlnImageSize is {sizes[sizes != box_size][0]:g}, but "
            f"the stack's images have an edge of {box_size} pixels: correct it"
        )
    groups = build_optics_groups(particles.path, rows, box_size)
    return groups, group.reshape(-1).astype(np.int64)


def _refuse_treated(tables: Iterable[Table]) -> None:
    for table in tables:
        for label in TREATED:
            if table.numbers(label, default=0.0).any():
                raise InputError(
                    f"{table.path}: _{label} is set, and the CTF would be applied a "
                    "second time: extract the particles again without it"
                )


def tell_left_out(path: Path, found: Mapping[str, np.ndarray]) -> None:
    """Warn of optics that the table has and the model of the CTF has not.

    Args:
        path: of the particle table.
        found: differences from what would change nothing, by column.
    """
    names = [name for name, values in found.items() if values.any()]
    if names:
        logger.warning(
            "%s: left out, for the CTF here has defocus, astigmatism, spherical "
            "aberration, phase shift and B-factor alone: %s",
            path,
            ", ".join(names),
        )


def build_optics_groups(
    path: Path, rows: Float64[np.ndarray, "group 4"], box_size: int
) -> tuple[Optics, ...]:
    """Check the values of each optics group.

    Args:
        path: of the particle table, for messages.
        rows: voltage (V), C_s (Å), amplitude contrast and pixel size (Å) of each.
        box_size: edge of the images, pixels.

    Raises:
        InputError: a value is impossible, or the groups disagree on the pixel size.
    """
    for voltage, _, contrast, pixel_size in rows.tolist():
        if voltage <= 0.0 or pixel_size <= 0.0 or not 0.0 <= contrast <= 1.0:
            raise InputError(
                f"{path}: an optics group has {voltage / 1e3:g} kV, amplitude contrast "
                f"{contrast:g} and {pixel_size:g} Å per pixel: correct it"
            )
    if np.ptp(rows[:, 3]) > 0.0:
        low, high = rows[:, 3].min(), rows[:, 3].max()
        raise InputError(
            f"{path}: optics groups have pixel sizes from {low:g} to {high:g} Å: "
            "rescale the particles to one"
        )
    return tuple(
        Optics(
            voltage=voltage,
            spherical_aberration=aberration,
            amplitude_contrast=contrast,
            pixel_size=pixel_size,
            box_size=box_size,
        )
        for voltage, aberration, contrast, pixel_size in rows.tolist()
    )


def _optics_rows(table: Table) -> Float64[np.ndarray, "row 4"]:
    """Return voltage (V), C_s (Å), amplitude contrast and pixel size (Å) by row."""
    columns = (
        1e3 * table.numbers("rlnVoltage"),
        MILLIMETRE * table.numbers("rlnSphericalAberration"),
        table.numbers("rlnAmplitudeContrast"),
        _pixel_size(table),
    )
    return np.stack(columns, axis=-1)


def _pixel_size(table: Table) -> Float64[np.ndarray, " row"]:
    """Return the pixel size, Å; before version 3.1 from detector and magnification."""
    if "rlnDetectorPixelSize" in table and "rlnImagePixelSize" not in table:
        detector = MICROMETRE * table.numbers("rlnDetectorPixelSize")
        return detector / table.numbers("rlnMagnification")
    return table.numbers("rlnImagePixelSize")


def _group_index(optics: Table, particles: Table) -> Int64[np.ndarray, " particle"]:
    """Return the row of the optics table that each particle names."""
    known = optics.numbers("rlnOpticsGroup")
    wanted = particles.numbers("rlnOpticsGroup", default=float(known[0]))
    order = np.argsort(known)
    place = np.searchsorted(known, wanted, sorter=order).clip(max=len(known) - 1)
    index = order[place]
    missing = np.flatnonzero(known[index] != wanted)
    if len(missing):
        raise InputError(
            f"{particles.path}: particle {missing[0] + 1} is of optics group "
            f"{wanted[missing[0]]:g}, which the optics table lacks"
        )
    return index
