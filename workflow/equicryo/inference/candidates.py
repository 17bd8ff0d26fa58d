"""Places where Cα atoms may lie, found in maps."""

import numpy as np
from jaxtyping import Float, Float64, Int64
from scipy.ndimage import convolve, map_coordinates
from torch import Tensor

TINY = 1e-12


def cover_greedily(
    occupancy: Float[Tensor, "z y x"],
    pixel_size: float,
    count: int,
    radius: float,
) -> tuple[Float64[np.ndarray, "candidate 3"], Float64[np.ndarray, " candidate"]]:
    """Cover a map of expected numbers by balls, the fullest first.

    Each ball takes what it holds; its place is the centre of that.

    Args:
        occupancy: expected number of atoms in each voxel, not negative.
        pixel_size: edge of a voxel, Å.
        count: how many balls.
        radius: of a ball, Å.

    Returns:
        Places, Å, origin on voxel n // 2, and the number that each ball held.

    Source: Nemhauser, Wolsey & Fisher 1978, doi:10.1007/BF01588971, for how near a
        greedy cover comes to the best.
    """
    reach = int(np.ceil(radius / pixel_size))
    offset = np.mgrid[(slice(-reach, reach + 1),) * 3]
    ball = ((offset**2).sum(0) * pixel_size**2 <= radius**2).astype(np.float64)
    left = np.pad(occupancy.double().numpy(), 3 * reach)
    contents = convolve(left, ball, mode="constant")
    core = (slice(3 * reach, -3 * reach),) * 3
    places, held = np.empty((count, 3)), np.empty(count)
    for number in range(count):
        fullest = np.unravel_index(contents[core].argmax(), occupancy.shape)
        middle = np.array(fullest) + 3 * reach
        taken = left[_window(middle, reach)] * ball
        held[number] = taken.sum()
        drift = (taken * offset).sum((1, 2, 3)) / max(held[number], TINY)
        centre = middle + drift - 3 * reach - len(occupancy) // 2
        places[number] = pixel_size * centre[::-1]
        left[_window(middle, reach)] *= 1.0 - ball
        around = convolve(left[_window(middle, 3 * reach)], ball, mode="constant")
        inner = slice(reach, -reach)
        contents[_window(middle, 2 * reach)] = around[inner, inner, inner]
    return places, held


def _window(middle: Int64[np.ndarray, "3"], reach: int) -> tuple[slice, ...]:
    return tuple(slice(m - reach, m + reach + 1) for m in middle.tolist())


def sample_map(
    values: Float[Tensor, "z y x"],
    points: Float64[np.ndarray, "point 3"],
    pixel_size: float,
) -> Float64[np.ndarray, " point"]:
    """Interpolate a map by cubic splines at points (x, y, z), Å; zero outside it."""
    edge = len(values)
    place = points[:, ::-1] / pixel_size + edge // 2
    return map_coordinates(values.double().numpy(), place.T, order=3)
