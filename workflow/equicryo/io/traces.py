"""Traces as an .npz file."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from equicryo.inference.traces import RefinedTrace
from equicryo.io.arrays import read_arrays, write_arrays


def write_traces(path: str | Path, traces: Sequence[RefinedTrace]) -> None:
    """Write arrays of the fields of `RefinedTrace`, a row for each trace."""
    arrays = {
        "coordinates": np.array([trace.coordinates.numpy() for trace in traces]),
        "log_likelihood": np.array([trace.log_likelihood for trace in traces]),
        "log_restraint": np.array([trace.log_restraint for trace in traces]),
        "confirmed": np.array([trace.confirmed for trace in traces]),
    }
    write_arrays(path, arrays)


def read_traces(path: str | Path) -> list[RefinedTrace]:
    """Read what `write_traces` wrote.

    Raises:
        InputError: the file is missing or damaged.
    """
    names = ("coordinates", "log_likelihood", "log_restraint", "confirmed")
    columns = read_arrays(path, names)
    return [
        RefinedTrace(
            coordinates=torch.from_numpy(coordinates),
            log_likelihood=float(log_likelihood),
            log_restraint=float(log_restraint),
            confirmed=bool(confirmed),
        )
        for coordinates, log_likelihood, log_restraint, confirmed in zip(
            *(columns[name] for name in names), strict=True
        )
    ]
