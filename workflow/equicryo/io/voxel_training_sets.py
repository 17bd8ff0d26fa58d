"""What a voxel prior is trained on: density of training chains, made on the fly."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch

from equicryo.errors import InputError
from equicryo.io.arrays import arrays_sha256
from equicryo.io.chain_sets import read_training_chains
from equicryo.io.provenance import current_commit
from equicryo.io.residue_model import read_rebuilt_chains, read_residue_model
from equicryo.io.training_sets import ids_by_split, read_held_out_chains
from equicryo.models.voxel_denoiser import VoxelDenoiser
from equicryo.models.voxel_examples import GridConfig, VolumeBatch, VolumeExamples
from equicryo.models.voxel_prior import MeasuredErrors
from equicryo.models.voxel_whitening import SpectralWhitening, fit_spectrum
from equicryo.seeds import derive_generator

ALL_ATOM_VOLUMES = 12
"""Chains with all their atoms, not trained on, to measure the prior's errors."""

MEASURED_VOLUMES = 64
"""Training volumes behind the spectrum of each pixel size, and behind the floor."""


@dataclass(frozen=True, kw_only=True, eq=False)
class VoxelTrainingSet:
    """All that a denoiser of densities is trained on, and where it starts.

    Attributes:
        examples: training data.
        held_out: volumes of validation chains, for the denoising test.
        all_atom: volumes of chains with all their atoms, as images show them, that are
            kept from the training: on them the prior's errors are measured.
        whitening: spectra of the training data.
        floor: least density of training volumes, e⁻/Å³ × pixel size.
        sha256: of the training chains.
        held_out_ids: chains that no training chain is related to, by split.
    """

    examples: VolumeExamples
    held_out: VolumeBatch
    all_atom: VolumeBatch
    whitening: SpectralWhitening
    floor: float
    sha256: str
    held_out_ids: Mapping[str, list[str]]


def read_grid_config(block: Mapping[str, Any]) -> GridConfig:
    """Build the settings of the volumes from a validated block of the config."""
    return GridConfig(
        box_size=block["box_size"],
        pixel_sizes=tuple(block["pixel_sizes"]),
        b_factors=tuple(block["b_factors"]),
    )


def read_voxel_training_set(
    files: Mapping[str, str], grid: GridConfig, count: int | Literal["all"], seed: int
) -> VoxelTrainingSet:
    """Read chains of many folds, and the validation chains, which are none of these.

    Args:
        files: `chains`, `splits`, `targets`, `held_out` (see resources/chains),
            `constants` of the residue model, and `atoms`, the chains behind it.
        grid: which volumes are made of them.
        count: how many training chains, drawn at random, or all.
        seed: of the drawing, and of the measured volumes.

    Raises:
        InputError: a file is missing or damaged, or holds too few training chains.
    """
    model = read_residue_model(files["constants"])
    training = read_training_chains(files, count, seed)
    targets, splits = read_held_out_chains(files)
    validation = [i for i, n in enumerate(targets.ids) if splits[n] == "validation"]
    atoms = read_rebuilt_chains(files["atoms"])
    chance = derive_generator(seed, "all_atom_volumes")
    order = torch.randperm(len(atoms), generator=chance).tolist()
    shuffled = [atoms[index] for index in order]
    spared, learnt = shuffled[:ALL_ATOM_VOLUMES], shuffled[ALL_ATOM_VOLUMES:]
    examples = VolumeExamples(training, model, grid, learnt)
    whole = VolumeExamples(training.select([]), model, grid, spared)
    for index, size in enumerate(grid.pixel_sizes):
        if index not in whole.pixel_indices:
            raise InputError(
                f"voxel_priors: no chain with all atoms, on which errors are measured, "
                f"needs pixel size {size} Å: leave it out"
            )
    unseen = VolumeExamples(targets.select(validation), model, grid)
    measured = _measured_volumes(examples, derive_generator(seed, "fit_spectrum"))
    return VoxelTrainingSet(
        examples=examples,
        held_out=unseen.make(
            list(range(len(unseen.chains))), derive_generator(seed, "held_out_volumes")
        ),
        all_atom=whole.make(range(len(whole.atoms)), chance),
        whitening=fit_spectrum(
            measured.volume, measured.pixel_index, len(grid.pixel_sizes)
        ),
        floor=float(measured.volume.min()),
        sha256=arrays_sha256(training.steps, training.lengths, training.sequence),
        held_out_ids=ids_by_split(splits),
    )


def _measured_volumes(
    examples: VolumeExamples, generator: torch.Generator
) -> VolumeBatch:
    """Make volumes of each pixel size, of the first chains in an order by chance."""
    chosen: list[int] = []
    for pixel in range(len(examples.grid.pixel_sizes)):
        fitting = [i for i, its in enumerate(examples.pixel_indices) if its == pixel]
        if not fitting:
            size = examples.grid.pixel_sizes[pixel]
            raise InputError(
                f"voxel_priors: no training chain needs pixel size {size} Å: leave it "
                "out, or take more chains"
            )
        order = torch.randperm(len(fitting), generator=generator)[:MEASURED_VOLUMES]
        chosen += [fitting[index] for index in order.tolist()]
    return examples.make(chosen, generator)


def describe_voxel_prior(
    denoiser: VoxelDenoiser, data: VoxelTrainingSet, errors: MeasuredErrors
) -> dict[str, Any]:
    """Return what a voxel prior's card says of the network and of what it has seen.

    Args:
        denoiser: the trained network.
        data: what it was trained on.
        errors: as measured on `data.all_atom`.
    """
    ids = data.held_out_ids
    return {
        "training_ids": sorted(data.examples.chains.ids),
        "held_out_ids": ids["benchmark"],
        "validation_ids": ids["validation"],
        "test_ids": ids["test"],
        "data_sha256": data.sha256,
        "architecture": asdict(denoiser.config),
        "whitening": {
            "kind": "spectral",
            "grid": asdict(data.examples.grid),
            "floor": data.floor,
        },
        "errors": {"strength": errors.strength.tolist()},
        "commit": current_commit(),
    }
