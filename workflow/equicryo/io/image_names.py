"""Where the images of a particle table are: the stacks that it names."""

from pathlib import Path

import numpy as np
from jaxtyping import Int64

from equicryo.errors import InputError
from equicryo.io.stacks import StackHeader, read_stack_header

LONGEST_PATH = 1024
"""Characters; systems refuse longer ones in their own words."""


def read_image_places(
    table: Path,
    names: list[str],
    image: Int64[np.ndarray, " particle"],
    root: str | Path | None,
) -> tuple[tuple[StackHeader, ...], Int64[np.ndarray, " particle"]]:
    """Find the stack that holds each particle's image.

    Args:
        table: the particle table, for messages and as a place to look.
        names: of the stack of each particle.
        image: index from 0 of its image in the stack.
        root: folder that image paths are relative to; see `find_stack`.

    Returns:
        The stacks' headers, each once, and the index into them of each particle.

    Raises:
        InputError: a stack is missing, damaged, outside the root or ambiguous, has too
            few images or another box than the rest.
    """
    found, stack = np.unique(names, return_inverse=True)
    stacks = tuple(
        read_stack_header(find_stack(table, name, root)) for name in found.tolist()
    )
    _check_stacks(table, stacks, stack, image)
    return stacks, stack.astype(np.int64)


def find_stack(table: Path, name: str, root: str | Path | None) -> Path:
    """Find the stack that a particle table calls `name`.

    Args:
        table: the particle table.
        name: of the stack, as the table has it.
        root: the folder it is relative to, or None to try the working folder and the
            table's.

    Raises:
        InputError: the file is missing, outside the root, or there are two candidates.
    """
    if "\0" in name or len(name) > LONGEST_PATH:
        raise InputError(f"{table}: {name[:100]!r} is no path of an image stack")
    roots = [Path(root)] if root is not None else [Path(), table.parent]
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
            f"{table}: {name} exists in {tried}: say which with particles.root"
        )
    escapes = all(
        not (folder / name).resolve().is_relative_to(folder.resolve())
        for folder in roots
    )
    if escapes:
        raise InputError(
            f"{table}: {name} leads outside {tried}: give a particles.root that holds "
            "it"
        )
    raise InputError(
        f"{table}: no such image stack: {name}, looked for in {tried}: give the folder "
        "it is relative to as particles.root"
    )


def _check_stacks(
    table: Path,
    stacks: tuple[StackHeader, ...],
    stack: Int64[np.ndarray, " particle"],
    image: Int64[np.ndarray, " particle"],
) -> None:
    """Refuse stacks of different boxes, or with fewer images than are asked for."""
    for number, header in enumerate(stacks):
        highest = int(image[stack == number].max()) + 1
        if highest > header.count:
            raise InputError(
                f"{table}: image {highest} of {header.path} is asked for, but the "
                f"stack holds {header.count}: table and stack do not belong together"
            )
        if header.box_size != stacks[0].box_size:
            raise InputError(
                f"{header.path}: images of {header.box_size} pixels, but "
                f"{stacks[0].path} has {stacks[0].box_size}: rescale them to one box"
            )
