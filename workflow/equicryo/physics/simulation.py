"""Simulated particle images of a known structure, in matched density."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from equicryo.errors import InputError
from equicryo.physics.fourier import half_plane, samples_to_image
from equicryo.physics.noise import draw_noise
from equicryo.physics.optics import Optics, contrast_transfer, unastigmatic
from equicryo.physics.pose import Pose, Views
from equicryo.physics.projection import project_gaussians
from equicryo.physics.rotations import draw_rotations
from equicryo.physics.sampling import smallest_box
from equicryo.structure.chain import Chain
from equicryo.structure.residues import residue_electrons

BLOBS = 13_000
"""Gaussians projected together, over all images of a batch: about 50 MB."""


@dataclass(frozen=True, kw_only=True)
class SimulationConfig:
    """One block `datasets.<name>` of the config; units are in the names.

    Attributes:
        target: which structure.
        density: ``matched``, a Gaussian a residue, or ``all-atom``.
        conformer: index of the held-out conformer that is the truth.
        ctf: ``on``, or ``off`` for images without a microscope.
        n_images: number of images.
        snr: variance of the clean images over the support / noise variance per pixel.
        chunk_size: images compressed by one job.
        box_size: edge of the images, pixels.
        pixel_size: Å.
        voltage_kv: acceleration voltage.
        spherical_aberration_mm: C_s.
        amplitude_contrast: fraction.
        defocus_um: lowest and highest underfocus.
        residue_width: standard deviation of a residue's Gaussian, Å.
    """

    target: str
    density: str
    conformer: int
    ctf: str
    n_images: int
    snr: float
    chunk_size: int
    box_size: int
    pixel_size: float
    voltage_kv: float
    spherical_aberration_mm: float
    amplitude_contrast: float
    defocus_um: Sequence[float]
    residue_width: float

    def __post_init__(self) -> None:
        """Check what the schema cannot: relations between fields.

        Raises:
            InputError: an odd box or a reversed range of defocus.
        """
        if self.box_size % 2:
            raise InputError(
                f"config.yaml: box_size is {self.box_size}: choose an even number"
            )
        low, high = self.defocus_um
        if low > high:
            raise InputError(
                f"config.yaml: defocus_um is [{low}, {high}]: put the lower value first"
            )

    @property
    def optics(self) -> Optics:
        """Optics in internal units; without a CTF, those whose CTF is 1 everywhere."""
        with_ctf = self.ctf == "on"
        return Optics(
            voltage=1e3 * self.voltage_kv,
            spherical_aberration=1e7 * self.spherical_aberration_mm * with_ctf,
            amplitude_contrast=self.amplitude_contrast if with_ctf else 1.0,
            pixel_size=self.pixel_size,
            box_size=self.box_size,
        )

    @property
    def defocus_range(self) -> tuple[float, float]:
        """Lowest and highest defocus, Å; zero without a CTF."""
        low, high = self.defocus_um
        return (1e4 * low, 1e4 * high) if self.ctf == "on" else (0.0, 0.0)


def check_sampling(settings: SimulationConfig, diameter: float) -> None:
    """Refuse a box in which the CTF would be aliased.

    Args:
        settings: of the simulation.
        diameter: of the molecule, Å.

    Raises:
        InputError: names the smallest box that works.
    """
    optics = settings.optics
    nyquist = 0.5 / optics.pixel_size
    smallest = max(
        smallest_box(optics, defocus, diameter, nyquist)
        for defocus in settings.defocus_range
    )
    if optics.box_size < smallest:
        raise InputError(
            f"config.yaml: box_size is {optics.box_size} pixels of {optics.pixel_size} "
            f"Å, too small for a molecule of {diameter:.0f} Å at defocus_um "
            f"{list(settings.defocus_um)}: its CTF would be aliased. Use box_size "
            f">= {smallest}, or less defocus"
        )


def choose_conformer(
    held_out: Float64[np.ndarray, "conformer residue 3"], settings: SimulationConfig
) -> Float64[np.ndarray, "residue 3"]:
    """Return the conformer that is the truth, centred at its Cα centroid, Å.

    Raises:
        InputError: there is no conformer of that index.
    """
    if not 0 <= settings.conformer < len(held_out):
        raise InputError(
            f"config.yaml: conformer is {settings.conformer}, but the ensemble of "
            f"{settings.target} holds out {len(held_out)}: choose one from 0 to "
            f"{len(held_out) - 1}"
        )
    truth = held_out[settings.conformer]
    return truth - truth.mean(axis=0)


def draw_views(settings: SimulationConfig, *, generator: torch.Generator) -> Views:
    """Draw uniform orientations and uniform defocus; all particles are centred."""
    low, high = settings.defocus_range
    rotation = draw_rotations(settings.n_images, generator=generator)
    unit = torch.rand(settings.n_images, dtype=torch.float64, generator=generator)
    shift = torch.zeros(settings.n_images, 2, dtype=torch.float64)
    return Views(
        optics=settings.optics,
        defocus=unastigmatic(low + (high - low) * unit),
        pose=Pose(rotation=rotation, shift=shift),
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class Specimen:
    """What is imaged: Gaussian blobs.

    Attributes:
        coordinates: centres, Å.
        weights: electrons of each blob.
        width: standard deviation of all blobs, or of each, Å.
    """

    coordinates: Float[Tensor, "residue 3"]
    weights: Float[Tensor, " residue"]
    width: float | Float[Tensor, " residue"]


def matched_specimen(truth: Chain, width: float) -> Specimen:
    """Describe each residue by one Gaussian at its Cα, as reconstructions do.

    Args:
        truth: the conformer.
        width: standard deviation of the Gaussians, Å.
    """
    return Specimen(
        coordinates=torch.from_numpy(truth.coordinates),
        weights=torch.from_numpy(residue_electrons(truth.sequence)),
        width=width,
    )


def clean_images(
    specimen: Specimen, views: Views
) -> Iterator[Float[Tensor, "particle y x"]]:
    """Yield noiseless, CTF-filtered images in batches, e⁻/Å², float64."""
    plane = half_plane(views.optics.box_size, views.optics.pixel_size)
    batch = max(1, BLOBS // len(specimen.weights))
    for start in range(0, len(views), batch):
        part = views[start : start + batch]
        samples = project_gaussians(
            specimen.coordinates, specimen.weights, specimen.width, part.pose, plane
        )
        ctf = contrast_transfer(plane.frequency, part.optics, part.defocus)
        yield samples_to_image(ctf * samples, plane)


def noise_variance(
    specimen: Specimen, views: Views, snr: float, support_size: int
) -> float:
    """Return the noise variance per pixel that gives a signal-to-noise ratio.

    The signal is the variance of all clean, CTF-filtered images over their central
    support_size × support_size pixels; other definitions differ by factors of 2 to 10.

    Args:
        specimen: what is imaged.
        views: of all images.
        snr: signal variance over noise variance.
        support_size: pixels.

    Returns:
        (e⁻/Å²)².
    """
    first = (views.optics.box_size - support_size) // 2
    centre = slice(first, first + support_size)
    count, total, squares = 0, 0.0, 0.0
    for images in clean_images(specimen, views):
        support = images[:, centre, centre]
        count += support.numel()
        total += float(support.sum())
        squares += float(support.square().sum())
    return (squares / count - (total / count) ** 2) / snr


def noisy_images(
    specimen: Specimen,
    views: Views,
    noise_power: Float[Tensor, " shell"],
    *,
    generator: torch.Generator,
) -> Iterator[Float[Tensor, "particle y x"]]:
    """Yield images with stationary Gaussian noise, in batches, e⁻/Å², float64.

    Args:
        specimen: what is imaged.
        views: of all images.
        noise_power: noise variance per pixel in each Fourier shell, (e⁻/Å²)².
        generator: source of the noise.
    """
    for images in clean_images(specimen, views):
        yield images + draw_noise(len(images), noise_power, generator=generator)
