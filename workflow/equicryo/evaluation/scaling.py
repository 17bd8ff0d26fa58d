"""How a prior's denoising of unseen chains gains from data, width and compute."""

from collections.abc import Iterable, Mapping
from typing import Any

SCALING_COLUMNS = (
    *("prior", "width", "chains", "residues_seen"),
    *("noise_level", "rmsd", "rmsd_error", "n"),
)
"""`residues_seen`: of training, with repetition; `rmsd`: mean over the `n` test chains,
Å, and its standard error."""

COMPUTE_COLUMNS = ("prior", "width", "chains", "residues_seen", "noise_level", "rmsd")
"""As above, on the way: over the validation chains, after so many residues."""


def scaling_rows(
    prior: str, card: Mapping[str, Any], denoising: Iterable[Mapping[str, str]]
) -> list[dict[str, str | int | float]]:
    """Put what a prior learnt from beside how well it denoises.

    Args:
        prior: its name.
        card: its card.
        denoising: rows of `denoising.DENOISING_COLUMNS`, as read from a file.

    Returns:
        Rows of `SCALING_COLUMNS`, of the network that knows the sequence.
    """
    training = card["config"]["training"]
    return [
        {
            **_learnt(prior, card, training["steps"]),
            "noise_level": float(row["noise_level"]),
            "rmsd": float(row["rmsd"]),
            "rmsd_error": float(row["rmsd_error"]),
            "n": int(row["n"]),
        }
        for row in denoising
        if row["method"] == "sequence"
    ]


def compute_rows(
    prior: str, card: Mapping[str, Any], curve: Iterable[Mapping[str, str]]
) -> list[dict[str, str | int | float]]:
    """List the errors on validation chains against what the training had seen by then.

    Args:
        prior: its name.
        card: its card.
        curve: rows of `training.CURVE_COLUMNS`, as read from a file.

    Returns:
        Rows of `COMPUTE_COLUMNS`.
    """
    return [
        {
            **_learnt(prior, card, int(row["step"])),
            "noise_level": float(name.removeprefix("rmsd_")),
            "rmsd": float(value),
        }
        for row in curve
        for name, value in row.items()
        if name.startswith("rmsd_")
    ]


def _learnt(prior: str, card: Mapping[str, Any], steps: int) -> dict[str, str | int]:
    return {
        "prior": prior,
        "width": card["architecture"]["width"],
        "chains": len(card["training_ids"]),
        "residues_seen": steps * card["config"]["training"]["batch_residues"],
    }
