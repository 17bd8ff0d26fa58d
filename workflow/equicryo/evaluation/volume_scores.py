"""How good a density is against the truth: resolution, correlation, honest spread."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from equicryo.evaluation.coverage import interval_coverage
from equicryo.evaluation.fsc import (
    masked_correlation,
    shell_correlation,
    soft_sphere,
)

VOXEL_COLUMNS = (
    "target",
    "total_snr",
    "method",
    "fsc05",
    "masked_cc",
    "coverage90",
    "n",
)
"""Columns of `voxel.csv`; the scores are means over n reconstructions."""

INTERVAL = 0.9
"""Probability of the intervals of single voxels."""

SCORE_COLUMNS = (
    "dataset",
    *VOXEL_COLUMNS[:3],
    "fsc05",
    "fsc_area",
    *VOXEL_COLUMNS[4:6],
)

LOCAL_RADIUS = 10.0
"""Å: of the sphere in which local resolution is measured."""


def fsc_crossing(
    fsc: Float[Tensor, " shell"], pixel_size: float, level: float
) -> float:
    """Return the resolution at which an FSC first falls below a level, Å.

    Between shells it is interpolated in frequency.

    Args:
        fsc: of shells 0 to box / 2.
        pixel_size: Å.
        level: e.g. 0.5.

    Returns:
        Å; two pixels if it never falls below, infinite if it is below from shell 1 on.
    """
    extent = 2 * (len(fsc) - 1) * pixel_size
    below = torch.nonzero(fsc[1:] < level)
    if not len(below):
        return 2.0 * pixel_size
    shell = int(below[0]) + 1
    if shell == 1:
        return math.inf
    above, under = float(fsc[shell - 1]), float(fsc[shell])
    return extent / (shell - 1 + (above - level) / (above - under))


def fsc_area(fsc: Float[Tensor, " shell"]) -> float:
    """Return the mean FSC over shells 1 to Nyquist: 1 for equal maps, 0 for chance."""
    return float(fsc[1:].mean())


@dataclass(frozen=True, kw_only=True, eq=False)
class MapEstimate:
    """One method's density.

    Attributes:
        method: its name in `voxel.csv`.
        mean: e⁻/Å³ × pixel size.
        spread: standard deviation of the truth about it; None if it gives none.
        freedom: degrees of freedom behind the spread; 0 if there is none.
    """

    method: str
    mean: Float[Tensor, "z y x"]
    spread: Float[Tensor, "z y x"] | None
    freedom: int


def describe_samples(
    method: str, samples: Float[Tensor, "sample z y x"]
) -> MapEstimate:
    """Reduce posterior samples in opposite pairs to their mean and its error.

    A sample's variance is that of the pairs' means plus that within pairs; the mean of
    all errs by the former alone. The truth differs from it by both.

    Args:
        method: its name.
        samples: an even number of at least 4, the second half the opposites of the
            first, e⁻/Å³ × pixel size.
    """
    first, second = samples.chunk(2)
    pairs = len(first)
    between = (0.5 * (first + second)).var(0)
    within = (0.5 * (first - second)).square().mean(0)
    return MapEstimate(
        method=method,
        mean=samples.mean(0),
        spread=(within + (1.0 + 1.0 / pairs) * between).sqrt(),
        freedom=pairs,
    )


def score_map(
    estimate: MapEstimate,
    truth: Float[Tensor, "z y x"],
    mask: Float[Tensor, "z y x"],
    pixel_size: float,
) -> tuple[dict[str, float | str | None], Float[Tensor, " shell"]]:
    """Score one method's density.

    Args:
        estimate: what it found.
        truth: on the same grid, low-passed to two pixels.
        mask: of the molecule.
        pixel_size: Å.

    Returns:
        Scores under `SCORE_COLUMNS`, and the masked maps' FSC.
    """
    fsc = shell_correlation(mask * estimate.mean, mask * truth)
    coverage = None
    if estimate.spread is not None:
        coverage = interval_coverage(
            estimate.mean, estimate.spread, truth, mask, estimate.freedom, INTERVAL
        )
    scores = {
        "method": estimate.method,
        "fsc05": fsc_crossing(fsc, pixel_size, 0.5),
        "fsc_area": fsc_area(fsc),
        "masked_cc": masked_correlation(estimate.mean, truth, mask),
        "coverage90": coverage,
    }
    return scores, fsc


def score_maps(
    estimates: Sequence[MapEstimate],
    truth: Float[Tensor, "z y x"],
    mask: Float[Tensor, "z y x"],
    pixel_size: float,
) -> tuple[list[dict[str, float | str | None]], pd.DataFrame]:
    """Score the densities of several methods; see `score_map`.

    Returns:
        A row of scores for each, and their FSC by `method`, number of the
        `reconstruction` and `frequency`, Å⁻¹.
    """
    rows, curves = [], []
    frequency = torch.arange(1, len(truth) // 2 + 1) / (len(truth) * pixel_size)
    for number, estimate in enumerate(estimates):
        scores, fsc = score_map(estimate, truth, mask, pixel_size)
        rows.append(scores)
        curve = {"method": estimate.method, "reconstruction": number}
        curve |= {"frequency": frequency.tolist(), "fsc": fsc[1:].tolist()}
        curves.append(pd.DataFrame(curve))
    return rows, pd.concat(curves)


def local_resolution(
    first: Float[Tensor, "z y x"],
    second: Float[Tensor, "z y x"],
    mask: Float[Tensor, "z y x"],
    pixel_size: float,
    spacing: int,
) -> Float[Tensor, "z y x"]:
    """Return where two maps' local FSC falls below 0.5, Å, zero outside the mask.

    Around every `spacing`-th voxel of each axis the FSC is taken inside a soft sphere;
    the voxels of the block that begins there get its value.

    Args:
        first: cubic.
        second: on the same grid.
        mask: blocks whose first voxel is at least half inside are measured.
        pixel_size: Å.
        spacing: voxels between centres; a divisor of the edge.

    Source: Cardone, Heymann & Steven 2013, doi:10.1016/j.jsb.2013.08.002.
    """
    reach = math.ceil(LOCAL_RADIUS / pixel_size)
    sphere = soft_sphere(2 * reach, pixel_size, LOCAL_RADIUS)
    pad = [reach] * 6
    pair = [torch.nn.functional.pad(one.double(), pad) for one in (first, second)]
    coarse = torch.zeros(tuple(n // spacing for n in mask.shape), dtype=torch.float64)
    for place in torch.nonzero(mask[::spacing, ::spacing, ::spacing] > 0.5).tolist():
        window = tuple(
            slice(spacing * index, spacing * index + 2 * reach) for index in place
        )
        fsc = shell_correlation(*(sphere * one[window] for one in pair))
        coarse[tuple(place)] = fsc_crossing(fsc.nan_to_num(), pixel_size, 0.5)
    full = np.kron(coarse.numpy(), np.ones((spacing,) * 3))
    return torch.from_numpy(full)


def average_scores(rows: Sequence[Mapping[str, str]]) -> pd.DataFrame:
    """Average scores over the reconstructions of a target, total SNR and method.

    Args:
        rows: under `SCORE_COLUMNS`, as read from a table.

    Returns:
        The columns `VOXEL_COLUMNS`, by target, total SNR and method.
    """
    keys, scores = list(VOXEL_COLUMNS[:3]), list(VOXEL_COLUMNS[3:6])
    frame = pd.DataFrame(rows)
    numbers = [*scores, "total_snr"]
    frame[numbers] = frame[numbers].apply(pd.to_numeric)
    groups = frame.groupby(keys)
    table = groups[scores].mean().assign(n=groups.size()).reset_index()
    return table[list(VOXEL_COLUMNS)]
