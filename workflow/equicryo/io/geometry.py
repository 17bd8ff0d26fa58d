"""The local geometry of chains as an .npz file."""

from dataclasses import fields
from pathlib import Path

from equicryo.io.arrays import read_arrays, write_arrays
from equicryo.structure.trace_geometry import TraceGeometry


def write_geometry(path: str | Path, geometry: TraceGeometry) -> None:
    """Write one array a field of `TraceGeometry`."""
    names = [field.name for field in fields(TraceGeometry)]
    write_arrays(path, {name: getattr(geometry, name) for name in names})


def read_geometry(path: str | Path) -> TraceGeometry:
    """Read what `write_geometry` wrote.

    Raises:
        InputError: the file is missing or damaged.
    """
    names = [field.name for field in fields(TraceGeometry)]
    return TraceGeometry(**read_arrays(path, names))
