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


def read_relion_estimate(paths: Sequence[str]) -> list[MapEstimate]:
    """Read the map that RELION made of the same images, where it did.

    Args:
        paths: none, or one MRC file.

    Raises:
        InputError: the file is damaged.
    """
    volumes = [torch.from_numpy(read_map(path).volume) for path in paths]
    return [
        MapEstimate(method="relion", mean=volume, spread=None, freedom=0)
        for volume in volumes
    ]
