"""Voxel priors on disk: weights in half precision, and a card of what they are."""

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from equicryo.errors import InputError
from equicryo.io.documents import read_document
from equicryo.io.files import replace_atomically
from equicryo.models.voxel_denoiser import VoxelDenoiser, VoxelNetworkConfig
from equicryo.models.voxel_prior import MeasuredErrors, VoxelPrior
from equicryo.models.voxel_whitening import SpectralWhitening
from equicryo.physics.normal_operator import NormalOperator

NETWORK, NOISE_LEVELS, ERRORS = "network.", "measured.noise_levels", "measured.errors"

SAMPLING_TOLERANCE = 0.01
"""Relative difference of pixel sizes that a prior does not notice."""


def write_voxel_weights(
    path: str | Path, denoiser: VoxelDenoiser, measured: MeasuredErrors
) -> None:
    """Write weights in float16, spectra and measured errors in float32."""
    tensors = {
        name: (value.half() if name.startswith(NETWORK) else value).contiguous()
        for name, value in denoiser.state_dict().items()
    }
    tensors |= {NOISE_LEVELS: measured.noise_levels, ERRORS: measured.ratios}
    with replace_atomically(Path(path)) as temporary:
        save_file(tensors, temporary)


def read_voxel_prior(
    weights: str | Path, card_path: str | Path, operator: NormalOperator
) -> VoxelPrior:
    """Read a voxel prior for the grid of some images, on the CPU.

    Args:
        weights: `weights.safetensors`.
        card_path: its `card.json`.
        operator: of the images; the prior must know its grid.

    Raises:
        InputError: a file is missing or broken, the two do not belong together, or the
            prior has not learnt densities of the images' grid.
    """
    card = read_document(card_path)
    try:
        tensors = load_file(weights)
        architecture = dict(card["architecture"])
        architecture["channels"] = tuple(architecture["channels"])
        errors = MeasuredErrors(
            noise_levels=tensors.pop(NOISE_LEVELS),
            ratios=tensors.pop(ERRORS),
            strength=torch.tensor(card["errors"]["strength"]),
        )
        denoiser = VoxelDenoiser(
            VoxelNetworkConfig(**architecture),
            SpectralWhitening(tensors["whitening.power"]),
        )
        denoiser.load_state_dict(tensors)
        grid, floor = card["whitening"]["grid"], float(card["whitening"]["floor"])
        box_size, sizes = int(grid["box_size"]), list(grid["pixel_sizes"])
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
    index = _find_grid(weights, operator, box_size, sizes)
    return VoxelPrior(
        denoiser=denoiser.eval().requires_grad_(requires_grad=False),
        pixel_index=index,
        pixel_size=sizes[index],
        edge=box_size,
        errors=errors,
        floor=floor,
    )


def _find_grid(
    weights: str | Path, operator: NormalOperator, box_size: int, sizes: list[float]
) -> int:
    """Return which of a prior's pixel sizes images have."""
    edge, pixel_size = operator.support_size, operator.pixel_size
    near = [abs(size / pixel_size - 1.0) < SAMPLING_TOLERANCE for size in sizes]
    if edge != box_size or not any(near):
        raise InputError(
            f"{weights}: the images' volume has {edge} voxels of {pixel_size:g} Å, but "
            f"the prior has learnt densities of {box_size} voxels of "
            f"{' or '.join(f'{size:g}' for size in sizes)} Å: resample the images, or "
            "train a prior on that grid"
        )
    return near.index(True)
