"""The geometry of chains, and traces, as .npz files."""

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

import numpy as np
import torch

from equicryo.inference.tracing_refinement import RefinedTrace
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


def write_traces(path: str | Path, traces: Sequence[RefinedTrace]) -> None:
    """Write arrays `coordinates` (Å), `log_likelihood` and `log_restraint` (nats)."""
    arrays = {
        "coordinates": np.array([trace.coordinates.numpy() for trace in traces]),
        "log_likelihood": np.array([trace.log_likelihood for trace in traces]),
        "log_restraint": np.array([trace.log_restraint for trace in traces]),
    }
    write_arrays(path, arrays)


def read_traces(path: str | Path) -> list[RefinedTrace]:
    """Read what `write_traces` wrote.

    Raises:
        InputError: the file is missing or damaged.
    """
    names = ("coordinates", "log_likelihood", "log_restraint")
    columns = read_arrays(path, names)
    return [
        RefinedTrace(
            coordinates=torch.from_numpy(coordinates),
            log_likelihood=float(log_likelihood),
            log_restraint=float(log_restraint),
        )
        for coordinates, log_likelihood, log_restraint in zip(
            *(columns[name] for name in names), strict=True
        )
    ]
