"""Densities of reconstructions, read back to be scored."""

from collections.abc import Mapping, Sequence

import torch

from equicryo.evaluation.volume_scores import MapEstimate
from equicryo.io.maps import read_map


def read_volume_estimates(
    means: Sequence[str], spreads: Sequence[str], labels: Sequence[Mapping]
) -> list[MapEstimate]:
    """Read the posterior means and spreads of some reconstructions.

    Args:
        means: MRC files.
        spreads: MRC files, in the same order.
        labels: `method` of each, and `freedom` of its spread.

    Raises:
        InputError: a file is missing or damaged.
    """
    return [
        MapEstimate(
            method=label["method"],
            mean=torch.from_numpy(read_map(mean).volume),
            spread=torch.from_numpy(read_map(spread).volume),
            freedom=label["freedom"],
        )
        for mean, spread, label in zip(means, spreads, labels, strict=True)
    ]


def read_relion_estimate(paths: Sequence[str], edge: int) -> list[MapEstimate]:
    """Read the map that RELION made of the same images, where it did.

    Args:
        paths: none, or one MRC file.
        edge: central voxels that are kept.

    Raises:
        InputError: the file is damaged.
    """
    estimates = []
    for path in paths:
        volume = torch.from_numpy(read_map(path).volume)
        first = (len(volume) - edge) // 2
        kept = slice(first, first + edge)
        centre = volume[kept, kept, kept]
        estimates.append(
            MapEstimate(method="relion", mean=centre, spread=None, freedom=0)
        )
    return estimates
