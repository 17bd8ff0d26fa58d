"""Candidates of a trace as a graph whose nodes are steps from one to the next but one.

A trace is a path through candidates. Its geometry couples four consecutive ones, so the
graph's nodes are triples of candidates; a transition adds a candidate and drops one.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, Int32, Int64

from equicryo.structure.trace_geometry import (
    DISTANCE_EDGES,
    TraceGeometry,
    angle_bins,
    dihedral_bins,
)

SHARPEST = 2.8
"""Å: candidates next but one to each other are at least this far apart."""


@dataclass(frozen=True, kw_only=True, eq=False)
class TraceGraph:
    """Triples of candidates, and the transitions between them.

    Attributes:
        triples: candidates (a, b, c) in the order of the chain.
        start_score: of a trace's first three residues being a triple but for their own
            scores, nats.
        step_score: of the step to c but for its geometry, nats.
        first_transition: transitions from triple t are those from `first_transition[t]`
            to before `first_transition[t + 1]`.
        target: triple that each goes to.
        transition_score: of angle and dihedral, nats.
    """

    triples: Int32[np.ndarray, "triple 3"]
    start_score: Float32[np.ndarray, " triple"]
    step_score: Float32[np.ndarray, " triple"]
    first_transition: Int64[np.ndarray, " triple_end"]
    target: Int32[np.ndarray, " transition"]
    transition_score: Float32[np.ndarray, " transition"]


def build_graph(
    positions: Float64[np.ndarray, "candidate 3"],
    bonds: Float64[np.ndarray, "candidate candidate"],
    geometry: TraceGeometry,
) -> TraceGraph:
    """List all steps that a chain may take.

    Args:
        positions: of the candidates, Å.
        bonds: score of two candidates being bonded but for their distance, nats.
        geometry: of chains.
    """
    gaps = np.linalg.norm(positions[:, None] - positions, axis=-1)
    near = (gaps > DISTANCE_EDGES[0]) & (gaps < DISTANCE_EDGES[-1])
    place = np.digitize(gaps, DISTANCE_EDGES[1:-1])
    step = np.where(near, geometry.distance[place] + bonds, -np.inf)
    first, second = np.nonzero(near)
    left, right = _join(second, first)
    triples = np.stack((first[left], second[left], second[right]), -1)
    triples = triples[gaps[triples[:, 0], triples[:, 2]] > SHARPEST]
    a, b, c = triples.T
    angle = angle_bins(positions[a], positions[b], positions[c])
    # Triples that begin as others end, sorted by where they come from.
    pair_in, pair_out = a * len(positions) + b, b * len(positions) + c
    source, target = _join(pair_out, pair_in)
    torsion = dihedral_bins(
        positions[a[source]],
        positions[b[source]],
        positions[c[source]],
        positions[c[target]],
    )
    score = geometry.turn[angle[source], angle[target], torsion]
    return TraceGraph(
        triples=triples.astype(np.int32),
        start_score=(step[a, b] + step[b, c] + geometry.start[angle]).astype(
            np.float32
        ),
        step_score=step[b, c].astype(np.float32),
        first_transition=np.searchsorted(source, np.arange(len(triples) + 1)),
        target=target.astype(np.int32),
        transition_score=score.astype(np.float32),
    )


def _join(
    ends: Int64[np.ndarray, " left"], starts: Int64[np.ndarray, " right"]
) -> tuple[Int64[np.ndarray, " pair"], Int64[np.ndarray, " pair"]]:
    """Return all pairs of an end and a start with the same key."""
    order = np.argsort(starts, kind="stable")
    ordered = starts[order]
    low = np.searchsorted(ordered, ends, "left")
    count = np.searchsorted(ordered, ends, "right") - low
    left = np.repeat(np.arange(len(ends)), count)
    offset = np.arange(count.sum()) - np.repeat(count.cumsum() - count, count)
    return left, order[np.repeat(low, count) + offset]
