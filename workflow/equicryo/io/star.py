"""RELION STAR tables with checked columns, for versions 3.0, 3.1, 4 and 5."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import starfile
from jaxtyping import Float64, Int64

from equicryo.errors import InputError

VERSION = re.compile(r"^#\s*version\s+(\S+)", re.MULTILINE)
KNOWN_VERSIONS = ("30001", "40001", "50001")
"""Written by RELION 3.1, 4 and 5 above each table; RELION 3.0 writes none."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Table:
    """One loop of a STAR file, whose columns are checked when they are asked for.

    Attributes:
        path: the file, for messages.
        frame: the columns under RELION's labels without the leading underscore.
    """

    path: Path
    frame: pd.DataFrame

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.frame)

    def __contains__(self, label: str) -> bool:
        """Tell whether the table has a column."""
        return label in self.frame

    def numbers(
        self, label: str, *, default: float | None = None
    ) -> Float64[np.ndarray, " row"]:
        """Return a column of finite numbers.

        Args:
            label: of the column.
            default: value of all rows where RELION lets the column be left out.

        Raises:
            InputError: the column is missing, or holds something else than numbers.
        """
        if label not in self:
            if default is None:
                raise InputError(f"{self.path}: no column _{label}: it is needed")
            return np.full(len(self), default)
        column = pd.to_numeric(self.frame[label], errors="coerce")
        numbers = column.to_numpy(np.float64, copy=True)  # pandas' own is read-only
        bad = np.flatnonzero(~np.isfinite(numbers))
        if len(bad):
            found = self.frame[label].iloc[bad[0]]
            raise InputError(
                f"{self.path}: _{label} is {found!r} in row {bad[0] + 1}; expected a "
                "finite number"
            )
        return numbers

    def texts(self, label: str) -> list[str]:
        """Return a column of texts.

        Raises:
            InputError: the column is missing.
        """
        if label not in self:
            raise InputError(f"{self.path}: no column _{label}: it is needed")
        return [str(value) for value in self.frame[label]]


def read_star_tables(path: Path) -> tuple[Table | None, Table]:
    """Read the optics table, if there is one, and the particle table.

    Returns:
        Optics (None in RELION 3.0, where each particle carries its own) and particles.

    Raises:
        InputError: the file is missing, empty, of an unknown version or has no
            particle table.
    """
    _check_version(path)
    try:
        blocks = starfile.read(path, always_dict=True, parse_as_string=["rlnImageName"])
    except Exception as error:  # the parser raises whatever its line splitting meets
        raise InputError(f"{path}: not a readable STAR file ({error})") from error
    frames = {
        name: block if isinstance(block, pd.DataFrame) else pd.DataFrame([block])
        for name, block in blocks.items()
        if block is not None
    }
    optics = frames.pop("optics", None)
    particles = [frame for frame in frames.values() if "rlnImageName" in frame]
    if len(particles) != 1:
        raise InputError(
            f"{path}: {len(particles)} tables with _rlnImageName among "
            f"{sorted(blocks) or 'no tables'}; expected one table of particles, as "
            "RELION 3.0 to 5 write it"
        )
    if not len(particles[0]):
        raise InputError(f"{path}: the particle table is empty: select some particles")
    table = None if optics is None else Table(path=path, frame=optics)
    return table, Table(path=path, frame=particles[0])


def _check_version(path: Path) -> None:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(f"{path}: no such STAR file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not a readable STAR file ({error})") from error
    if not text.strip():
        raise InputError(f"{path}: the STAR file is empty")
    unknown = sorted(set(VERSION.findall(text)) - set(KNOWN_VERSIONS))
    if unknown:
        raise InputError(
            f"{path}: STAR version {unknown[0]} is not known; expected one of "
            f"{', '.join(KNOWN_VERSIONS)}: convert it with relion_convert_star"
        )


def read_image_names(table: Table) -> tuple[list[str], Int64[np.ndarray, " row"]]:
    """Split image names such as ``000001@particles.mrcs``.

    Returns:
        The path of each particle's stack, and the index from 0 of its image there.

    Raises:
        InputError: a name is malformed.
    """
    names, image = [], np.empty(len(table), dtype=np.int64)
    for row, text in enumerate(table.texts("rlnImageName")):
        number, _, name = text.partition("@")
        if not (number.isdecimal() and int(number) > 0 and name):
            raise InputError(
                f"{table.path}: _rlnImageName is {text!r} in row {row + 1}; expected "
                "an image number and a path, as in 000001@particles.mrcs"
            )
        names.append(name)
        image[row] = int(number) - 1
    return names, image
