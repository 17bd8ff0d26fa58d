"""Where the images of a particle table are: names such as ``000001@particles.mrcs``."""

from pathlib import Path

import numpy as np
from jaxtyping import Int64

from equicryo.errors import InputError
from equicryo.io.stacks import StackHeader, read_stack_header
from equicryo.io.star import Table


def read_image_places(
    table: Table, root: str | Path | None
) -> tuple[
    tuple[StackHeader, ...],
    Int64[np.ndarray, " particle"],
    Int64[np.ndarray, " particle"],
]:
    """Find the stack and the place in it of each particle's image.

    Args:
        table: the particle table.
        root: folder that image paths are relative to; see `find_stack`.

    Returns:
        The stacks' headers, each once; the index into them of each particle; the index
        from 0 of its image in the stack.

    Raises:
        InputError: a name is malformed, a stack is missing, damaged, outside the root
            or ambiguous, has too few images or another box than the rest.
    """
    texts, image = _split_names(table)
    names, stack = np.unique(texts, return_inverse=True)
    stacks = tuple(
        read_stack_header(find_stack(table.path, name, root)) for name in names.tolist()
    )
    _check_stacks(table.path, stacks, stack, image)
    return stacks, stack.astype(np.int64), image


def find_stack(star: Path, name: str, root: str | Path | None) -> Path:
    """Find the file that a STAR file calls `name`.

    Args:
        star: the STAR file.
        name: path after the ``@`` of an image name.
        root: the folder it is relative to, or None to try the working folder and the
            STAR file's.

    Raises:
        InputError: the file is missing, outside the root, or there are two candidates.
    """
    roots = [Path(root)] if root is not None else [Path(), star.parent]
    found = []
    for folder in roots:
        path = folder / name
        if not path.resolve().is_relative_to(folder.resolve()):
            continue
        if path.is_file() and path.resolve() not in [one.resolve() for one in found]:
            found.append(path)
    if len(found) == 1:
        return found[0]
    tried = " and ".join(str(folder.resolve()) for folder in roots)
    if found:
        raise InputError(
            f"{star}: {name} exists in {tried}: say which with particles.root"
        )
    escapes = all(
        not (folder / name).resolve().is_relative_to(folder.resolve())
        for folder in roots
    )
    if escapes:
        raise InputError(
            f"{star}: {name} leads outside {tried}: give a particles.root that holds it"
        )
    raise InputError(
        f"{star}: no such image stack: {name}, looked for in {tried}: give the folder "
        "it is relative to as particles.root"
    )


def _split_names(table: Table) -> tuple[list[str], Int64[np.ndarray, " particle"]]:
    """Split ``000001@path`` into paths and indices from 0."""
    names, index = [], np.empty(len(table), dtype=np.int64)
    for row, text in enumerate(table.texts("rlnImageName")):
        number, _, name = text.partition("@")
        if not (number.isdecimal() and int(number) > 0 and name):
            raise InputError(
                f"{table.path}: _rlnImageName is {text!r} in row {row + 1}; expected "
                "an image number and a path, as in 000001@particles.mrcs"
            )
        names.append(name)
        index[row] = int(number) - 1
    return names, index


def _check_stacks(
    star: Path,
    stacks: tuple[StackHeader, ...],
    stack: Int64[np.ndarray, " particle"],
    image: Int64[np.ndarray, " particle"],
) -> None:
    """Refuse stacks of different boxes, or with fewer images than are asked for."""
    for number, header in enumerate(stacks):
        highest = int(image[stack == number].max()) + 1
        if highest > header.count:
            raise InputError(
                f"{star}: image {highest} of {header.path} is asked for, but the stack "
                f"holds {header.count}: STAR and stack do not belong together"
            )
        if header.box_size != stacks[0].box_size:
            raise InputError(
                f"{header.path}: images of {header.box_size} pixels, but "
                f"{stacks[0].path} has {stacks[0].box_size}: rescale them to one box"
            )
