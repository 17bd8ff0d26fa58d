"""Proposers on disk: weights in half precision, and a card that says what they are."""

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from equicryo.errors import InputError
from equicryo.io.documents import read_document
from equicryo.io.files import replace_atomically
from equicryo.models.proposer import Proposer, ProposerConfig


def write_proposer(path: str | Path, proposer: Proposer) -> None:
    """Write a proposer's weights, rounded to half precision.

    Their relative error of 2⁻¹¹ is a quarter of that of the products in training.
    """
    tensors = {
        key: value.half().contiguous() for key, value in proposer.state_dict().items()
    }
    with replace_atomically(Path(path)) as temporary:
        save_file(tensors, temporary)


def read_proposer(weights: str | Path, card: str | Path) -> Proposer:
    """Read a proposer, in float32.

    Args:
        weights: `weights.safetensors`.
        card: its `card.json`.

    Raises:
        InputError: a file is missing, broken, or the two do not belong together.
    """
    content = read_document(card)
    try:
        proposer = Proposer(ProposerConfig(**content["architecture"]))
        tensors = load_file(weights)
        proposer.load_state_dict({k: v.float() for k, v in tensors.items()})
    except (OSError, SafetensorError, KeyError, TypeError, RuntimeError) as error:
        raise InputError(
            f"{weights}: does not fit {card}: train the proposer again ({error})"
        ) from error
    frozen = proposer.eval().requires_grad_(requires_grad=False)
    return frozen.to(memory_format=torch.channels_last_3d)
