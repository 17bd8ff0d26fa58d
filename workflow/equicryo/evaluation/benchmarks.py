"""What the physics costs, and what its alternatives cost on the same work."""

import logging
import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter

import torch
from jaxtyping import Float
from torch import Tensor

from equicryo.evaluation.projectors import measure_projectors
from equicryo.evaluation.timing import (
    Measurement,
    median_ratio,
    peak_memory,
    time_call,
    time_in_turns,
)
from equicryo.physics.compression import compress_images
from equicryo.physics.density import gaussian_volume
from equicryo.physics.image_likelihood import log_likelihood_of_volume, measure_samples
from equicryo.physics.noise import white_power
from equicryo.physics.normal_equations import NormalEquations
from equicryo.physics.normal_operator import NormalOperator, prepare_operator
from equicryo.physics.optics import Optics, unastigmatic
from equicryo.physics.pose import Pose, Views
from equicryo.physics.rotations import draw_rotations
from equicryo.physics.simulation import Specimen

logger = logging.getLogger(__name__)

RESIDUES = 129
RADIUS = 22.0
WIDTH = 1.5
NOISE_VARIANCE = 10.0

Batches = Iterable[tuple[Float[Tensor, "_ y x"], Views]]


@dataclass(frozen=True, kw_only=True)
class BenchmarkConfig:
    """How much work is timed.

    Attributes:
        stack_images: images on disk; larger counts read them again and again.
        image_counts: how many are compressed, ascending.
        loop_images: in the image loop; one of `image_counts`.
        projections: drawn by each projector.
        paddings: of torch-fourier-slice, edges of the padded over the given volume.
        rounds: repetitions, of which the median counts.
        box_size: edge of the images, pixels of 1 Å.
        support_size: edge of the volume, voxels.
    """

    stack_images: int
    image_counts: Sequence[int]
    loop_images: int
    projections: int
    paddings: Sequence[float]
    rounds: int
    box_size: int
    support_size: int


def draw_workload(
    settings: BenchmarkConfig, *, generator: torch.Generator
) -> tuple[Specimen, Views, Float[Tensor, " shell"]]:
    """Draw a molecule of lysozyme's size, the views of a stack and its noise power."""
    direction = torch.randn(RESIDUES, 3, dtype=torch.float64, generator=generator)
    radius = RADIUS * torch.rand(RESIDUES, 1, dtype=torch.float64, generator=generator)
    specimen = Specimen(
        coordinates=radius * direction / direction.norm(dim=-1, keepdim=True),
        weights=torch.full((RESIDUES,), 60.0, dtype=torch.float64),
        width=WIDTH,
    )
    count = settings.stack_images
    unit = torch.rand(count, dtype=torch.float64, generator=generator)
    views = Views(
        optics=Optics(
            voltage=3e5,
            spherical_aberration=2.7e7,
            amplitude_contrast=0.1,
            pixel_size=1.0,
            box_size=settings.box_size,
        ),
        defocus=unastigmatic(3e3 + 3e3 * unit),
        pose=Pose(
            rotation=draw_rotations(count, generator=generator),
            shift=torch.zeros(count, 2, dtype=torch.float64),
        ),
    )
    return specimen, views, white_power(NOISE_VARIANCE, settings.box_size)


def cycle_batches(
    read: Callable[[int, int], Batches], stack_images: int, count: int
) -> Iterator[tuple[Float[Tensor, "_ y x"], Views]]:
    """Yield `count` images by reading a stack again and again.

    Args:
        read: returns batches of the stack's images from a first to one past a last.
        stack_images: in the stack.
        count: to be yielded.
    """
    while count > 0:
        part = min(count, stack_images)
        yield from read(0, part)
        count -= part


