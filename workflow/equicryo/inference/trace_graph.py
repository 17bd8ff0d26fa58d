"""Candidates of a trace as a graph whose nodes are three of them in a row.

A trace is a path through candidates. Its geometry couples four consecutive ones, so the
graph's nodes are triples of candidates; a transition adds a candidate and drops one.
Where a residue has no candidate, a bridge leads from that before it to that after.
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

BRIDGED = (4.5, 7.4)
"""Å: range of distances of the two candidates that a bridge connects."""


@dataclass(frozen=True, kw_only=True, eq=False)
class TraceGraph:
    """Triples of candidates, and the transitions between them.

    Attributes:
        positions: of the candidates, and then of the bridges, which are half-way, Å.
        bridges: how many of the positions are bridges.
        triples: positions (a, b, c) in the order of the chain.
        start_score: of a trace's first three residues being a triple but for their own
            scores, nats.
        step_score: of the step to c but for its geometry, nats.
        first_transition: transitions from triple t are those from `first_transition[t]`
            to before `first_transition[t + 1]`.
        target: triple that each goes to.
        transition_score: of angle and dihedral, nats.
    """

    positions: Float64[np.ndarray, "position 3"]
    bridges: int
    triples: Int32[np.ndarray, "triple 3"]
    start_score: Float32[np.ndarray, " triple"]
    step_score: Float32[np.ndarray, " triple"]
    first_transition: Int64[np.ndarray, " triple_end"]
    target: Int32[np.ndarray, " transition"]
    transition_score: Float32[np.ndarray, " transition"]


def build_graph(
    positions: Float64[np.ndarray, "candidate 3"],
    bonds: Float64[np.ndarray, "candidate candidate"],
    bridged: int,
    geometry: TraceGeometry,
) -> TraceGraph:
    """List all steps that a chain may take.

    Args:
        positions: of the candidates, Å.
        bonds: score of two candidates being bonded but for their distance, nats.
        bridged: how many of the first candidates may have bridges between them.
        geometry: of chains.
    """
    count = len(positions)
    ends = _bridge_ends(positions[:bridged])
    first, second, step = _list_steps(positions, bonds, ends, geometry)
    left, right = _join(second, first)
    triples = np.stack((first[left], second[left], second[right]), -1)
    middles = 0.5 * (positions[ends[0]] + positions[ends[1]])
    positions = np.concatenate((positions, middles))
    spans = positions[triples[:, 0]] - positions[triples[:, 2]]
    real = triples < count
    fits = np.linalg.norm(spans, axis=-1) > SHARPEST
    # A residue between two that have candidates is bridged, never two in a row.
    kept = np.where(real.all(1), fits, real[:, 0] | real[:, 2])
    kept &= triples[:, 0] != triples[:, 2]
    triples, real = triples[kept], real[kept].all(1)
    steps = step[left[kept]], step[right[kept]]
    a, b, c = triples.T
    angle = angle_bins(positions[a], positions[b], positions[c])
    # Triples that begin as others end, sorted by where they come from.
    size = len(positions)
    source, target = _join(b * size + c, a * size + b)
    torsion = dihedral_bins(
        *(positions[triples[source, place]] for place in range(3)),
        positions[c[target]],
    )
    turn = geometry.turn[angle[source], angle[target], torsion]
    turn = np.where(real[source] & real[target], turn, 0.0)
    start = sum(steps) + np.where(real, geometry.start[angle], 0.0)
    return TraceGraph(
        positions=positions,
        bridges=size - count,
        triples=triples.astype(np.int32),
        start_score=start.astype(np.float32),
        step_score=steps[1].astype(np.float32),
        first_transition=np.searchsorted(source, np.arange(len(triples) + 1)),
        target=target.astype(np.int32),
        transition_score=turn.astype(np.float32),
    )


def _list_steps(
    positions: Float64[np.ndarray, "candidate 3"],
    bonds: Float64[np.ndarray, "candidate candidate"],
    ends: tuple[Int64[np.ndarray, " bridge"], Int64[np.ndarray, " bridge"]],
    geometry: TraceGeometry,
) -> tuple[
    Int64[np.ndarray, " step"], Int64[np.ndarray, " step"], Float64[np.ndarray, " step"]
]:
    """Return where each step begins and ends, and its score, nats."""
    gaps = np.linalg.norm(positions[:, None] - positions, axis=-1)
    near = (gaps > DISTANCE_EDGES[0]) & (gaps < DISTANCE_EDGES[-1])
    first, second = np.nonzero(near)
    place = np.digitize(gaps[near], DISTANCE_EDGES[1:-1])
    score = geometry.distance[place] + bonds[near]
    before, after = ends
    bridge = len(positions) + np.arange(len(before))
    # As likely as a step of the best length: the rest is the price of a bridge.
    neutral = np.full(4 * len(bridge), geometry.distance.max())
    return (
        np.concatenate((first, before, bridge, after, bridge)),
        np.concatenate((second, bridge, after, bridge, before)),
        np.concatenate((score, neutral)),
    )


def _bridge_ends(
    positions: Float64[np.ndarray, "candidate 3"],
) -> tuple[Int64[np.ndarray, " bridge"], Int64[np.ndarray, " bridge"]]:
    """Return the two candidates that each bridge connects."""
    gaps = np.linalg.norm(positions[:, None] - positions, axis=-1)
    spanned = (gaps > BRIDGED[0]) & (gaps < BRIDGED[1])
    return np.nonzero(np.triu(spanned))


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
