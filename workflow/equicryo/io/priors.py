"""Priors on disk: weights as safetensors, and a card that says what they are."""

from collections.abc import Iterable
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from equicryo.errors import InputError
from equicryo.io.documents import read_document
from equicryo.io.files import replace_atomically
from equicryo.models.denoiser import Denoiser
from equicryo.models.polymer import PolymerWhitening
from equicryo.models.prior import Prior
from equicryo.models.transformer import NetworkConfig
from equicryo.models.whitening import EnsembleWhitening
from equicryo.structure.residues import residue_types

WHITENINGS = MappingProxyType(
    {"ensemble": EnsembleWhitening, "polymer": PolymerWhitening}
)


def write_weights(path: str | Path, denoiser: Denoiser) -> None:
    """Write a denoiser's weights and whitening."""
    tensors = {key: value.contiguous() for key, value in denoiser.state_dict().items()}
    with replace_atomically(Path(path)) as temporary:
        save_file(tensors, temporary)


def describe_whitening(denoiser: Denoiser) -> dict[str, Any]:
    """Return what a card says of a denoiser's whitening."""
    names = {made: name for name, made in WHITENINGS.items()}
    return {"kind": names[type(denoiser.whitening)], "length_unit": 1.0}


def read_card(path: str | Path) -> dict[str, Any]:
    """Read a prior's card.

    Raises:
        InputError: the file is missing or damaged, or lacks the whitening's kind or
            length unit.
    """
    card = read_document(path)
    try:
        card["whitening"]["length_unit"] = float(card["whitening"]["length_unit"])
        known = card["whitening"]["kind"] in WHITENINGS
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{path}: no whitening.kind or no number whitening.length_unit in it: "
            "train the prior again"
        ) from error
    if not known:
        raise InputError(
            f"{path}: whitening.kind {card['whitening']['kind']} is not one of "
            f"{', '.join(WHITENINGS)}: train the prior again"
        )
    return card


def refuse_trained_on(card_path: str | Path, names: Iterable[str]) -> None:
    """Refuse a network that was trained on the chain that it shall speak of.

    Args:
        card_path: its card.
        names: of the chain, as a training set would have it, such as 1HEL_A.

    Raises:
        InputError: the card is missing or damaged, does not tell what the network was
            trained on, or names the chain.
    """
    learnt = read_document(card_path).get("training_ids")
    if learnt is None:
        raise InputError(f"{card_path}: no training_ids in it: train the network again")
    for name in names:
        if name in learnt:
            raise InputError(
                f"{card_path}: the network was trained on {name}, so that nothing it "
                "says of it would be a prediction: take another target, or a network "
                "that has not seen it"
            )


def read_denoiser(weights: str | Path, card_path: str | Path) -> Denoiser:
    """Read a trained denoiser, on the CPU.

    Args:
        weights: `weights.safetensors`.
        card_path: its `card.json`.

    Raises:
        InputError: a file is missing, broken, or the two do not belong together.
    """
    card = read_card(card_path)
    try:
        tensors = load_file(weights)
        prefix = "whitening."
        whitening = WHITENINGS[card["whitening"]["kind"]](
            **{
                key.removeprefix(prefix): value
                for key, value in tensors.items()
                if key.startswith(prefix)
            }
        )
        denoiser = Denoiser(NetworkConfig(**card["architecture"]), whitening)
        denoiser.load_state_dict(tensors)
    except (
        OSError,
        SafetensorError,
        KeyError,
        TypeError,
        RuntimeError,
        ValueError,
    ) as error:
        raise InputError(
            f"{weights}: does not fit {card_path} ({error}): train the prior again"
        ) from error
    return denoiser


def read_prior(weights: str | Path, card_path: str | Path, sequence: str) -> Prior:
    """Read a prior of a chain.

    Args:
        weights: `weights.safetensors`.
        card_path: its `card.json`.
        sequence: one-letter codes of the chain it shall speak of.

    Returns:
        The prior, ready to denoise, on the CPU.

    Raises:
        InputError: as `read_denoiser`.
    """
    denoiser = read_denoiser(weights, card_path)
    return Prior(
        denoiser=denoiser.eval().requires_grad_(requires_grad=False),
        residue_types=torch.from_numpy(residue_types(sequence)),
        length_unit=read_card(card_path)["whitening"]["length_unit"],
    )
