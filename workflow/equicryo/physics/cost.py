"""What long steps take, to be told before they start: measured on one core at 2.5 GHz.

Time is good to a factor of two elsewhere. Source: the step's own measured runs.
"""

from equicryo.physics.compression import BATCH as COMPRESSED_TOGETHER
from equicryo.physics.optics import Optics
from equicryo.physics.simulation import Specimen, is_projected_from_volume

LIBRARIES = 0.4e9
"""Bytes that a process with its libraries takes before any image."""


def simulation_cost(
    specimen: Specimen, optics: Optics, count: int
) -> tuple[float, float]:
    """Return the memory (bytes) and time (s) that simulating images takes, about.

    Args:
        specimen: what is imaged.
        optics: with the images' box, pixels.
        count: number of images.
    """
    pixels = optics.box_size**2
    if is_projected_from_volume(specimen, optics.pixel_size):
        return LIBRARIES + 0.7e9 + 2e4 * pixels, 2.0 + 6e-7 * pixels * count
    blobs = len(specimen.weights)
    return LIBRARIES + 1e4 * pixels, (1e-7 + 6e-10 * blobs) * pixels * count


def compression_cost(
    box_size: int, support_size: int, count: int
) -> tuple[float, float]:
    """Return the memory (bytes) and time (s) that compressing images takes, about.

    Args:
        box_size: edge of the images, pixels.
        support_size: edge of the volume, voxels.
        count: number of images.
    """
    batch = min(count, COMPRESSED_TOGETHER)
    # K has twice the edge of the volume, and its transform twice that again.
    memory = LIBRARIES + 16.0 * (4 * support_size) ** 3 + 150.0 * batch * box_size**2
    return memory, 1e-6 * support_size**3 + 7e-7 * count * box_size**2
