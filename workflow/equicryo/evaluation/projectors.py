"""Our Fourier-slice projector against torch-fourier-slice on the same work."""

import importlib
import statistics
from collections.abc import Callable, Sequence

from jaxtyping import Float
from torch import Tensor

from equicryo.errors import InputError
from equicryo.evaluation.timing import Measurement, median_ratio, time_in_turns
from equicryo.physics.fourier import half_plane, samples_to_image
from equicryo.physics.pose import Pose
from equicryo.physics.projection import project_gaussians, project_volume
from equicryo.physics.simulation import Specimen

OURS = "projector"


def measure_projectors(
    specimen: Specimen,
    rotation: Float[Tensor, "particle 3 3"],
    volume: Float[Tensor, "z y x"],
    paddings: Sequence[float],
    rounds: int,
) -> list[Measurement]:
    """Time projections of one volume in turns with torch-fourier-slice's.

    Both make images of the volume's box, ours in float64, theirs in float32, as each
    demands. The error of each is the norm of its difference from the closed form, over
    the norm of that.

    Args:
        specimen: Gaussians.
        rotation: from specimen to view.
        volume: the specimen on voxels of 1 Å.
        paddings: of torch-fourier-slice: edge of the padded over the given volume.
        rounds: how often each projector is timed.

    Raises:
        InputError: torch-fourier-slice is not installed.
    """
    pose = Pose(rotation=rotation, shift=rotation.new_zeros(len(rotation), 2))
    plane = half_plane(volume.shape[-1], 1.0)
    blobs = (specimen.coordinates, specimen.weights, specimen.width)
    exact = samples_to_image(project_gaussians(*blobs, pose, plane), plane)
    projectors = {
        OURS: lambda: samples_to_image(project_volume(volume, pose, plane, 1.0), plane)
    }
    for padding in paddings:
        name = f"torch_fourier_slice_pad{padding:g}"
        projectors[name] = _torch_fourier_slice(volume, rotation, padding)

    count = len(rotation)
    times = time_in_turns(projectors, rounds)
    found = []
    for name, project in projectors.items():
        error = (project() - exact).norm() / exact.norm()
        seconds = statistics.median(times[name])
        found += [
            Measurement(f"{name}_error", error.item(), "1", count),
            Measurement(f"{name}_seconds", seconds, "s", count),
        ]
        if name != OURS:
            ratio = median_ratio(times[name], times[OURS])
            found.append(Measurement(f"{name}_ratio", ratio, "1", count))
    return found


def _torch_fourier_slice(
    volume: Float[Tensor, "z y x"],
    rotation: Float[Tensor, "particle 3 3"],
    padding: float,
) -> Callable[[], Float[Tensor, "particle y x"]]:
    try:
        library = importlib.import_module("torch_fourier_slice")
    except ImportError as error:
        raise InputError(
            "projectors are compared with torch-fourier-slice, which is not installed: "
            "pip install -e '.[test]'"
        ) from error
    # Its matrices turn the slice, ours the specimen.
    single, turned = volume.float(), rotation.mT.float()
    return lambda: library.project_3d_to_2d(single, turned, pad_factor=padding)
