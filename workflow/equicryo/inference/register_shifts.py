"""Mending a trace in which a stretch of residues stands in its neighbours' places.

A search that has put one residue too few in one loop and one too many in another leaves
what is between them off by one. No refinement mends that, but the likelihood tells at
once when the whole stretch moves along the chain by a residue.

Source: register errors of protein models; Kleywegt & Jones 1997,
    doi:10.1016/S0076-6879(97)77013-7.
"""

import logging

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from equicryo.inference.likelihood import ResidueLikelihood
from equicryo.inference.tracing_refinement import RefinedTrace, refine_trace

logger = logging.getLogger(__name__)

SPACING = 4
"""Residues between the ends of stretches that are tried."""

RAMP = 4
"""Residues over which a shift begins, and ends."""

TRIED = 4
"""Shifts that are refined, of all that are scored."""

GAIN = 1.0
"""Nats: a shift that gains less is not made."""

BATCH = 8
"""Chains whose likelihood is computed together."""


def mend_registers(
    trace: RefinedTrace, likelihood: ResidueLikelihood, iterations: int
) -> RefinedTrace:
    """Shift stretches along the chain as long as likelihood and restraints gain.

    Args:
        trace: at a maximum of them.
        likelihood: of the images.
        iterations: of each refinement, at most.
    """
    while True:
        shifted = shift_stretches(trace.coordinates)
        scores = torch.cat(
            [likelihood.log_likelihood(some, 0.0) for some in shifted.split(BATCH)]
        )
        best = scores.argsort(descending=True)[:TRIED]
        refined = [refine_trace(shifted[i], likelihood, iterations) for i in best]
        better = max(refined, key=lambda each: each.log_posterior)
        gain = better.log_posterior - trace.log_posterior
        if gain < GAIN:
            return trace
        logger.info("a stretch shifted by a residue gains %.1f nats", gain)
        trace = better


def shift_stretches(
    coordinates: Float[Tensor, "residue 3"],
) -> Float64[Tensor, "shift residue 3"]:
    """Return a chain with each of its stretches moved by a residue either way.

    Args:
        coordinates: Å.
    """
    chain = coordinates.double().numpy()
    index = np.arange(len(chain))
    ends = np.arange(0, len(chain) + SPACING, SPACING)
    first, last = (ends[part] for part in np.triu_indices(len(ends), k=1))
    shares = [
        np.interp(index, (i - RAMP, i, j, j + RAMP), (0.0, 1.0, 1.0, 0.0))
        for i, j in zip(first, last, strict=True)
    ]
    places = np.array([index + sign * share for share in shares for sign in (1, -1)])
    return torch.from_numpy(_follow(chain, places))


def _follow(
    chain: Float64[np.ndarray, "residue 3"],
    places: Float64[np.ndarray, "shift residue"],
) -> Float64[np.ndarray, "shift residue 3"]:
    """Return points of the line through a chain, and beyond its ends straight on."""
    before = np.floor(places).astype(int).clip(0, len(chain) - 2)
    share = (places - before)[..., None]
    return (1.0 - share) * chain[before] + share * chain[before + 1]
