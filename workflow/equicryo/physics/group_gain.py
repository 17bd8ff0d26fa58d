"""Intensity gains of optics groups relative to each other.

The images of group i are g_i times what a common map predicts. Given the map V, the
most probable gain is ⟨b_i, V⟩ / ⟨V, K_i * V⟩; the map that a group is compared with is
made of all other groups, so that its noise is independent. One overall gain remains.

Source: elementary; least squares, with the intensity scale of a group as in Scheres
2012, doi:10.1016/j.jsb.2012.09.006.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float64
from torch import Tensor

from equicryo.errors import InputError
from equicryo.physics.density import fast_edge
from equicryo.physics.normal_equations import (
    NormalEquations,
    add_digests,
    coarsen,
)
from equicryo.physics.normal_operator import NormalOperator, prepare_operator
from equicryo.physics.wiener import wiener_map

logger = logging.getLogger(__name__)

VOXEL = 6.0
"""Å; the gains are read off where the signal is, at low resolution."""

LADDER = tuple(10.0 ** (-0.5 * step) for step in range(9))
"""Variances of the map's prior that are tried, over the one of `_upper_variance`."""

ROUNDS = 20
TOLERANCE = 1e-4
"""Largest relative change of a gain at which the rounds end."""

MAP_TOLERANCE = 1e-3
MAP_STEPS = 2000

SPREAD = 0.5
"""Standard deviation of a gain before the images, over that of the group's noise."""


def relative_gains(groups: Sequence[NormalEquations]) -> Float64[Tensor, " group"]:
    """Estimate the gain of each optics group from a map of the others.

    A group of few images is drawn to the gain that its noise suggests: noise and signal
    pass the same camera.

    Args:
        groups: normal equations of the groups, of one volume grid.

    Returns:
        Gains in units of their mean over images.

    Raises:
        InputError: a group's contrast is opposite to that of the others.
    """
    counts = torch.tensor([float(group.n_images) for group in groups]).double()
    share = counts / counts.sum()
    noise = torch.stack([group.noise_power.mean().sqrt() for group in groups])
    start = noise / (share @ noise)
    if len(groups) == 1:
        return start
    extent = groups[0].support_size * groups[0].pixel_size
    edge = min(fast_edge(extent / VOXEL), groups[0].support_size)
    pairs = [_coarse_pair(group, edge) for group in groups]
    gains = start
    for _ in range(2):  # the better the gains, the better the choice of the prior
        variance = _choose_variance(pairs, gains)
        gains = _settle_gains(pairs, gains, start, variance, share)
    opposite = torch.nonzero(gains <= 0.0).flatten().tolist()
    if opposite:
        numbers = ", ".join(str(index + 1) for index in opposite)
        raise InputError(
            f"the contrast of optics group {numbers} of {len(groups)} is opposite to "
            "that of the others: invert its images"
        )
    return gains


def _settle_gains(
    pairs: Sequence["_Pair"],
    gains: Float64[Tensor, " group"],
    start: Float64[Tensor, " group"],
    variance: float,
    share: Float64[Tensor, " group"],
) -> Float64[Tensor, " group"]:
    """Alternate between the gains and the maps of the others until both agree."""
    # A gain too large makes the map too small with which the others are compared, and
    # they answer in opposition: but for a share of the old, two would swing for ever.
    for _ in range(ROUNDS):
        found = torch.stack(
            [
                _gain_of(
                    pair, _map_of_others(pairs, gains, index, variance), start[index]
                )
                for index, pair in enumerate(pairs)
            ]
        )
        found = share * gains + (1.0 - share) * found
        found = found / (share @ found)
        change = (found - gains).abs().max()
        gains = found
        if change < TOLERANCE:
            break
    else:
        logger.warning("gains of optics groups still change by %.1e", change)
    return gains


