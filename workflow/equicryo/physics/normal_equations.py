"""Normal equations: images with known poses, compressed to a vector and a kernel.

With known poses the log-likelihood of any number of images is quadratic in the volume V
and its normal operator is a convolution,

    log p(images | V) = ⟨b, V⟩ − ½ ⟨V, K * V⟩ − ½ data_energy + const,

so its cost does not depend on the number of images. `compression` computes b and K.

Source: Wang, Shkolnisky & Singer 2013, arXiv:1307.5824.
"""

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float64
from torch import Tensor

HASH_MODULUS = 1 << 256


@dataclass(frozen=True, kw_only=True, eq=False)
class NormalEquations:
    """Everything the images say about the volume; all terms add over images.

    Attributes:
        b: back-projection of the weighted images, nats per unit of volume.
        kernel: K over lags of −N to N − 1 voxels, zero lag at index N.
        data_energy: Σ w |Y|², so that χ² is (data_energy + quadratic terms) per
            observation.
        n_observations: real numbers measured: Fourier samples below Nyquist but for
            the origin.
        n_images: number of images.
        pixel_size: of the volume, Å.
        box_size: edge of the images, pixels.
        noise_power: noise variance per pixel in each Fourier shell of the images.
        input_sha256: sum modulo 2²⁵⁶ of one SHA-256 per image and its pose, optics and
            defocus: the same in any order and any division into chunks.
    """

    b: Float64[Tensor, "z y x"]
    kernel: Float64[Tensor, "z_lag y_lag x_lag"]
    data_energy: float
    n_observations: int
    n_images: int
    pixel_size: float
    box_size: int
    noise_power: Float64[Tensor, " shell"]
    input_sha256: str

    def __post_init__(self) -> None:
        """Refuse a kernel that does not fit the back-projection.

        Raises:
            ValueError: b is not an even cube or the kernel not one of twice its edge.
        """
        edge = self.support_size
        if tuple(self.b.shape) != (edge,) * 3 or edge % 2:
            raise ValueError(f"b has shape {tuple(self.b.shape)}, not an even cube")
        if tuple(self.kernel.shape) != (2 * edge,) * 3:
            shape = tuple(self.kernel.shape)
            raise ValueError(f"the kernel has shape {shape}, not {(2 * edge,) * 3}")

    @property
    def support_size(self) -> int:
        """Edge of the volume, voxels."""
        return self.b.shape[-1]


def add_normal_equations(chunks: Iterable[NormalEquations]) -> NormalEquations:
    """Add the normal equations of disjoint sets of images, in the order given.

    The order fixes the rounding, so that a sum repeats bit for bit. Two chunks are held
    in memory at a time if `chunks` makes them one by one.

    Args:
        chunks: of one volume grid, box and noise power.

    Raises:
        ValueError: no chunks, or chunks that differ in grid or noise.
    """
    chunks = iter(chunks)
    first = next(chunks, None)
    if first is None:
        raise ValueError("there are no normal equations to add")
    return functools.reduce(_add, chunks, first)


def _add(first: NormalEquations, second: NormalEquations) -> NormalEquations:
    if (
        second.b.shape != first.b.shape
        or second.pixel_size != first.pixel_size
        or second.box_size != first.box_size
        or not torch.equal(second.noise_power, first.noise_power)
    ):
        raise ValueError("chunks differ in grid, pixel size or noise power")
    return replace(
        first,
        b=first.b + second.b,
        kernel=first.kernel + second.kernel,
        data_energy=first.data_energy + second.data_energy,
        n_observations=first.n_observations + second.n_observations,
        n_images=first.n_images + second.n_images,
        input_sha256=add_digests([first.input_sha256, second.input_sha256]),
    )


def add_digests(digests: Sequence[str]) -> str:
    """Add hexadecimal SHA-256 digests modulo 2²⁵⁶, so that order does not matter.

    Args:
        digests: 64 hexadecimal digits each.

    Source: Bellare & Micciancio 1997 (AdHash), doi:10.1007/3-540-69053-0_13. It guards
        against mix-ups, not against an adversary.
    """
    total = sum(int(digest, 16) for digest in digests) % HASH_MODULUS
    return f"{total:064x}"


def coarsen(normal: NormalEquations, support_size: int) -> NormalEquations:
    """Low-pass the normal equations to a coarser grid of the same extent.

    The log-likelihood of a volume without content above the coarse Nyquist frequency is
    unchanged: it may be sampled with `gaussian_volume` at the coarse pixel size.

    Args:
        normal: on N voxels of pixel_size.
        support_size: new edge n, voxels, even, at most N.

    Returns:
        Normal equations on n voxels of pixel_size · N / n. Data energy, observations
        and noise power are those of the images, unchanged.

    Raises:
        ValueError: `support_size` is odd or larger than the present edge.
    """
    edge = normal.support_size
    if support_size % 2 or not 0 < support_size <= edge:
        raise ValueError(f"support_size is {support_size}, not even and at most {edge}")
    factor = edge / support_size
    # A volume carries density × pixel size, and a sum over voxels pixel_size⁻³.
    return replace(
        normal,
        b=_crop_spectrum(normal.b, support_size) / factor,
        kernel=_crop_spectrum(normal.kernel, 2 * support_size) * factor,
        pixel_size=normal.pixel_size * factor,
    )


def _crop_spectrum(
    volume: Float64[Tensor, "n n n"], edge: int
) -> Float64[Tensor, "m m m"]:
    """Keep the lowest frequencies of a volume, summed (not averaged) over voxels."""
    axes = (-3, -2, -1)
    old = volume.shape[-1]
    if edge == old:
        return volume
    spectrum = torch.fft.fftshift(torch.fft.fftn(torch.fft.ifftshift(volume)))
    low = (old - edge) // 2
    window = slice(low, low + edge)
    spectrum = spectrum[window, window, window].clone()
    for axis in axes:  # the unpaired Nyquist planes have no partner to stay real with
        spectrum.select(axis, 0).zero_()
    return torch.fft.fftshift(torch.fft.ifftn(torch.fft.ifftshift(spectrum)).real)
