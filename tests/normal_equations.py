"""Normal equations without images, for tests that need only what they say."""

import torch

from equicryo.physics.normal_equations import NormalEquations


def seen_through(
    kernel: torch.Tensor,
    b: torch.Tensor | None = None,
    *,
    data_energy: float = 0.0,
    pixel_size: float = 1.0,
    n_images: int = 1,
) -> NormalEquations:
    """Let images have this kernel, and say b: zero if not given."""
    edge = len(kernel) // 2
    return NormalEquations(
        b=torch.zeros((edge,) * 3, dtype=torch.float64) if b is None else b,
        kernel=kernel,
        data_energy=data_energy,
        n_observations=n_images * edge**3,
        n_images=n_images,
        pixel_size=pixel_size,
        box_size=edge,
        noise_power=torch.ones(edge // 2 + 1, dtype=torch.float64),
        input_sha256="0" * 64,
    )


def spike(edge: int, height: float) -> torch.Tensor:
    """Return the kernel of volumes seen voxel by voxel, in white noise."""
    kernel = torch.zeros((2 * edge,) * 3, dtype=torch.float64)
    kernel[edge, edge, edge] = height
    return kernel


def bell(edge: int, height: float, width: float) -> torch.Tensor:
    """Return a kernel that falls off as a Gaussian of this width in voxels."""
    lag = torch.arange(-edge, edge, dtype=torch.float64) / width
    square = lag[:, None, None] ** 2 + lag[:, None] ** 2 + lag**2
    return height * torch.exp(-0.5 * square)