def measure_compression(
    stream: Callable[[int], Batches],
    noise_power: Float[Tensor, " shell"],
    settings: BenchmarkConfig,
) -> tuple[dict[int, NormalEquations], list[Measurement]]:
    """Time the compression of growing numbers of images, reading included.

    The peak is that of the whole process so far: call this before anything larger.

    Args:
        stream: returns batches of a number of images.
        noise_power: variance per pixel in each shell, (e⁻/Å²)².
        settings: `image_counts` is taken in its order.

    Returns:
        Normal equations for each number of images, and the measurements.
    """
    normals, found = {}, []
    for count in settings.image_counts:
        start = perf_counter()
        normals[count] = compress_images(
            stream(count), noise_power, settings.support_size
        )
        seconds = perf_counter() - start
        found += [
            Measurement("compress_seconds", seconds, "s", count),
            Measurement("compress_rate", count / seconds, "images/s", count),
            Measurement("compress_peak_memory", peak_memory(), "GB", count),
        ]
        logger.info("%d images compressed in %.0f s", count, seconds)
    return normals, found


def measure_gradients(
    operators: Mapping[int, NormalOperator],
    volume: Float[Tensor, "z y x"],
    settings: BenchmarkConfig,
) -> list[Measurement]:
    """Time one gradient of the log-likelihood for several numbers of images.

    Args:
        operators: by number of images.
        volume: where to take the gradient.
        settings: of the rounds.

    Returns:
        Seconds for each, and for all but the first their ratio to the first: the
        median of the rounds' own ratios.
    """
    works = {count: _gradient(one, volume) for count, one in operators.items()}
    times = time_in_turns(works, settings.rounds)
    first, *others = times
    seconds = {count: statistics.median(times[count]) for count in times}
    found = [
        Measurement("gradient_seconds", seconds[count], "s", count) for count in times
    ]
    for count in others:
        ratio = median_ratio(times[count], times[first])
        found.append(Measurement(f"gradient_ratio_to_{first}", ratio, "1", count))
    return found


def _gradient(
    operator: NormalOperator, volume: Float[Tensor, "z y x"]
) -> Callable[[], object]:
    leaf = volume.detach().requires_grad_()
    return lambda: torch.autograd.grad(operator.log_likelihood(leaf), leaf)


def measure_image_loop(
    batches: Batches,
    noise_power: Float[Tensor, " shell"],
    operator: NormalOperator,
    volume: Float[Tensor, "z y x"],
) -> list[Measurement]:
    """Time one gradient by a loop over all images, against the normal equations'.

    Reading the images and their FFT are not counted; a gradient of the normal equations
    is timed after each batch.

    Args:
        batches: of the images behind the operator.
        noise_power: variance per pixel in each shell, (e⁻/Å²)².
        operator: normal equations of all the images.
        volume: where to take the gradient.
    """
    volume = volume.detach().requires_grad_()
    count, seconds, fast = 0, 0.0, []
    for images, views in batches:
        measured = measure_samples(images, views, noise_power)
        start = perf_counter()
        value = log_likelihood_of_volume(measured, volume).sum()
        torch.autograd.grad(value, volume)
        seconds += perf_counter() - start
        count += len(images)
        fast.append(time_call(_gradient(operator, volume)))
        logger.info("image loop: %d images in %.0f s", count, seconds)
    return [
        Measurement("image_loop_gradient_seconds", seconds, "s", count),
        Measurement("image_loop_ratio", seconds / statistics.median(fast), "1", count),
    ]


def measure_physics(
    stream: Callable[[int], Batches],
    workload: tuple[Specimen, Views, Float[Tensor, " shell"]],
    settings: BenchmarkConfig,
) -> list[Measurement]:
    """Measure everything, memory first.

    Args:
        stream: returns batches of a number of images of the workload's stack.
        workload: of `draw_workload`.
        settings: how much of it.
    """
    specimen, views, noise_power = workload
    rotation = views.pose.rotation[: settings.projections]
    normals, found = measure_compression(stream, noise_power, settings)
    operators = {count: prepare_operator(one) for count, one in normals.items()}
    blobs = (specimen.coordinates, specimen.weights, specimen.width)
    volume = gaussian_volume(*blobs, settings.support_size, 1.0)
    found += measure_gradients(operators, volume, settings)
    loop = settings.loop_images
    found += measure_image_loop(stream(loop), noise_power, operators[loop], volume)
    return found + measure_projectors(
        specimen, rotation, volume, settings.paddings, settings.rounds
    )
