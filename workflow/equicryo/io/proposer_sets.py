"""What a proposer is trained on."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from equicryo.io.arrays import arrays_sha256
from equicryo.io.chain_sets import read_training_chains
from equicryo.io.residue_model import read_residue_model
from equicryo.io.training_sets import (
    ids_by_split,
    read_held_out_chains,
)
from equicryo.models.proposer_examples import CropExamples
from equicryo.models.proposer_training import HELD_OUT_SNR


@dataclass(frozen=True, kw_only=True, eq=False)
class ProposerTrainingSet:
    """All that a proposer is trained on.

    Attributes:
        examples: training data.
        held_out: examples from validation chains, by total SNR.
        sha256: of the training data.
        training_ids: chains behind the training data.
        held_out_ids: chains that none of these is related to, by split.
    """

    examples: CropExamples
    held_out: Mapping[float, CropExamples]
    sha256: str
    training_ids: tuple[str, ...]
    held_out_ids: Mapping[str, list[str]]


def read_proposer_training_set(
    files: Mapping[str, str], count: int | Literal["all"], seed: int
) -> ProposerTrainingSet:
    """Read chains of many folds, and the residue model of half of their maps.

    Args:
        files: `chains`, `splits`, `targets`, `held_out` (see resources/chains) and
            `constants` (see resources/residue_model).
        count: how many training chains, drawn at random, or all.
        seed: of the drawing.

    Raises:
        InputError: a file is missing or damaged, or holds too few training chains.
    """
    training = read_training_chains(files, count, seed)
    targets, held_out = read_held_out_chains(files)
    validation = targets.select(
        [i for i, n in enumerate(targets.ids) if held_out[n] == "validation"]
    )
    model = read_residue_model(files["constants"])
    return ProposerTrainingSet(
        examples=CropExamples(training, model),
        held_out={
            snr: CropExamples(validation, model, (snr, snr)) for snr in HELD_OUT_SNR
        },
        sha256=arrays_sha256(training.steps, training.lengths, training.sequence),
        training_ids=training.ids,
        held_out_ids=ids_by_split(held_out),
    )