def combine_groups(
    groups: Sequence[NormalEquations], gains: Float64[Tensor, " group"]
) -> NormalEquations:
    """Add the normal equations of groups whose images have different gains.

    b = Σ g b and K = Σ g² K: the likelihood of the volume that the gains multiply.

    Args:
        groups: of one volume grid.
        gains: of the groups, intensity units per unit of the common map.

    Returns:
        The sum; its noise power is the mean over images, each divided by its gain.
    """
    share = [group.n_images for group in groups]
    pairs = list(zip(groups, gains.tolist(), strict=True))
    power = sum(
        count * group.noise_power / gain**2
        for count, (group, gain) in zip(share, pairs, strict=True)
    )
    return replace(
        groups[0],
        b=sum(gain * group.b for group, gain in pairs),
        kernel=sum(gain**2 * group.kernel for group, gain in pairs),
        data_energy=sum(group.data_energy for group in groups),
        n_observations=sum(group.n_observations for group in groups),
        n_images=sum(share),
        noise_power=power / sum(share),
        input_sha256=add_digests([group.input_sha256 for group in groups]),
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Pair:
    """Normal equations on a coarse grid, with their kernel's moments."""

    operator: NormalOperator
    trace: float
    square: float


def _coarse_pair(normal: NormalEquations, edge: int) -> _Pair:
    coarse = coarsen(normal, edge)
    lag = torch.arange(-edge, edge, dtype=torch.float64).abs()
    overlap = edge - lag
    square = torch.einsum(
        "zyx,z,y,x->", coarse.kernel.square(), overlap, overlap, overlap
    )
    return _Pair(
        operator=prepare_operator(coarse),
        trace=float(edge**3 * coarse.kernel[edge, edge, edge]),
        square=float(square),
    )


def _choose_variance(pairs: Sequence[_Pair], gains: Float64[Tensor, " group"]) -> float:
    """Choose the prior under which each group is predicted best from the others.

    The sum over groups of g ⟨b, V⟩ − ½ g² ⟨V, K * V⟩ with V the map of the others is
    the log-likelihood of images that V has not seen. Noise that a loose prior lets into
    V, and signal that a tight one takes out of it, both lower it.
    """
    candidates = [_upper_variance(pairs, gains) * factor for factor in LADDER]

    def predict(variance: float) -> float:
        total = 0.0
        for index, (pair, gain) in enumerate(zip(pairs, gains.tolist(), strict=True)):
            volume = _map_of_others(pairs, gains, index, variance)
            total += float(pair.operator.log_likelihood(gain * volume))
        return total

    return max(candidates, key=predict)


def _upper_variance(pairs: Sequence[_Pair], gains: Float64[Tensor, " group"]) -> float:
    """Return the variance of white noise in V that would give b its power.

    E|b|² = tr K + variance · ‖K‖². A molecule, whose power is at low frequencies, where
    a CTF lets little pass, needs less at all others.

    Raises:
        InputError: b is no stronger than noise alone makes it.
    """
    weighted = list(zip(pairs, gains.tolist(), strict=True))
    b = sum(gain * pair.operator.b for pair, gain in weighted)
    trace = sum(gain**2 * pair.trace for pair, gain in weighted)
    norm = sum(gain**2 * pair.square**0.5 for pair, gain in weighted)
    excess = float(b.square().sum()) - trace
    if excess <= 0.0:
        raise InputError(
            "the images show no particle, so the intensities of their optics groups "
            "cannot be compared: check poses and defocus, or give one optics group"
        )
    return excess / norm**2


def _map_of_others(
    pairs: Sequence[_Pair],
    gains: Float64[Tensor, " group"],
    excluded: int,
    variance: float,
) -> Float64[Tensor, "z y x"]:
    """Return the Wiener map of all groups but one."""
    chosen = [
        (pair.operator, gain)
        for index, (pair, gain) in enumerate(zip(pairs, gains.tolist(), strict=True))
        if index != excluded
    ]
    operator = replace(
        chosen[0][0],
        b=sum(gain * one.b for one, gain in chosen),
        transfer=sum(gain**2 * one.transfer for one, gain in chosen),
    )
    return wiener_map(operator, variance, MAP_TOLERANCE, MAP_STEPS)


def _gain_of(
    pair: _Pair, volume: Float64[Tensor, "z y x"], expected: Float64[Tensor, ""]
) -> Float64[Tensor, ""]:
    """Return the most probable gain under a normal prior about the expected one."""
    precision = (SPREAD * expected) ** -2
    linear = (pair.operator.b * volume).sum() + precision * expected
    quadratic = (volume * pair.operator.convolve(volume)).sum() + precision
    return linear / quadratic
