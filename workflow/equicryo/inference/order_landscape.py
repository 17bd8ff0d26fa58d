"""What it is worth for a chain to visit fixed places, in whichever order.

With the places held fixed the likelihood of equal blobs is a quadratic form in the
weights of the residues there; beside it stand the steps and turns of chains.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Float64, Int64

from equicryo.physics.pair_potential import PairPotential
from equicryo.structure.trace_geometry import DISTANCE_EDGES

REACH = 6.3
"""Å: places nearer than this are neighbours, which moves put next to each other."""

MOST_NEIGHBOURS = 24
"""The nearest."""

STRETCHED, STRETCH = 5.2, 3.0
"""Å: steps longer than the first lose nats per Å more; refinement draws them in."""

SHORT = 2.4
"""Å: places as near as this do not follow each other."""

TOO_SHORT = -10.0
"""Nats, should they."""

CROWDED, SOFTNESS = 3.6, 0.6
"""Å: places nearer than the first repel each other if both are visited, softly."""


class Landscape(NamedTuple):
    """What it is worth to visit places, and in which order, for compiled code.

    Attributes:
        positions: of the places, Å.
        field: of a residue at each place, nats per electron.
        kernel: of residues at two places, nats per electron squared.
        crowding: loss if both of two places are visited, nats.
        steps: of one place following another, nats.
        turns: of four in a row, as in `TraceGeometry`.
        neighbours: of each place, nearest first.
        counts: how many of them.
        weights: of the residues, electrons.
    """

    positions: Float64[np.ndarray, "place 3"]
    field: Float64[np.ndarray, " place"]
    kernel: Float32[np.ndarray, "place place"]
    crowding: Float32[np.ndarray, "place place"]
    steps: Float64[np.ndarray, "place place"]
    turns: Float64[np.ndarray, "angle_bin angle_bin dihedral_bin"]
    neighbours: Int64[np.ndarray, "place neighbour"]
    counts: Int64[np.ndarray, " place"]
    weights: Float64[np.ndarray, " residue"]


def lay_out(
    positions: Float64[np.ndarray, "place 3"],
    potential: PairPotential,
    moments: tuple[float, float],
    steps: Float64[np.ndarray, "place place"],
    turns: Float64[np.ndarray, "angle_bin angle_bin dihedral_bin"],
) -> Landscape:
    """Work out once what all orders of some places share.

    Args:
        positions: of the places, Å.
        potential: of the images.
        moments: mean of the images' gain, and of its square.
        steps: score of one place following another, nats; see `score_steps`.
        turns: of four in a row, as in `TraceGeometry`.
    """
    gain, square = moments
    field, kernel = potential.tabulate(positions)
    gaps = np.linalg.norm(positions[:, None] - positions, axis=-1)
    crowding = 0.5 * ((CROWDED - gaps).clip(min=0.0) / SOFTNESS) ** 2
    np.fill_diagonal(crowding, 0.0)
    np.fill_diagonal(gaps, np.inf)
    nearest = np.argsort(gaps, axis=1, kind="stable")[:, :MOST_NEIGHBOURS]
    counts = (gaps < REACH).sum(1).clip(max=nearest.shape[1])
    return Landscape(
        positions=positions,
        field=gain * field,
        kernel=(square * kernel).astype(np.float32),
        crowding=crowding.astype(np.float32),
        steps=steps,
        turns=turns,
        neighbours=nearest,
        counts=counts,
        weights=potential.weights,
    )


def score_steps(
    positions: Float64[np.ndarray, "place 3"],
    distance: Float64[np.ndarray, " distance_bin"],
) -> Float64[np.ndarray, "place place"]:
    """Return the score of each place following each, of its distance alone, nats.

    Args:
        positions: Å.
        distance: log density of a step, as in `TraceGeometry`.
    """
    gaps = np.linalg.norm(positions[:, None] - positions, axis=-1)
    place = np.digitize(gaps.clip(max=STRETCHED), DISTANCE_EDGES[1:-1])
    score = (distance - distance.max())[place]
    score -= STRETCH * (gaps - STRETCHED).clip(min=0.0)
    return np.where(gaps < SHORT, TOO_SHORT, score)
