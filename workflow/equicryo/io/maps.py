"""Density maps as MRC files."""

from dataclasses import dataclass
from pathlib import Path

import mrcfile
import numpy as np
from jaxtyping import Float32

from equicryo.errors import InputError
from equicryo.io.files import replace_atomically

LABEL = "equicryo density map"
MAX_VOXELS = 1024**3
AXIS_ORDER = (1, 2, 3)
"""Columns, rows and sections along x, y and z."""

# Header cell edges are float32: relative rounding 6e-8, magnified by no more than
# the few digits in which programs write the pixel size.
SAMPLING_TOLERANCE = 1e-3


@dataclass(frozen=True, kw_only=True, eq=False)
class DensityMap:
    """A map on a cubic grid whose voxel n//2 is the coordinates' origin.

    Attributes:
        volume: density; the unit is the writer's.
        pixel_size: edge of a voxel, Å.
    """

    volume: Float32[np.ndarray, "z y x"]
    pixel_size: float


def write_map(path: str | Path, density: DensityMap) -> None:
    """Write a map that lies over its model in a viewer.

    Coordinate 0 of an atomic model falls on voxel n//2. The header says so twice: in
    its origin, -(n//2) pixels in Å, which ChimeraX reads, and in its start indices,
    which programs of the CCP4 tradition read. Equal maps give equal bytes.

    Args:
        path: an MRC file, replaced as a whole.
        density: any edge lengths, even or odd.
    """
    with replace_atomically(path) as temporary:
        with mrcfile.new(temporary) as file:
            file.set_data(density.volume)
            file.set_volume()
            file.voxel_size = density.pixel_size
            start = [-(n // 2) for n in density.volume.shape]
            corner = [index * density.pixel_size for index in start]
            file.nstart = start[::-1]
            file.header.origin.z, file.header.origin.y, file.header.origin.x = corner
            # mrcfile's own label carries the date.
            file.header.label[0] = LABEL.encode()


def read_map(path: str | Path) -> DensityMap:
    """Read a map, after its header has been found sound.

    Args:
        path: an MRC or CCP4 file of any numeric mode with axes x, y, z.

    Raises:
        InputError: the file is missing, damaged or too large, its voxels are not
            cubes, or a value is not finite.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        _check_header(path)
        with mrcfile.open(path) as file:
            volume = file.data.astype(np.float32)
            pixel_size = float(file.voxel_size.x)
    except InputError:
        raise
    except (ValueError, OSError) as error:
        raise InputError(f"{path}: not a readable MRC map ({error})") from error
    if not np.isfinite(volume).all():
        bad = tuple(np.argwhere(~np.isfinite(volume))[0].tolist())
        raise InputError(f"{path}: the value at voxel z, y, x = {bad} is not finite")
    return DensityMap(volume=volume, pixel_size=pixel_size)


def _check_header(path: Path) -> None:
    """Refuse a header before memory is taken for what it promises."""
    with mrcfile.open(path, header_only=True) as file:
        header, voxel = file.header, file.voxel_size
        shape = tuple(int(header[axis]) for axis in ("nz", "ny", "nx"))
        order = tuple(int(header[axis]) for axis in ("mapc", "mapr", "maps"))
        sizes = np.array([voxel.x, voxel.y, voxel.z], dtype=float)
    if min(shape) < 1 or np.prod(shape, dtype=float) > MAX_VOXELS:
        raise InputError(
            f"{path}: {' × '.join(map(str, shape))} voxels, expected at least 1 a side "
            f"and at most {MAX_VOXELS} in all: crop or bin the map"
        )
    if order != AXIS_ORDER:
        raise InputError(
            f"{path}: axis order {order}, expected {AXIS_ORDER}: rewrite the map with "
            "columns along x and sections along z"
        )
    if not (sizes > 0.0).all() or np.ptp(sizes) > SAMPLING_TOLERANCE * sizes.max():
        raise InputError(
            f"{path}: voxels of {sizes.tolist()} Å, expected cubes: set the pixel size "
            "in the header or resample the map"
        )
