"""Subsets of a particle table, written back for the program that made it."""

import re
from pathlib import Path

import numpy as np
from jaxtyping import Int64

from equicryo.errors import InputError
from equicryo.io.cryosparc import read_cs_table
from equicryo.io.files import replace_atomically

BLOCK = re.compile(r"^data_", re.MULTILINE)
IMAGE_NAME = re.compile(r"^_rlnImageName\b", re.MULTILINE)


def write_selection(
    source: str | Path, rows: Int64[np.ndarray, " row"], path: str | Path
) -> None:
    """Write some particles of a table as another of the same kind, STAR or .cs.

    All columns stay as they are, digit for digit, and so does all else in a STAR file:
    optics groups, comments. Image paths are not changed, so RELION is to be started in
    the same folder as for `source`.

    Args:
        source: table of particles; of a STAR file, one a line.
        rows: which particles, counted from 0, in the order wanted.
        path: of the new table, replaced as a whole.

    Raises:
        InputError: no particle is chosen, or one that the table does not have.
    """
    source = Path(source)
    if source.suffix == ".cs":
        table = read_cs_table(source)
        _check_rows(source, rows, len(table))
        with replace_atomically(path) as temporary, temporary.open("wb") as file:
            np.save(file, table[rows])
        return
    text = source.read_text(encoding="utf-8")
    starts = [match.start() for match in BLOCK.finditer(text)]
    ends = [*starts[1:], len(text)]
    blocks = [text[start:end] for start, end in zip(starts, ends, strict=True)]
    holders = [index for index, block in enumerate(blocks) if IMAGE_NAME.search(block)]
    if len(holders) != 1:
        raise InputError(f"{source}: {len(holders)} tables with _rlnImageName, not one")
    blocks[holders[0]] = _select_lines(source, blocks[holders[0]], rows)
    with replace_atomically(path) as temporary:
        temporary.write_text(text[: starts[0]] + "".join(blocks), encoding="utf-8")


def _select_lines(source: Path, block: str, rows: Int64[np.ndarray, " row"]) -> str:
    """Keep a block's head and what follows its last particle, and choose between."""
    lines = block.splitlines(keepends=True)
    labels = [number for number, line in enumerate(lines) if line.startswith("_")]
    first = labels[-1] + 1
    particles = [
        number
        for number, line in enumerate(lines[first:], first)
        if line.strip() and not line.lstrip().startswith("#")
    ]
    _check_rows(source, rows, len(particles))
    chosen = [lines[particles[row]].rstrip("\n") + "\n" for row in rows.tolist()]
    return "".join([*lines[:first], *chosen, *lines[particles[-1] + 1 :]])


def _check_rows(source: Path, rows: Int64[np.ndarray, " row"], count: int) -> None:
    if not len(rows) or rows.min() < 0 or rows.max() >= count:
        raise InputError(
            f"{source}: rows {rows.tolist()[:3]} … were chosen of {count} particles: "
            "choose at least one, counted from 0"
        )
