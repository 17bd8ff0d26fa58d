"""Stacks of particle images as MRCS, never held in memory as a whole."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import mrcfile
import numpy as np
from jaxtyping import Float
from torch import Tensor

from equicryo.errors import InputError
from equicryo.io.files import replace_atomically, reserve_space

LABEL = "EquiCryo particle images"
"""Text of the only header label; mrcfile's own carries a date."""

PIXEL_TYPES = {0: "i1", 1: "i2", 2: "f4", 6: "u2", 12: "f2"}
"""NumPy types of the MRC modes that images come in."""

HEADER_BYTES = 1024

PIXEL_SIZE_TOLERANCE = 0.01
"""Relative; headers carry the pixel size as a rounded float32 cell length."""


def write_stack(
    path: str | Path,
    batches: Iterable[Float[Tensor, "_ y x"]],
    count: int,
    box_size: int,
    pixel_size: float,
) -> None:
    """Write images as a float32 MRC stack, one batch in memory at a time.

    Args:
        path: a .mrcs file, replaced as a whole.
        batches: the images in order, `count` in all.
        count: number of images.
        box_size: edge of the images, pixels.
        pixel_size: Å.

    Raises:
        ValueError: the batches do not hold `count` images.
    """
    shape = (count, box_size, box_size)
    size = HEADER_BYTES + count * box_size**2 * np.dtype(np.float32).itemsize
    with (
        replace_atomically(path) as temporary,
        mrcfile.new_mmap(temporary, shape, mrc_mode=2, overwrite=True) as file,
    ):
        reserve_space(temporary, size)
        written = 0
        for batch in batches:
            images = batch.float().numpy()
            if written + len(images) > count:
                raise ValueError(f"more than the {count} images announced")
            file.data[written : written + len(images)] = images
            written += len(images)
        if written != count:
            raise ValueError(f"{written} images, not the {count} announced")
        file.set_image_stack()
        file.voxel_size = pixel_size
        file.update_header_stats()
        file.header.label[0] = LABEL


@dataclass(frozen=True, kw_only=True)
class StackHeader:
    """What the header of an image stack says.

    Attributes:
        path: the stack.
        count: number of images.
        box_size: edge of the images, pixels.
        pixel_size: Å, 0 where the header has none.
        pixel_type: NumPy's name of the pixels' type and byte order.
        offset: of the first pixel, bytes.
    """

    path: Path
    count: int
    box_size: int
    pixel_size: float
    pixel_type: str
    offset: int


def read_stack_header(path: Path) -> StackHeader:
    """Read and check the header of an image stack.

    Args:
        path: a .mrcs or .mrc file of 8- or 16-bit integers or 16- or 32-bit floats.

    Raises:
        InputError: the stack is missing, truncated, not square or of an unknown type.
    """
    try:
        with mrcfile.open(path, header_only=True) as file:
            header, voxel = file.header, float(file.voxel_size.x)
    except FileNotFoundError:
        raise InputError(f"{path}: no such image stack") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not an MRC image stack ({error})") from error
    nx, ny, nz = int(header.nx), int(header.ny), int(header.nz)
    if int(header.mode) not in PIXEL_TYPES:
        raise InputError(
            f"{path}: MRC mode {int(header.mode)} is not an image type; expected one "
            f"of {sorted(PIXEL_TYPES)}"
        )
    if nx != ny or nx % 2 or min(nx, nz) < 1:
        raise InputError(
            f"{path}: images of {nx} × {ny} pixels; expected a square of even edge: "
            "extract the particles again with an even box"
        )
    kind = np.dtype(PIXEL_TYPES[int(header.mode)])
    kind = kind.newbyteorder(header.nx.dtype.byteorder)
    offset = HEADER_BYTES + int(header.nsymbt)
    needed, found = offset + nx * ny * nz * kind.itemsize, path.stat().st_size
    if found < needed:
        raise InputError(
            f"{path}: truncated: {found} bytes, but {nz} images need {needed}: copy "
            "the file again"
        )
    return StackHeader(
        path=path,
        count=nz,
        box_size=nx,
        pixel_size=voxel,
        pixel_type=kind.str,
        offset=offset,
    )


def check_pixel_size(header: StackHeader, pixel_size: float) -> None:
    """Compare the header's pixel size, if it has one, with the optics'.

    Args:
        header: of the stack.
        pixel_size: of the optics group, Å.

    Raises:
        InputError: they differ by more than 1 %.
    """
    found = header.pixel_size
    if found > 0.0 and abs(found / pixel_size - 1.0) > PIXEL_SIZE_TOLERANCE:
        raise InputError(
            f"{header.path}: the header says {found:.4g} Å per pixel, the particles' "
            f"optics {pixel_size:.4g} Å: correct the wrong one"
        )


def map_stack(header: StackHeader) -> np.memmap:
    """Map the images [particle, y, x] of a stack without reading them."""
    shape = (header.count, header.box_size, header.box_size)
    return np.memmap(
        header.path,
        dtype=header.pixel_type,
        mode="r",
        offset=header.offset,
        shape=shape,
    )
