"""Cα chains and ensembles of conformers as .npz files."""

from dataclasses import fields
from pathlib import Path

import numpy as np

from equicryo.io.arrays import read_arrays, write_arrays
from equicryo.structure.chain import Chain
from equicryo.structure.conformers import Conformers


def write_points(path: str | Path, chain: Chain) -> None:
    """Write a Cα chain, one array a field of `Chain`."""
    arrays = {
        field.name: np.array(getattr(chain, field.name)) for field in fields(chain)
    }
    write_arrays(path, arrays)


def read_points(path: str | Path) -> Chain:
    """Read a Cα chain that `write_points` wrote.

    Raises:
        InputError: the file is missing, damaged or not such a chain.
    """
    arrays = read_arrays(path, [field.name for field in fields(Chain)])
    return Chain(
        name=str(arrays["name"]),
        chain_id=str(arrays["chain_id"]),
        sequence=str(arrays["sequence"]),
        residue_numbers=arrays["residue_numbers"],
        insertion_codes=tuple(arrays["insertion_codes"].tolist()),
        coordinates=arrays["coordinates"],
        b_factors=arrays["b_factors"],
    )


def write_conformers(path: str | Path, conformers: Conformers) -> None:
    """Write an ensemble: arrays `training` and `held_out`, Å."""
    write_arrays(
        path, {"training": conformers.training, "held_out": conformers.held_out}
    )


def read_conformers(path: str | Path) -> Conformers:
    """Read an ensemble that `write_conformers` wrote.

    Raises:
        InputError: the file is missing, damaged or not such an ensemble.
    """
    return Conformers(**read_arrays(path, ["training", "held_out"]))
