"""Non-uniform FFTs where their input lies: finufft on a CPU, cufinufft on a GPU."""

import importlib
from types import ModuleType

import finufft
import torch
from jaxtyping import Complex, Float
from torch import Tensor

from equicryo.errors import InputError

ACCURACY = 1e-9
"""Relative accuracy asked of both libraries."""


def nufft_library(device: torch.device) -> ModuleType:
    """Return the library whose transforms run on a device.

    Args:
        device: of the tensors to be transformed.

    Returns:
        ``finufft`` for a CPU, ``cufinufft`` for a CUDA device.

    Raises:
        InputError: the device is a GPU and cufinufft is not installed, or it is of
            another kind.

    Source: Barnett, Magland & af Klinteberg 2019, doi:10.1137/18M120885X (finufft);
        Shih et al. 2021, doi:10.1109/IPDPSW52791.2021.00105 (cufinufft).
    """
    if device.type == "cpu":
        return finufft
    if device.type != "cuda":
        raise InputError(f"no non-uniform FFT for tensors on {device}: use cpu or cuda")
    try:
        return importlib.import_module("cufinufft")
    except ImportError as error:
        raise InputError(
            f"the images are on {device}, but cufinufft is not usable ({error}): pip "
            f"install cufinufft=={finufft.__version__}, or keep them on the CPU"
        ) from error


def adjoint_transform(
    points: Float[Tensor, "sample 3"], samples: Complex[Tensor, " sample"], edge: int
) -> Complex[Tensor, "z y x"]:
    """Return Σ_j samples_j e^{+i points_j · n} over the voxels n of a cube.

    On a CPU it repeats bit for bit; on a GPU, sums in no fixed order, to rounding.

    Args:
        points: rad per voxel, ordered x, y, z.
        samples: unit of the result.
        edge: voxels; n runs from −(edge // 2) along each axis.

    Raises:
        InputError: see `nufft_library`.

    Source: type 1 of Dutt & Rokhlin 1993, doi:10.1137/0914081.
    """
    library = nufft_library(points.device)
    axes, data, size = _axes(points), samples.detach(), (edge,) * 3
    if library is not finufft:
        options = {"gpu_device_id": points.device.index}
        return library.nufft3d1(*axes, data, size, isign=1, eps=ACCURACY, **options)
    # With more than one thread finufft's last bits differ from run to run.
    options = {"nthreads": 1}
    arrays = [axis.numpy() for axis in (*axes, data)]
    volume = library.nufft3d1(*arrays, size, isign=1, eps=ACCURACY, **options)
    return torch.from_numpy(volume)


def sample_transform(
    volume: Complex[Tensor, "z y x"], points: Float[Tensor, "sample 3"]
) -> Complex[Tensor, " sample"]:
    """Return Σ_n volume_n e^{−i points_j · n} at points j, n counted from n // 2.

    Args:
        volume: unit of the result.
        points: rad per voxel, ordered x, y, z.

    Raises:
        InputError: see `nufft_library`.

    Source: type 2 of Dutt & Rokhlin 1993, doi:10.1137/0914081.
    """
    library = nufft_library(points.device)
    axes, data = _axes(points), volume.detach()
    if library is not finufft:
        options = {"gpu_device_id": points.device.index}
        return library.nufft3d2(*axes, data, isign=-1, eps=ACCURACY, **options)
    options = {"nthreads": 1}
    arrays = [axis.numpy() for axis in (*axes, data)]
    samples = library.nufft3d2(*arrays, isign=-1, eps=ACCURACY, **options)
    return torch.from_numpy(samples)


def _axes(points: Float[Tensor, "sample 3"]) -> list[Float[Tensor, " sample"]]:
    """Split points into z, y, x: the libraries' first axis is the slowest."""
    return list(points.detach().T.flip(0).contiguous())
