"""Cα chains and ensembles of conformers as .npz files."""

from dataclasses import fields
from pathlib import Path
from types import MappingProxyType

import numpy as np

from equicryo.errors import InputError
from equicryo.io.arrays import check_forms, read_arrays, write_arrays
from equicryo.structure.chain import Chain
from equicryo.structure.conformers import Conformers

CHAIN_FORMS = MappingProxyType(
    {
        "name": (np.str_, 0),
        "chain_id": (np.str_, 0),
        "sequence": (np.str_, 0),
        "residue_numbers": (np.int64, 1),
        "insertion_codes": (np.str_, 1),
        "coordinates": (np.float64, 2),
        "b_factors": (np.float64, 1),
    }
)
CONFORMER_FORMS = MappingProxyType(
    {"training": (np.float64, 3), "held_out": (np.float64, 3)}
)


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
    arrays = read_arrays(path, CHAIN_FORMS)
    check_forms(path, arrays, CHAIN_FORMS)
    counts = [len(arrays["residue_numbers"]), len(str(arrays["sequence"]))]
    counts += [len(arrays[name]) for name in ("insertion_codes", "b_factors")]
    if {(count, 3) for count in counts} != {arrays["coordinates"].shape}:
        raise InputError(
            f"{path}: its arrays are of different lengths: delete it to have it made "
            "anew"
        )
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
    arrays = read_arrays(path, CONFORMER_FORMS)
    check_forms(path, arrays, CONFORMER_FORMS)
    if not arrays["training"].shape[1:] == arrays["held_out"].shape[1:] or (
        arrays["training"].shape[2] != 3
    ):
        raise InputError(
            f"{path}: conformers of different chains: delete it to have it made anew"
        )
    return Conformers(**arrays)
