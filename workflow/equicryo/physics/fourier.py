"""Fourier samples of square images: half plane, shells, transforms about pixel n // 2.

Only frequencies below Nyquist are kept: the corners beyond it, and the unpaired Nyquist
row, would alias in a rotated volume.

Source: elementary; the discrete Fourier transform and its conjugate symmetry.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Complex, Float, Int
from torch import Tensor


@dataclass(frozen=True, kw_only=True, eq=False)
class HalfPlane:
    """Independent Fourier samples of a real square image, |k| < Nyquist.

    Attributes:
        frequency: vectors (k_x, k_y), Å⁻¹, float64.
        multiplicity: 2 for a sample that stands for itself and its conjugate partner,
            1 at the origin; their sum is the number of real numbers measured.
        index: of each sample in the flattened ``torch.fft.rfft2``.
        shell: round(|k| · box · pixel), 0 to box / 2.
        frequency_step: 1 / (box · pixel), Å⁻¹.
        box_size: edge of the images, pixels.
    """

    frequency: Float[Tensor, "sample 2"]
    multiplicity: Float[Tensor, " sample"]
    index: Int[Tensor, " sample"]
    shell: Int[Tensor, " sample"]
    frequency_step: float
    box_size: int


def half_plane(
    box_size: int, pixel_size: float, *, device: torch.device | str = "cpu"
) -> HalfPlane:
    """List the independent Fourier samples of images below Nyquist.

    Args:
        box_size: edge of the images, pixels.
        pixel_size: Å.
        device: of the images.
    """
    step = 1.0 / (box_size * pixel_size)
    like = {"dtype": torch.float64, "device": device}
    k_y = torch.fft.fftfreq(box_size, 1.0 / box_size, **like)
    k_x = torch.fft.rfftfreq(box_size, 1.0 / box_size, **like)
    rows, columns = torch.meshgrid(k_y, k_x, indexing="ij")
    k2 = rows**2 + columns**2
    kept = (k2 < (box_size / 2) ** 2) & ((columns > 0) | (rows >= 0))
    frequency = torch.stack([columns[kept], rows[kept]], dim=-1)
    radius = frequency.norm(dim=-1)
    return HalfPlane(
        frequency=frequency * step,
        multiplicity=torch.where(radius > 0.0, 2.0, 1.0).double(),
        index=torch.nonzero(kept.flatten())[:, 0],
        shell=radius.round().long(),
        frequency_step=step,
        box_size=box_size,
    )


def image_to_samples(
    image: Float[Tensor, "*batch y x"], plane: HalfPlane
) -> Complex[Tensor, "*batch sample"]:
    """Transform images about pixel n // 2, unnormalised, and keep the half plane.

    Y(k) = Σ image(r) exp(−2πi k·r), r from the centre.

    Args:
        image: of the plane's box, in any unit.
        plane: the samples to keep.

    Returns:
        Samples in the unit of the images.
    """
    spectrum = torch.fft.rfft2(torch.fft.ifftshift(image, dim=(-2, -1)))
    return spectrum.flatten(-2)[..., plane.index]


def samples_to_image(
    samples: Complex[Tensor, "*batch sample"], plane: HalfPlane
) -> Float[Tensor, "*batch y x"]:
    """Build the image whose samples below Nyquist are given and are zero beyond.

    Inverse of `image_to_samples` on images without content at or above Nyquist.

    Args:
        samples: on the plane, in any unit.
        plane: where they lie.

    Returns:
        Images in the unit of the samples.
    """
    box = plane.box_size
    spectrum = samples.new_zeros(*samples.shape[:-1], box * (box // 2 + 1))
    spectrum[..., plane.index] = samples
    mirrored = plane.frequency[:, 0] == 0.0
    rows = plane.index[mirrored] // (box // 2 + 1)
    partner = (-rows % box) * (box // 2 + 1)
    spectrum[..., partner] = samples[..., mirrored].conj()
    # At the origin the partner is the sample itself, whose imaginary part must vanish.
    spectrum = spectrum.unflatten(-1, (box, box // 2 + 1))
    image = torch.fft.irfft2(spectrum, s=(box, box))
    return torch.fft.fftshift(image, dim=(-2, -1))
