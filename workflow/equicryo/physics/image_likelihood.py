"""The likelihood of images one by one: exact too, at a cost that grows with them.

It is needed where poses or mixtures vary, and checks the normal equations.

Source: Scheres 2012, doi:10.1016/j.jsb.2012.09.006, for Gaussian noise independent in
each Fourier coefficient.
"""

from dataclasses import dataclass

from jaxtyping import Complex, Float
from torch import Tensor

from equicryo.physics.compression import sample_weights
from equicryo.physics.fourier import HalfPlane, half_plane, image_to_samples
from equicryo.physics.optics import contrast_transfer
from equicryo.physics.pose import Views
from equicryo.physics.projection import project_gaussians, project_volume


@dataclass(frozen=True, kw_only=True, eq=False)
class MeasuredSamples:
    """Fourier samples of images, ready to be compared with predictions.

    Attributes:
        samples: unnormalised transform of each image about pixel n // 2.
        weight: multiplicity / (box² · noise variance) of each sample.
        views: of the images.
        plane: the samples' frequencies.
    """

    samples: Complex[Tensor, "particle sample"]
    weight: Float[Tensor, " sample"]
    views: Views
    plane: HalfPlane


def measure_samples(
    images: Float[Tensor, "particle y x"],
    views: Views,
    noise_power: Float[Tensor, " shell"],
) -> MeasuredSamples:
    """Transform images once.

    Args:
        images: e⁻/Å².
        views: of the images.
        noise_power: noise variance per pixel in each Fourier shell, (e⁻/Å²)².
    """
    device = images.device
    plane = half_plane(views.optics.box_size, views.optics.pixel_size, device=device)
    return MeasuredSamples(
        samples=image_to_samples(images.double(), plane),
        weight=sample_weights(plane, noise_power.to(device)),
        views=views,
        plane=plane,
    )


def log_likelihood_of_projections(
    measured: MeasuredSamples, projections: Complex[Tensor, "particle sample"]
) -> Float[Tensor, " particle"]:
    """Return −½ Σ w |Y − CTF Ŷ|² of each image, nats.

    This is log p(image | molecule, pose, optics) but for the noise's normalisation.

    Args:
        measured: the images.
        projections: predicted samples before the CTF, already at each particle's place.
    """
    optics, defocus = measured.views.optics, measured.views.defocus
    ctf = contrast_transfer(measured.plane.frequency, optics, defocus)
    residual = measured.samples - ctf * projections
    squares = residual.real.square() + residual.imag.square()
    return -0.5 * (measured.weight * squares).sum(-1)


def log_likelihood_of_gaussians(
    measured: MeasuredSamples,
    coordinates: Float[Tensor, "*particle residue 3"],
    weights: Float[Tensor, " residue"],
    width: float | Float[Tensor, " residue"],
) -> Float[Tensor, " particle"]:
    """Return the log-likelihood of each image under Gaussian blobs, nats.

    Args:
        measured: the images.
        coordinates: centres of the blobs, Å, one set for all images or one each.
        weights: electrons of each blob.
        width: standard deviation of all blobs, or of each, Å.
    """
    pose, plane = measured.views.pose, measured.plane
    projections = project_gaussians(coordinates, weights, width, pose, plane)
    return log_likelihood_of_projections(measured, projections)


def log_likelihood_of_volume(
    measured: MeasuredSamples, volume: Float[Tensor, "z y x"]
) -> Float[Tensor, " particle"]:
    """Return the log-likelihood of each image under a voxel volume, nats.

    Args:
        measured: the images.
        volume: e⁻/Å³ × pixel size, at the images' pixel size.
    """
    pose, plane = measured.views.pose, measured.plane
    pixel_size = measured.views.optics.pixel_size
    projections = project_volume(volume, pose, plane, pixel_size)
    return log_likelihood_of_projections(measured, projections)
