"""Normal equations and noise power as .npz files."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from equicryo.errors import InputError
from equicryo.io.arrays import check_forms, read_arrays, write_arrays
from equicryo.physics.normal_equations import NormalEquations

FORMS = MappingProxyType(
    {
        "b": (np.float64, 3),
        "K": (np.float64, 3),
        "data_energy": (np.float64, 0),
        "n_observations": (np.int64, 0),
        "n_images": (np.int64, 0),
        "pixel_size": (np.float64, 0),
        "box_size": (np.int64, 0),
        "noise_power": (np.float64, 1),
        "input_sha256": (np.str_, 0),
    }
)
NAMES = tuple(FORMS)


def write_normal(path: str | Path, normal: NormalEquations) -> None:
    """Write normal equations; the kernel is called K in the file."""
    arrays = {
        "b": normal.b.numpy(),
        "K": normal.kernel.numpy(),
        "data_energy": np.float64(normal.data_energy),
        "n_observations": np.int64(normal.n_observations),
        "n_images": np.int64(normal.n_images),
        "pixel_size": np.float64(normal.pixel_size),
        "box_size": np.int64(normal.box_size),
        "noise_power": normal.noise_power.numpy(),
        "input_sha256": np.str_(normal.input_sha256),
    }
    write_arrays(path, {name: np.asarray(arrays[name]) for name in NAMES})


def read_normal(path: str | Path) -> NormalEquations:
    """Read normal equations that `write_normal` wrote.

    Raises:
        InputError: the file is missing or damaged.
    """
    arrays = read_arrays(path, NAMES)
    check_forms(path, arrays, FORMS)
    edge = len(arrays["b"])
    shapes = (arrays["b"].shape, arrays["K"].shape)
    if edge % 2 or shapes != ((edge,) * 3, (2 * edge,) * 3):
        raise InputError(
            f"{path}: b and K are {shapes[0]} and {shapes[1]}, expected even "
            "cubes, K of twice the edge: delete the file to have it made anew"
        )
    return NormalEquations(
        b=torch.from_numpy(arrays["b"]),
        kernel=torch.from_numpy(arrays["K"]),
        data_energy=float(arrays["data_energy"]),
        n_observations=int(arrays["n_observations"]),
        n_images=int(arrays["n_images"]),
        pixel_size=float(arrays["pixel_size"]),
        box_size=int(arrays["box_size"]),
        noise_power=torch.from_numpy(arrays["noise_power"]),
        input_sha256=str(arrays["input_sha256"]),
    )


def write_noise_power(path: str | Path, noise_power: Float[Tensor, " shell"]) -> None:
    """Write the noise variance per pixel of each Fourier shell."""
    write_arrays(path, {"noise_power": noise_power.numpy()})


def read_noise_power(path: str | Path) -> Float[Tensor, " shell"]:
    """Read what `write_noise_power` wrote.

    Raises:
        InputError: the file is missing or damaged.
    """
    return torch.from_numpy(read_arrays(path, ["noise_power"])["noise_power"])


def write_group_noise(
    path: str | Path, noise_power: Mapping[int, Float[Tensor, " shell"]]
) -> None:
    """Write the noise variance per pixel in each Fourier shell, by optics group."""
    write_arrays(
        path, {str(group): power.numpy() for group, power in noise_power.items()}
    )


def read_group_noise(path: str | Path, group: int) -> Float[Tensor, " shell"]:
    """Read the noise power of one optics group that `write_group_noise` wrote.

    Raises:
        InputError: the file is missing or damaged, or lacks the group.
    """
    return torch.from_numpy(read_arrays(path, [str(group)])[str(group)])
