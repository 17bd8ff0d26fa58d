"""Compress images with known poses into normal equations with non-uniform FFTs.

Source: Wang, Shkolnisky & Singer 2013, arXiv:1307.5824, for the Toeplitz form.
"""

import hashlib
import math
from collections.abc import Iterable, Iterator

import numpy as np
import torch
from jaxtyping import Complex, Float
from torch import Tensor

from equicryo.physics.fourier import HalfPlane, half_plane, image_to_samples
from equicryo.physics.normal_equations import NormalEquations, add_digests
from equicryo.physics.nufft import adjoint_transform
from equicryo.physics.optics import contrast_transfer
from equicryo.physics.pose import Views, slice_frequencies

BATCH = 250
"""Images transformed together: 0.6 GB of working memory at 128 pixels."""


def compress_images(
    batches: Iterable[tuple[Float[Tensor, "_ y x"], Views]],
    noise_power: Float[Tensor, " shell"],
    support_size: int,
) -> NormalEquations:
    """Compress batches of images into the normal equations of their likelihood.

    With q = Rᵀ (k, 0), w = 1/(box² · noise_power) and t the particle's position,
    b(r) = Σ w CTF e^{2πi k·t} Y(k) e^{2πi q·r} and K(r) = Σ w CTF² e^{2πi q·r}.

    Args:
        batches: images (e⁻/Å²) and their views, all of one optics group's box and
            pixel size; held in memory one at a time.
        noise_power: noise variance per pixel in each Fourier shell, (e⁻/Å²)².
        support_size: edge of the volume, voxels.

    Raises:
        ValueError: no images.
    """
    total: _Sums | None = None
    for images, views in batches:
        for start in range(0, len(images), BATCH):
            part = slice(start, start + BATCH)
            if total is None:
                total = _Sums(views[part], noise_power, support_size)
            total.add(images[part], views[part])
    if total is None:
        raise ValueError("there are no images to compress")
    return total.result()


class _Sums:
    """Running sums over images, with the plans of their transforms."""

    def __init__(
        self, views: Views, noise_power: Float[Tensor, " shell"], support_size: int
    ) -> None:
        self.optics = views.optics
        device = views.pose.rotation.device
        self.noise_power = noise_power.to(device)
        self.plane = half_plane(
            self.optics.box_size, self.optics.pixel_size, device=device
        )
        self.weight = sample_weights(self.plane, self.noise_power)
        self.b = self.weight.new_zeros((support_size,) * 3)
        self.kernel = self.weight.new_zeros((2 * support_size,) * 3)
        self.data_energy = self.weight.new_zeros(())
        self.digests: list[str] = []

    def add(self, images: Float[Tensor, "particle y x"], views: Views) -> None:
        """Add a batch of images."""
        samples = image_to_samples(images.double(), self.plane)
        ctf = contrast_transfer(self.plane.frequency, views.optics, views.defocus)
        phase = (2.0 * math.pi) * views.pose.shift @ self.plane.frequency.T
        centred = torch.polar(self.weight * ctf, phase) * samples
        slices = slice_frequencies(views.pose.rotation, self.plane.frequency)
        points = slices.flatten(0, 1) * (2.0 * math.pi * views.optics.pixel_size)
        self.b += back_project(points, centred.flatten(), len(self.b))
        squares = (self.weight * ctf.square()).flatten()
        self.kernel += back_project(points, squares.to(centred.dtype), len(self.kernel))
        self.data_energy += (self.weight * samples.abs().square()).sum()
        self.digests += [image_digest(*pair) for pair in _pairs(images, views)]

    def result(self) -> NormalEquations:
        """Return the sums."""
        count = len(self.digests)
        return NormalEquations(
            b=self.b.cpu(),
            kernel=self.kernel.cpu(),
            data_energy=float(self.data_energy),
            n_observations=count * int(self.plane.multiplicity[self.weight > 0].sum()),
            n_images=count,
            pixel_size=self.optics.pixel_size,
            box_size=self.optics.box_size,
            noise_power=self.noise_power.cpu(),
            input_sha256=add_digests(self.digests),
        )


def sample_weights(
    plane: HalfPlane, noise_power: Float[Tensor, " shell"]
) -> Float[Tensor, " sample"]:
    """Return multiplicity / (box² · noise variance), the weight of |Y − Ŷ|² in χ².

    The origin of Fourier space has none: an image's mean tells of exposure and
    normalisation, not of the molecule, so a constant added to it changes nothing.

    Args:
        plane: the samples.
        noise_power: variance per pixel in each shell, so that E|noise(k)|² is box²
            times it.
    """
    varying = plane.multiplicity * plane.frequency.any(-1)
    return varying / (plane.box_size**2 * noise_power[plane.shell])


def back_project(
    points: Float[Tensor, "sample 3"], samples: Complex[Tensor, " sample"], edge: int
) -> Float[Tensor, "z y x"]:
    """Return Re Σ_j samples_j e^{i points_j · n} over voxels n, [z, y, x].

    Adjoint of the projection's Fourier samples; n runs from −edge/2 to edge/2 − 1.

    Args:
        points: 2π q · pixel size, rad per voxel, ordered x, y, z.
        samples: half-plane samples, already weighted by their multiplicity.
        edge: of the volume, voxels.
    """
    return adjoint_transform(points, samples, edge).real.contiguous()


def image_digest(image: Float[Tensor, "1 y x"], view: Views) -> str:
    """Hash one image's pixels (float32) with its pose, defocus and optics (float64).

    Args:
        image: e⁻/Å².
        view: of the image.
    """
    digest = hashlib.sha256(image.float().cpu().numpy().tobytes())
    optics = vars(view.optics).values()
    digest.update(np.array(list(optics), dtype=np.float64).tobytes())
    for value in (*vars(view.defocus).values(), *vars(view.pose).values()):
        digest.update(value.double().cpu().numpy().tobytes())
    return digest.hexdigest()


def _pairs(
    images: Float[Tensor, "particle y x"], views: Views
) -> Iterator[tuple[Float[Tensor, "1 y x"], Views]]:
    for index in range(len(images)):
        one = slice(index, index + 1)
        yield images[one], views[one]
