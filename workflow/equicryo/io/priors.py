"""Priors on disk: weights as safetensors, and a card that says what they are."""

from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from equicryo.errors import InputError
from equicryo.io.documents import read_document
from equicryo.io.files import replace_atomically
from equicryo.models.denoiser import Denoiser
from equicryo.models.prior import Prior
from equicryo.models.transformer import NetworkConfig
from equicryo.models.whitening import Whitening

WHITENING = ("mean", "basis", "variance")


def write_weights(path: str | Path, denoiser: Denoiser) -> None:
    """Write a denoiser's weights and whitening."""
    tensors = {key: value.contiguous() for key, value in denoiser.state_dict().items()}
    with replace_atomically(Path(path)) as temporary:
        save_file(tensors, temporary)


def read_card(path: str | Path) -> dict[str, Any]:
    """Read a prior's card.

    Raises:
        InputError: the file is missing or damaged, or has no length unit.
    """
    card = read_document(path)
    try:
        card["whitening"]["length_unit"] = float(card["whitening"]["length_unit"])
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{path}: no number whitening.length_unit in it: train the prior again"
        ) from error
    return card


def read_prior(weights: str | Path, card_path: str | Path) -> Prior:
    """Read a prior.

    Args:
        weights: `weights.safetensors`.
        card_path: its `card.json`.

    Returns:
        The prior, ready to denoise, on the CPU.

    Raises:
        InputError: a file is missing, broken, or the two do not belong together.
    """
    card = read_card(card_path)
    try:
        tensors = load_file(weights)
        denoiser = Denoiser(
            NetworkConfig(**card["architecture"]),
            Whitening(*(tensors[f"whitening.{name}"] for name in WHITENING)),
            tensors["residue_types"],
        )
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
    length_unit = card["whitening"]["length_unit"]
    return Prior(
        denoiser=denoiser.eval().requires_grad_(requires_grad=False),
        length_unit=length_unit,
    )
