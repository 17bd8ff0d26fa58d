"""What a prior is trained on: one molecule's conformers, or chains of many folds."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any, Literal

import torch

from equicryo.io.arrays import arrays_sha256
from equicryo.io.chain_sets import read_chain_set, read_training_chains
from equicryo.io.points import read_conformers, read_points
from equicryo.io.priors import describe_whitening
from equicryo.io.provenance import current_commit
from equicryo.io.tables import read_table
from equicryo.models.denoiser import Denoiser
from equicryo.models.examples import (
    Batch,
    ChainExamples,
    EnsembleExamples,
    Examples,
    collate,
    ensemble_batch,
)
from equicryo.models.polymer import PolymerWhitening, fit_polymer
from equicryo.models.whitening import EnsembleWhitening, fit_whitening
from equicryo.structure.chain_set import ChainSet
from equicryo.structure.residues import residue_types

NOISE_DRAWS = 4
"""Copies of each validation chain in the denoising test, each with its own noise."""


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainingSet:
    """All that a denoiser is trained on, and where it starts.

    Attributes:
        examples: training data.
        held_out: chains for the denoising test during training.
        whitening: Gaussian of the training data.
        sha256: of the training data.
        training_ids: chains behind the training data.
        held_out_ids: chains that none of these is related to, by split.
    """

    examples: Examples
    held_out: tuple[Batch, ...]
    whitening: EnsembleWhitening | PolymerWhitening
    sha256: str
    training_ids: tuple[str, ...]
    held_out_ids: Mapping[str, list[str]]


def read_ensemble_training_set(files: Mapping[str, str]) -> TrainingSet:
    """Read one molecule's conformers, some of which are held out.

    Args:
        files: `points` and `ensemble`.

    Raises:
        InputError: a file is missing or damaged.
    """
    chain = read_points(files["points"])
    conformers = read_conformers(files["ensemble"])
    types = torch.from_numpy(residue_types(chain.sequence))
    training = torch.from_numpy(conformers.training)
    held_out = torch.from_numpy(conformers.held_out).float()
    return TrainingSet(
        examples=EnsembleExamples(conformers=training.float(), residue_types=types),
        held_out=(ensemble_batch(held_out, types),),
        whitening=fit_whitening(training),
        sha256=arrays_sha256(conformers.training, chain.sequence),
        training_ids=(f"{chain.name.upper()}_{chain.chain_id}",),
        held_out_ids=MappingProxyType({}),
    )


def read_chain_training_set(
    files: Mapping[str, str], count: int | Literal["all"], seed: int
) -> TrainingSet:
    """Read chains of many folds, and the validation chains, which are none of these.

    Args:
        files: `chains`, `splits`, `targets`, `held_out` (see resources/chains).
        count: how many training chains, drawn at random, or all.
        seed: of the drawing.

    Raises:
        InputError: a file is missing or damaged, or holds too few training chains.
    """
    training = read_training_chains(files, count, seed)
    targets, held_out = read_held_out_chains(files)
    validation = [i for i, n in enumerate(targets.ids) if held_out[n] == "validation"]
    return TrainingSet(
        examples=ChainExamples(training),
        held_out=tuple(collate(targets, [i] * NOISE_DRAWS) for i in validation),
        whitening=fit_polymer(
            [training.coordinates_of(i) for i in range(len(training))]
        ),
        sha256=arrays_sha256(training.steps, training.lengths, training.sequence),
        training_ids=training.ids,
        held_out_ids=ids_by_split(held_out),
    )


def read_held_out_chains(files: Mapping[str, str]) -> tuple[ChainSet, dict[str, str]]:
    """Read the chains that no prior learns from, and the split of each.

    Args:
        files: `targets`, `held_out` (see resources/chains).

    Raises:
        InputError: a file is missing or damaged.
    """
    held_out = {row["id"]: row["split"] for row in read_table(files["held_out"])}
    return read_chain_set(files["targets"]), held_out


def ids_by_split(held_out: Mapping[str, str]) -> dict[str, list[str]]:
    """Gather the names of held-out chains by their split."""
    return {
        split: [name for name, its in held_out.items() if its == split]
        for split in ("benchmark", "validation", "test")
    }


def describe_prior(
    denoiser: Denoiser, data: TrainingSet, earlier: dict[str, Any] | None
) -> dict[str, Any]:
    """Return what a prior's card says of the network and of all that it has seen.

    Args:
        denoiser: the trained network.
        data: what it was trained on.
        earlier: card of the prior whose training was gone on with.
    """
    known = earlier or {"training_ids": []}
    held_out = {
        f"{split}_ids": data.held_out_ids.get(name, known.get(f"{split}_ids", []))
        for split, name in (
            ("held_out", "benchmark"),
            ("validation", "validation"),
            ("test", "test"),
        )
    }
    return {
        "training_ids": sorted({*known["training_ids"], *data.training_ids}),
        **held_out,
        "data_sha256": data.sha256,
        "architecture": asdict(denoiser.network.config),
        "whitening": describe_whitening(denoiser),
        "commit": current_commit(),
    }
