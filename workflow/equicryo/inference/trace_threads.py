"""The best threads through a graph of places, refined, and which of them differ."""

import logging
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float64

from equicryo.inference.likelihood import ResidueLikelihood
from equicryo.inference.trace_graph import TraceGraph
from equicryo.inference.trace_search import SearchConfig, search_traces
from equicryo.inference.traces import RefinedTrace
from equicryo.inference.tracing_refinement import refine_trace
from equicryo.structure.superposition import rmsd_unaligned

logger = logging.getLogger(__name__)

UNLIKELY = -8.0
"""Score of a residue on a bridge, and the least for the weight of a bead, nats."""

WIDER = 10
"""How much wider the beam is in a second try, if all its traces come to dead ends."""

DISTINCT = 1.0
"""Å: traces of a smaller RMSD from a better one are not kept."""


def refine_threads(
    graph: TraceGraph,
    scores: Float64[np.ndarray, "residue position"],
    likelihood: ResidueLikelihood,
    search: SearchConfig,
    refined: int,
    iterations: int,
) -> list[RefinedTrace]:
    """Search the best traces through a graph, and refine them.

    Args:
        graph: of places.
        scores: of each residue being at each of them, nats.
        likelihood: of the images.
        search: how widely.
        refined: how many of the best.
        iterations: of each refinement, at most.
    """
    scores = scores.astype(np.float32)
    found = search_traces(graph, scores, search)
    if not len(found.nodes):
        wider = replace(search, beam=WIDER * search.beam)
        found = search_traces(graph, scores, wider)
    logger.info(
        "%d candidates, %d bridges, %d transitions, best scores %s",
        len(graph.positions) - graph.bridges,
        graph.bridges,
        len(graph.target),
        found.score[:refined].round(1),
    )
    return [
        refine_trace(
            torch.from_numpy(graph.positions[nodes]),
            likelihood,
            iterations,
        )
        for nodes in found.nodes[:refined]
    ]


def keep_distinct(traces: list[RefinedTrace]) -> list[RefinedTrace]:
    """Sort traces, best first, and leave out those that are near a better one."""
    kept: list[RefinedTrace] = []
    for trace in sorted(traces, key=lambda trace: -trace.log_posterior):
        gaps = [rmsd_unaligned(trace.coordinates, k.coordinates) for k in kept]
        if all(gap >= DISTINCT for gap in gaps):
            kept.append(trace)
    return kept


def far_from(
    places: Float64[np.ndarray, "place 3"],
    points: Float64[np.ndarray, "point 3"],
    distance: float,
) -> Float64[np.ndarray, "far 3"]:
    """Return the places that are farther from all points than a distance.

    Args:
        places: Å.
        points: Å; may be none.
        distance: Å.
    """
    if not len(points):
        return places
    gaps = np.linalg.norm(places[:, None] - points, axis=-1)
    return places[gaps.min(1) > distance]


def tell_nothing_fits(residues: int) -> None:
    """Say that a chain of so many residues was not traced."""
    logger.warning(
        "no chain of %d residues fits the images: nothing is traced", residues
    )
