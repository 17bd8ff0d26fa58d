"""Stacks in chunks: the STAR files of consecutive chunks, read and written as one."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd
from jaxtyping import Float
from torch import Tensor

from equicryo.io.particles import read_batches, read_particles
from equicryo.io.relion import write_tables
from equicryo.io.star import read_star_tables


def gather_tables(
    path: str | Path, chunks: Sequence[str | Path], count: int, stack: str | Path
) -> None:
    """Write the first particles of consecutive chunks as the table of one stack.

    Values stay as they are written in the chunks, to the last digit.

    Args:
        path: a .star file, replaced as a whole.
        chunks: STAR files in order, of the same optics, their images in order.
        count: number of particles.
        stack: path of the stack that holds their images, from the first on.

    Raises:
        ValueError: the chunks hold fewer than `count` particles.
    """
    tables = _join(chunks, count)
    name = Path(stack).as_posix()
    names = [f"{row + 1:06d}@{name}" for row in range(count)]
    particles = tables["particles"].assign(rlnImageName=names)
    write_tables(path, {**tables, "particles": particles})


def join_tables(path: str | Path, chunks: Sequence[str | Path], count: int) -> None:
    """Write the first particles of consecutive chunks, which stay in their stacks.

    Args:
        path: a .star file, replaced as a whole.
        chunks: STAR files in order, of the same optics.
        count: number of particles.

    Raises:
        ValueError: the chunks hold fewer than `count` particles.
    """
    write_tables(path, _join(chunks, count))


def _join(chunks: Sequence[str | Path], count: int) -> dict[str, pd.DataFrame]:
    pairs = [read_star_tables(Path(chunk)) for chunk in chunks]
    optics = pairs[0][0]
    if optics is None:
        raise ValueError(f"{chunks[0]}: no table of optics")
    frames = [particles.frame for _, particles in pairs]
    particles = pd.concat(frames, ignore_index=True)
    if len(particles) < count:
        raise ValueError(f"{len(particles)} particles, not the {count} asked for")
    return {"optics": optics.frame, "particles": particles[:count]}


def read_first_images(
    chunks: Sequence[str | Path], count: int
) -> Iterator[Float[Tensor, "particle y x"]]:
    """Read the first images of consecutive chunks, in batches, float64.

    Args:
        chunks: STAR files in order.
        count: number of images.
    """
    for chunk in chunks:
        particles = read_particles(chunk)
        wanted = min(count, len(particles))
        for images, _ in read_batches(particles, 0, wanted):
            yield images
        count -= wanted
