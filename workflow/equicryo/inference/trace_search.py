"""The best traces through a graph of candidates that visit no place twice.

Without the last condition the best trace is found exactly by dynamic programming. With
it the problem is that of a longest path. Prices for crowded places (Lagrange
multipliers) bring the relaxed optimum near to fulfilling it, and the relaxed completion
of each partial trace, ahead of it along the chain, tells a beam search which ones are
worth keeping.

Source: Fisher 1981, doi:10.1287/mnsc.27.1.1, for the relaxation; Lowerre 1976, The
    HARPY Speech Recognition System, for beam search.
"""

import logging
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int32

from equicryo.inference.trace_graph import TraceGraph
from equicryo.inference.trace_kernels import advance_beam, follow_best, score_ahead

logger = logging.getLogger(__name__)

CROWDED = 1.2
"""Å: radius of the places whose use is priced."""

EXCLUDED = 2.0
"""Å: no two candidates of a trace are closer."""

FIRST_PRICE = 2.0
"""Nats: how much the first round charges for a place that is used once too often."""

PATIENCE = 10.0
"""Rounds after which the changes of prices are halved."""

DIFFERENT = 0.05
"""Two traces that differ in a smaller fraction of their residues are one."""


@dataclass(frozen=True, kw_only=True)
class SearchConfig:
    """How widely traces are searched.

    Attributes:
        rounds: of pricing.
        beam: partial traces kept.
        variants: of them, how many may end in the same three candidates.
        traces: complete traces returned at most.
    """

    rounds: int
    beam: int
    variants: int
    traces: int


@dataclass(frozen=True, kw_only=True, eq=False)
class FoundTraces:
    """Traces, best first; none where no trace fits among the candidates.

    Attributes:
        nodes: candidate or bridge of each residue.
        score: nats, without prices.
    """

    nodes: Int32[np.ndarray, "trace residue"]
    score: Float64[np.ndarray, " trace"]


def search_traces(
    graph: TraceGraph,
    scores: Float32[np.ndarray, "residue candidate"],
    config: SearchConfig,
) -> FoundTraces:
    """Find the best traces of all residues, or none if all come to dead ends.

    Args:
        graph: of the candidates and bridges.
        scores: of each residue being at each of them, nats.
        config: how widely.
    """
    gaps = np.linalg.norm(graph.positions[:, None] - graph.positions, axis=-1)
    first_bridge = len(gaps) - graph.bridges
    gaps[first_bridge:] = gaps[:, first_bridge:] = np.inf
    crowded = gaps < CROWDED
    charges = find_charges(graph, crowded, scores, config.rounds)
    prices = (charges @ crowded).astype(np.float32)
    found = beam_search(graph, gaps < EXCLUDED, scores - prices, config)
    values = found.score + prices[found.nodes].sum(1)
    chosen = _choose_different(found.nodes, values, config.traces)
    return FoundTraces(nodes=found.nodes[chosen], score=values[chosen])


def find_charges(
    graph: TraceGraph,
    crowded: Bool[np.ndarray, "place candidate"],
    scores: Float32[np.ndarray, "residue candidate"],
    rounds: int,
) -> Float64[np.ndarray, " place"]:
    """Find prices at which the best trace visits no place twice, or nearly so.

    Subgradient descent on the Lagrange dual: a place that the best trace visits more
    than once becomes dearer, one that it leaves out cheaper, down to nothing. The sum
    of prices and the priced trace's score bounds the score of every permitted trace;
    the prices of the lowest bound are kept.

    Args:
        graph: of the candidates.
        crowded: whether a candidate lies in a place; there is one about each.
        scores: of each residue being at each candidate, nats.
        rounds: of trace and prices.

    Returns:
        Price of each place, nats; a candidate costs those of all that it lies in.
    """
    charges = np.zeros(len(crowded))
    best, lowest = charges, np.inf
    for number in range(rounds):
        priced = scores - (charges @ crowded).astype(np.float32)
        value, path = follow_best(graph, priced)
        bound = value + charges.sum()
        excess = crowded[:, path].sum(1) - 1
        if bound < lowest:
            best, lowest = charges, bound
        if not (excess > 0).any():
            break
        change = FIRST_PRICE / (1.0 + number / PATIENCE)
        charges = np.maximum(charges + change * excess, 0.0)
    logger.debug("traces score at most %.1f nats after %d rounds", lowest, number + 1)
    return best


def beam_search(
    graph: TraceGraph,
    excluded: Bool[np.ndarray, "candidate candidate"],
    scores: Float32[np.ndarray, "residue candidate"],
    config: SearchConfig,
) -> FoundTraces:
    """Extend traces residue by residue, keeping those of the best prospects.

    Args:
        graph: of the candidates.
        excluded: pairs of candidates that no trace visits both of.
        scores: of each residue being at each candidate, nats; priced or not.
        config: how widely.

    Returns:
        All complete traces, best first, with their scores as given.
    """
    residues = len(scores)
    ahead = score_ahead(graph, scores)
    masks = _pack(excluded)
    a, b, c = graph.triples.T
    value = graph.start_score + scores[0, a] + scores[1, b] + scores[2, c]
    prospects = value + ahead[2]
    chosen = np.argsort(-prospects, kind="stable")[: config.beam]
    chosen = chosen[np.isfinite(prospects[chosen])].astype(np.int32)
    visited = masks[a[chosen]] | masks[b[chosen]] | masks[c[chosen]]
    beam = (chosen, value[chosen], visited)
    triples, parents = [chosen], []
    for residue in range(3, residues):
        *beam, parent = advance_beam(
            graph, beam, masks, scores[residue], ahead[residue], config
        )
        triples.append(beam[0])
        parents.append(parent)
    order = np.argsort(-beam[1], kind="stable")
    values = beam[1][order].astype(np.float64)
    paths = np.empty((len(order), residues), np.int32)
    for residue in range(residues - 1, 2, -1):
        paths[:, residue] = c[triples[residue - 2][order]]
        order = parents[residue - 3][order]
    paths[:, :3] = graph.triples[triples[0][order]]
    return FoundTraces(nodes=paths, score=values)


def _pack(
    excluded: Bool[np.ndarray, "candidate candidate"],
) -> np.ndarray:
    """Pack rows of truth values into words of 64 bits."""
    padding = -excluded.shape[1] % 64
    padded = np.pad(excluded, ((0, 0), (0, padding)))
    return np.packbits(padded, axis=1, bitorder="little").view(np.uint64)


def _choose_different(
    nodes: Int32[np.ndarray, "trace residue"],
    values: Float64[np.ndarray, " trace"],
    count: int,
) -> list[int]:
    """Return the indices of the best traces that are not nearly the same."""
    chosen: list[int] = []
    for index in np.argsort(-values, kind="stable").tolist():
        differing = (nodes[chosen] != nodes[index]).mean(1)
        if (differing >= DIFFERENT).all():
            chosen.append(index)
        if len(chosen) == count:
            break
    return chosen
