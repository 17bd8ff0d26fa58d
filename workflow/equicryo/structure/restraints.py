"""Restraints of a Cα trace: bonds, spans and contacts.

Source: the restraints of Diamond 1971, doi:10.1107/S0567739471000986, reduced to Cα.
"""

import math
from typing import no_type_check

import numba
import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor
from torch.autograd.function import once_differentiable

from equicryo.structure.chain import VIRTUAL_BOND

BOND_SPREAD = 0.08
"""Å: standard deviation of a virtual bond, cis bonds left out."""

CONTACT = 4.2
"""Å: Cα not bonded to each other repel below this distance."""

CONTACT_SPREAD = 0.25
"""Å: how soft they are."""

SHORTEST_SPAN, LONGEST_SPAN = 5.0, 7.3
"""Å: range of distances of Cα next but one to each other."""

SPAN_SPREAD = 0.15
"""Å: how soft its ends are."""

TINY = 1e-6
"""Å²: the slope of a distance is infinite where two atoms coincide."""


def log_restraints(
    coordinates: Float[Tensor, "*batch residue 3"],
) -> Float[Tensor, "*batch"]:
    """Return the log density of bonds, spans and contacts but for a constant, nats.

    Args:
        coordinates: Å; differentiable once.
    """
    return _Restraints.apply(coordinates)


def score_restraints(
    chain: Float64[np.ndarray, "residue 3"],
) -> tuple[float, Float64[np.ndarray, "residue 3"]]:
    """Return the same of one chain, nats, and its slope, nats/Å.

    Args:
        chain: Å.
    """
    slope = np.zeros(chain.shape)
    return _sum_restraints(chain, slope), slope


class _Restraints(torch.autograd.Function):
    @staticmethod
    def forward(ctx, coordinates):
        chains = coordinates.detach().double().numpy()
        flat = chains.reshape(-1, *chains.shape[-2:])
        slopes = np.zeros(flat.shape)
        pairs = zip(flat, slopes, strict=True)
        values = np.array([_sum_restraints(*pair) for pair in pairs])
        ctx.save_for_backward(torch.from_numpy(slopes.reshape(chains.shape)))
        return torch.from_numpy(values.reshape(chains.shape[:-2])).to(coordinates)

    @staticmethod
    @once_differentiable
    def backward(ctx, cotangent):
        (slope,) = ctx.saved_tensors
        return cotangent[..., None, None] * slope.to(cotangent)


@numba.njit(cache=True)
@no_type_check
def _sum_restraints(chain, slope):
    """Return the sum, and add its slope."""
    total = 0.0
    for i in range(len(chain)):
        for j in range(i + 1, len(chain)):
            x = chain[j, 0] - chain[i, 0]
            y = chain[j, 1] - chain[i, 1]
            z = chain[j, 2] - chain[i, 2]
            square = x * x + y * y + z * z
            if j > i + 2 and square >= CONTACT * CONTACT:
                continue
            gap = math.sqrt(square + TINY)
            # How far off, in standard deviations.
            if j == i + 1:
                spread, off = BOND_SPREAD, (gap - VIRTUAL_BOND) / BOND_SPREAD
            elif j == i + 2:
                beyond = max(gap - LONGEST_SPAN, 0.0) - max(SHORTEST_SPAN - gap, 0.0)
                spread, off = SPAN_SPREAD, beyond / SPAN_SPREAD
            else:
                spread, off = CONTACT_SPREAD, min(gap - CONTACT, 0.0) / CONTACT_SPREAD
            total -= 0.5 * off * off
            pull = off / (spread * gap)
            slope[i, 0] += pull * x
            slope[i, 1] += pull * y
            slope[i, 2] += pull * z
            slope[j, 0] -= pull * x
            slope[j, 1] -= pull * y
            slope[j, 2] -= pull * z
    return total
