"""What a density is worth to the tracing of the chain that it shows."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from jaxtyping import Float, Float64
from numpy import ndarray
from torch import Tensor

from equicryo.inference.traces import RefinedTrace
from equicryo.physics.normal_equations import NormalEquations
from equicryo.physics.normal_operator import prepare_operator
from equicryo.structure.superposition import rmsd_unaligned

HAND_OVER_COLUMNS = ("dataset", "map", "proposed", "traced", "rmsd", "log_likelihood")
"""`proposed`, `traced`: share of the residues with a proposed place within `NEAR` of
their Cα, and with the trace's own Cα within `TRACED`; `rmsd`: of the trace as it lies,
Å; `log_likelihood`: of the images, whatever map was handed over, nats."""

NEAR, TRACED = 1.0, 2.0
"""Å."""


def show_density(
    normal: NormalEquations, volume: Float[Tensor, "z y x"]
) -> NormalEquations:
    """Return what images without noise would say, were a density what they show.

    In this form a density enters the tracing as images do.

    Args:
        normal: of the images; their views and noise level stay.
        volume: e⁻/Å³ × pixel size, on their grid.
    """
    operator = prepare_operator(normal)
    return replace(normal, b=operator.convolve(volume.to(operator.b)))


def score_hand_over(
    places: Float64[ndarray, "place 3"],
    traces: Sequence[RefinedTrace],
    truth: Float64[ndarray, "residue 3"],
) -> dict[str, float | None]:
    """Score places and the best trace under `HAND_OVER_COLUMNS`.

    Args:
        places: proposed for Cα, Å.
        traces: found through them, best first; maybe none.
        truth: Cα positions, Å.
    """
    true = torch.from_numpy(truth)
    gaps = torch.cdist(true, torch.from_numpy(places)).amin(1)
    row = {"proposed": float((gaps <= NEAR).double().mean())}
    if not traces:
        return row | {"traced": 0.0, "rmsd": None, "log_likelihood": None}
    best = traces[0].coordinates.to(true)
    near = (best - true).norm(dim=-1) <= TRACED
    return row | {
        "traced": float(near.double().mean()),
        "rmsd": float(rmsd_unaligned(best, true)),
        "log_likelihood": float(traces[0].log_likelihood),
    }
