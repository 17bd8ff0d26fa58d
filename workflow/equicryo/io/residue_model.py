"""Constants of the residue model, and the all-atom chains behind them."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from equicryo.errors import InputError
from equicryo.io.arrays import read_arrays
from equicryo.io.documents import read_document, write_document
from equicryo.physics.residue_density import (
    ChainDensity,
    residue_blobs,
    single_blobs,
)
from equicryo.structure.atoms import AtomicModel
from equicryo.structure.residue_model import (
    BACKBONE,
    BLOBS,
    FEATURES,
    SHELLS,
    ResidueModel,
    blob_mask,
)
from equicryo.structure.residues import ONE_TO_THREE

SIGNIFICANT_DIGITS = 6
"""Of each constant: an offset is then right to about 10⁻⁵ Å."""

CHAIN_ARRAYS = (
    "ids",
    "residue_counts",
    "sequence",
    "atom_counts",
    "atom_names",
    "residue_index",
    "centi_angstrom",
    "b_factors",
)


def write_residue_model(
    path: str | Path, model: ResidueModel, training: Mapping[str, object]
) -> None:
    """Write the constants as JSON, the backbone's once and the rest by residue name.

    Args:
        path: of the file, replaced as a whole.
        model: constants are rounded to `SIGNIFICANT_DIGITS`.
        training: what they were fitted to.
    """
    mask = blob_mask()
    side_chains = {
        name: {
            blob: _constants(model, kind, index)
            for index, blob in enumerate(BLOBS)
            if blob not in BACKBONE and mask[kind, index]
        }
        for kind, name in enumerate(ONE_TO_THREE.values())
    }
    backbone = {
        blob: _constants(model, 0, index) for index, blob in enumerate(BACKBONE)
    }
    content = {
        "training": training,
        "power": [_rounded(value) for value in model.power],
        "misfit": [_rounded(value) for value in model.misfit],
        "backbone": backbone,
        "side_chains": side_chains,
    }
    write_document(path, content)


def _constants(model: ResidueModel, kind: int, blob: int) -> dict[str, object]:
    return {
        "weight": _rounded(model.weights[kind, blob]),
        "width": _rounded(model.widths[kind, blob]),
        "offset": [_rounded(value) for value in model.offsets[kind, blob]],
    }


def _rounded(value: float) -> float:
    return float(f"{value:.{SIGNIFICANT_DIGITS}g}")


def read_residue_model(path: str | Path) -> ResidueModel:
    """Read constants that `write_residue_model` wrote.

    Raises:
        InputError: the file is missing or damaged.
    """
    content = read_document(path)
    mask = blob_mask()
    weights, widths = np.zeros(mask.shape), np.zeros(mask.shape)
    offsets = np.zeros((*mask.shape, FEATURES))
    try:
        for kind, name in enumerate(ONE_TO_THREE.values()):
            blobs = {**content["backbone"], **content["side_chains"][name]}
            for index in np.flatnonzero(mask[kind]):
                constants = blobs[BLOBS[index]]
                weights[kind, index] = constants["weight"]
                widths[kind, index] = constants["width"]
                offsets[kind, index] = constants["offset"]
        power, misfit = (
            np.array(content[name], dtype=np.float64).reshape(SHELLS)
            for name in ("power", "misfit")
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{path}: not the constants of a residue model ({error!r}): restore the "
            "file, or make it anew with the rule fit_residue_model"
        ) from error
    return ResidueModel(
        offsets=offsets, weights=weights, widths=widths, power=power, misfit=misfit
    )


def read_density(
    settings: Mapping[str, object], constants: str | Path, sequence: str
) -> ChainDensity:
    """Build the density model of a dataset's reconstructions.

    Args:
        settings: `residue_model`, ``single`` or ``full``, and `residue_width`, the
            standard deviation of single blobs, Å.
        constants: file of the full model's; not read for single blobs.
        sequence: one-letter codes.

    Raises:
        InputError: the file is missing or damaged.
    """
    if settings["residue_model"] == "single":
        return single_blobs(sequence, settings["residue_width"])
    return residue_blobs(sequence, read_residue_model(constants))


def read_rebuilt_chains(path: str | Path) -> list[AtomicModel]:
    """Read all-atom chains packed into one archive.

    Raises:
        InputError: the file is missing or damaged.
    """
    packed = read_arrays(path, CHAIN_ARRAYS)
    residue_ends = packed["residue_counts"].cumsum()[:-1]
    atom_ends = packed["atom_counts"].cumsum()[:-1]
    columns = zip(
        packed["ids"].tolist(),
        np.split(packed["sequence"], residue_ends),
        *(
            np.split(packed[name], atom_ends)
            for name in ("atom_names", "residue_index", "centi_angstrom", "b_factors")
        ),
        strict=True,
    )
    return [_unpack(*column) for column in columns]


def _unpack(
    identifier: str,
    letters: np.ndarray,
    names: np.ndarray,
    residue_index: np.ndarray,
    centi_angstrom: np.ndarray,
    b_factors: np.ndarray,
) -> AtomicModel:
    entry, chain_id = identifier.split("_")
    residues, atoms = len(letters), len(names)
    return AtomicModel(
        name=entry.lower(),
        chain_id=chain_id,
        sequence="".join(letters.tolist()),
        residue_numbers=np.arange(1, residues + 1),
        insertion_codes=("",) * residues,
        atom_names=tuple(names.tolist()),
        elements=tuple(name[0] for name in names.tolist()),
        residue_index=residue_index.astype(np.int64),
        coordinates=centi_angstrom / 100.0,
        b_factors=b_factors.astype(np.float64),
        occupancies=np.ones(atoms),
    )
